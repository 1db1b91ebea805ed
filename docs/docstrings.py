"""Docstrings of Keras's form, for mkdocstrings: call arguments, returned values, and examples."""

import re
import textwrap

import griffe


class Sections(griffe.Extension):
    """Writes the sections of a docstring as griffe and Markdown know them."""

    def on_object(self, *, obj, **kwargs):
        """Changes the docstring of each object before it is parsed."""
        if obj.docstring:
            obj.docstring.value = "\n\n".join(map(_section, _paragraphs(obj.docstring.value)))


def _paragraphs(text):
    return re.split(r"\n\s*\n", textwrap.dedent(text).strip("\n"))


def _section(paragraph):
    title, _, rest = paragraph.partition("\n")
    if paragraph.lstrip().startswith(">>>"):
        return f"```pycon\n{textwrap.dedent(paragraph)}\n```"
    if title == "Call arguments:":
        return f"Other Args: Call arguments\n{rest}"
    if title in ("Returns:", "Example:", "Examples:", "Reference:"):
        return f"**{title}**\n\n{textwrap.dedent(rest)}"
    return paragraph
