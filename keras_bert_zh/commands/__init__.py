"""What `python -m keras_bert_zh` does: one command a file."""
