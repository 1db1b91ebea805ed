"""A server of exported models, which batches by tokens."""
