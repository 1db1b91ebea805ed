"""A server for exported models, which batches requests by tokens."""
