"""Tensors to tensors: what `BertEncoder` is built of, one layer a file."""
