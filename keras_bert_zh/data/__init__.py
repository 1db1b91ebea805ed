"""Texts to batches: by length, packed into rows, masked, whole words."""
