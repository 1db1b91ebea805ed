"""What stands on the encoder's hidden states."""
