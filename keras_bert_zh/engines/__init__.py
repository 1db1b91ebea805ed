"""What runs exported models: one engine a file."""
