"""Engines that run exported models, one per file."""
