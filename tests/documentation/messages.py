"""The error messages of the package, read from its source, and those of the pages about errors."""

import ast
import re

from tests.pages import ROOT

HOLE = "…"


def _text(node, constants):
    """Returns a message with `…` for each value in it; `None` if the code does not hold it."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(_text(value, {}) or HOLE for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            sides = [_text(side, constants) for side in (left, right)]
            return None if sides == [None, None] else "".join(side or HOLE for side in sides)
        case ast.Name(id=name):
            return constants.get(name)
        case ast.Call(func=ast.Attribute(value=value, attr="format")):
            text = _text(value, constants)
            return text and re.sub(r"{[^{}]*}", HOLE, text)
    return None


def _spaced(text):
    return re.sub(r"(?:… ?)+…", HOLE, " ".join(text.split()))


def raised(paths):
    """Returns the messages of all errors that modules make, as `{message: where}`."""
    found = {}
    for path in sorted(paths):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            target.id: text
            for node in tree.body
            if isinstance(node, ast.Assign) and (text := _text(node.value, {}))
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and re.search(r"Error$", ast.unparse(node.func)):
                texts = (_text(argument, constants) for argument in node.args)
                for text in filter(lambda text: text and re.search(r"\w{2}", text), texts):
                    found.setdefault(_spaced(text), f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def explained(page):
    """Returns the messages of a page: the code in the first cell of each row of its tables."""
    text = page.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`+ ?)(.+?)( ?`+) \| .+ \|$", text, re.MULTILINE)
    return [_spaced(message.replace(r"\|", "|")) for _, message, _ in rows]
