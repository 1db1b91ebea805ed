"""How the files that come with the package were made."""
