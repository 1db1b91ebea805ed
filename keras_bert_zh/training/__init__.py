"""What trains: the optimiser and the saved state of a run."""
