# SPDX-License-Identifier: Apache-2.0
"""What the site of the documentation has beyond its pages; mkdocs calls it (.config/mkdocs.yml).

Anchors are GitHub's. Links to files of the project that are no pages lead to its repository. The page of release notes
gets the changelog.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(\]\()((?:\.\./)+[^)\s]+)(\))")


def on_config(config: Any) -> None:
    """Anchors are those of GitHub, so that a link leads to the same place on both."""
    config.mdx_configs["toc"]["slugify"] = anchor


def anchor(title: str, separator: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", separator)


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """The page's text as the site has it. That files exist is tested where all links are."""
    if page.file.src_uri == "release-notes.md":
        markdown = "\n".join([markdown, *unreleased(ROOT), *released(ROOT)])
    place, repository = page.file.src_uri, config.extra["repository"]
    return LINK.sub(lambda link: f"{link[1]}{target(link[2], place, repository)}{link[3]}", markdown)


def target(link: str, page: str, repository: str) -> str:
    """Where a relative link of a page leads. ``page``: its path below docs."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link))
    return link if path.startswith("docs/") else f"{repository}/blob/main/{path}"


def unreleased(root: Path) -> Iterator[str]:
    """Changes that are in no release yet, by their sections in the order of the changelog."""
    config = yaml.safe_load((root / "changelogs/config.yaml").read_text())
    fragments = [yaml.safe_load(path.read_text()) for path in sorted((root / "changelogs/fragments").glob("*.yml"))]
    yield "\n## Not released yet"
    for section, title in config["sections"]:
        entries = [entry for fragment in fragments for entry in fragment.get(section, [])]
        yield from [f"\n### {title}\n", *(f"- {_code(entry)}" for entry in entries)] if entries else []


def _code(text: str) -> str:
    """Code of reStructuredText, which fragments are in, as Markdown. Elsewhere, stars and underlines mark nothing."""
    parts = re.split(r"``(.+?)``", text)
    return "".join(f"`{part}`" if odd % 2 else re.sub(r"([*_<])", r"\\\1", part) for odd, part in enumerate(parts))


def released(root: Path) -> Iterator[str]:
    """The changelog's entries, which antsibull-changelog writes below a title and a list of contents."""
    _, mark, entries = (root / "CHANGELOG.md").read_text().partition('<a id="v')
    yield mark + entries
