"""How things that the package ships were made."""
