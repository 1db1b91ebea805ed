"""Turns strings into ids: the parts of `BertPreprocess`."""
