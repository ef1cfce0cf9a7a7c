# SPDX-License-Identifier: Apache-2.0
"""What the site of the documentation has beyond its pages; mkdocs calls it (.config/mkdocs.yml).

Anchors are GitHub's. Links to files of the project that are no pages lead to its repository. The page of release notes
gets the changelog.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    """Changes that are in no release yet, by their types in the order of the changelog."""
    towncrier = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["towncrier"]
    yield "\n## Not released yet"
    for type_ in towncrier["type"]:
        fragments = sorted((root / towncrier["directory"]).glob(f"*.{type_['directory']}.md"))
        yield from [f"\n### {type_['name']}\n"] if fragments else []
        for fragment in fragments:
            first, *further = fragment.read_text().strip().splitlines()
            yield "\n".join([f"- {first}", *(f"  {line}" for line in further)])


def released(root: Path) -> Iterator[str]:
    """The changelog's entries, below its introduction."""
    yield (root / "CHANGELOG.md").read_text().partition("<!-- towncrier release notes start -->")[2]
