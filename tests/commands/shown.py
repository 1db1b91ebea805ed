"""Reads what a command prints."""

import re


def shown(output):
    """Returns the rows of a table as a dict, whatever the width of the terminal."""
    rows = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in output.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}
