"""Reads the files of a checkpoint: one reader per format."""
