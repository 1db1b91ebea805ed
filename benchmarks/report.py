"""The machine and the versions of a benchmark, and the file of its results."""

import os
import pathlib
import platform
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata

from keras_bert_zh.files.new_file import new_file

RESULTS = pathlib.Path(__file__).with_name("RESULTS.md")
_TITLE = "# Results\n\nEach section is written by the command it names.\n"


def circumstances(packages: Iterable[str]) -> str:
    """Returns a line of machine, versions and date."""
    versions = [f"Python {platform.python_version()}"]
    versions += [f"{package} {metadata.version(package)}" for package in packages]
    machine = f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return f"{machine}; {', '.join(versions)}; {datetime.now(UTC):%Y-%m-%d}."


def installed(packages: Iterable[str]) -> list[str]:
    """Returns those of the packages that are installed."""
    there = {distribution.name.lower() for distribution in metadata.distributions()}
    return [package for package in packages if package in there]


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Returns a Markdown table, all columns but the first to the right."""
    header = list(header)
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_section(title: str, body: str) -> None:
    """Puts the section into `RESULTS.md`, in place of the one of that title if there is one."""
    old = RESULTS.read_text("utf-8") if RESULTS.exists() else _TITLE
    before, *sections = re.split(r"^(?=## )", old, flags=re.MULTILINE)
    new = f"## {title}\n\n{body.strip()}\n"
    titles = [section.partition("\n")[0] for section in sections]
    if f"## {title}" in titles:
        sections[titles.index(f"## {title}")] = new
    else:
        sections.append(new)
    parts = [part.strip() for part in (before, *sections)]
    with new_file(RESULTS) as new:
        new.write_text("\n\n".join(parts) + "\n", "utf-8")


def _processor() -> str:
    try:
        names = re.findall(
            r"^model name\s*: (.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M
        )
    except OSError:
        names = []
    return names[0].strip() if names else platform.processor() or "unknown processor"
