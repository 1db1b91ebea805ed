"""The pages of the documentation."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]


# A Chinese page of the site, and the English one that it translates.
TRANSLATED = {
    page.relative_to(ROOT).as_posix(): f"docs/{page.relative_to(ROOT / 'docs' / 'zh').as_posix()}"
    for page in sorted(ROOT.glob("docs/zh/**/*.md"))
}


def blocks(page, languages):
    """Returns the code of a page, named by its path in the repository, in `python` or `sh|bash`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```(?:{languages})\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def python_blocks(page):
    """Returns the Python of a page."""
    return blocks(page, "python")
