"""Strings to ids: what `BertPreprocess` is built of."""
