"""Whole corpora to vectors: rows in, Parquet out, each row once whatever happens."""
