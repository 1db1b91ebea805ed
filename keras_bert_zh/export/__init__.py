"""The way out of Keras: checkpoints, the Hub module, frozen models."""
