"""The encoders that are compared, one a file; each is imported in a process of its own."""
