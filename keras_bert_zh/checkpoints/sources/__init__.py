"""Finds a checkpoint: from a path or a URL to files on this machine."""
