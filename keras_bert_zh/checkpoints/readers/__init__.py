"""What the files of a checkpoint say: one reader a format."""
