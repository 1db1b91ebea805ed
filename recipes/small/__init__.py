"""How the bundled checkpoint was trained."""
