"""The layers of `BertEncoder`, one in each file."""
