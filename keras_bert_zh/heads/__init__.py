"""Heads: layers on the encoder's hidden states, and models that combine both."""
