"""The way back to files: one writer a format."""
