"""The pages of the documentation."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]


def python_blocks(page):
    """Returns the Python of a page; the page is named by its path in the repository."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
