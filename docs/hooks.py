"""Links of the pages, which work on GitHub, become links of the site."""

import os
import pathlib
import re

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
SITE = "https://keras-bert-zh.github.io/keras-bert-zh/"
BLOB = "https://github.com/keras-bert-zh/keras-bert-zh/blob/main/"
PARTS = (".md", ".png")
_CODE = r"^```.*?^```|`+[^`\n]+`+"
_LINK = r"(?<=\]\()(?!https?:|#|mailto:)(?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))"


def on_files(files, config):
    """Adds the figures of the benchmarks; to the Chinese site, the pictures of the English one."""
    if pathlib.Path(config.docs_dir) == DOCS:
        files.append(File.generated(config, "results.md", content=RESULTS.read_text("utf-8")))
        return files
    for folder in ("images", "stylesheets"):
        for path in sorted((DOCS / folder).iterdir()):
            name = f"{folder}/{path.name}"
            files.append(File(name, str(DOCS), config.site_dir, config.use_directory_urls))
    return files


def on_page_markdown(markdown, page, config, files):
    """Rewrites the links of a page; those in code stay."""
    docs = pathlib.Path(config.docs_dir)
    here = docs / page.file.src_uri
    source = RESULTS if page.file.src_uri == "results.md" else here

    def rewritten(match):
        path, anchor = match["path"], match["anchor"] or ""
        if path is None:
            return match[0]
        target = pathlib.Path(os.path.normpath(source.parent / path))
        if not target.exists():
            raise PluginError(f"{source.relative_to(ROOT)}: there is no file {path}.")
        return _address(target, docs, here.parent) + anchor

    return re.sub(f"{_CODE}|{_LINK}", rewritten, markdown, flags=re.MULTILINE | re.DOTALL)


def on_post_build(config):
    """Checks that Chinese is cut into words for the search: without jieba it is not, silently."""
    index = pathlib.Path(config.site_dir, "search", "search_index.json").read_text("utf-8")
    if pathlib.Path(config.docs_dir) != DOCS and "\\u200b" not in index:
        raise PluginError("The search can't find Chinese words: is jieba installed?")


def _address(target, docs, folder):
    if target == RESULTS:
        target = DOCS / "results.md"
    elif docs != DOCS and target.parent == DOCS / "images":
        target = docs / target.relative_to(DOCS)
    if not target.is_relative_to(DOCS) or target.suffix not in PARTS:
        return BLOB + target.relative_to(ROOT).as_posix()
    is_chinese = target.is_relative_to(DOCS / "zh")
    if is_chinese == (docs != DOCS):
        return os.path.relpath(target, folder)
    page = target.relative_to(DOCS).with_suffix("").as_posix()
    return SITE + re.sub(r"(^|/)index$", r"\1", page).rstrip("/") + "/"
