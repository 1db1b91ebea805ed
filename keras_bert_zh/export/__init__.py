"""The way out of Keras: checkpoints, the Hub module, models for prediction alone."""
