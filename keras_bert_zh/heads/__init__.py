"""Heads: layers on the encoder's hidden states, and models of both."""
