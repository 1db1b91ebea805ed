"""The commands of `python -m keras_bert_zh`, one per file."""
