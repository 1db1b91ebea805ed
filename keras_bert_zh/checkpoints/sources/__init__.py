"""Where a checkpoint is: from a path or a URL to files on this machine."""
