"""Which version of this package it is."""

__version__ = "0.2.0"
