"""Writes checkpoints: one writer per format."""

# Here, because those who only choose one need none of what writes them.
FORMATS = ("huggingface", "original", "hub", "keras_hub")
