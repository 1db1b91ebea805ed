"""Exports models: as checkpoints, as the Hub module, or for prediction only."""
