# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SITE = runpy.run_path(str(ROOT / "scripts/docs_site.py"))
REPOSITORY = "https://example.org/holdfast"


@pytest.mark.parametrize(
    ("link", "page", "wanted"),
    [
        ("../README.md", "index.md", f"{REPOSITORY}/blob/main/README.md"),
        ("../../tests/cases/x.yml", "reference/findings.md", f"{REPOSITORY}/blob/main/tests/cases/x.yml"),
        ("../verify.md#the-stories", "reference/findings.md", "../verify.md#the-stories"),
    ],
)
def test_links_out_of_the_pages_lead_to_the_repository(link: str, page: str, wanted: str) -> None:
    assert SITE["target"](link, page, REPOSITORY) == wanted


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("The site's own certificate", "the-sites-own-certificate"),
        ("ceph_mon.key", "ceph_monkey"),
        ("1. Prepare the hosts", "1-prepare-the-hosts"),
    ],
)
def test_anchors_are_githubs(title: str, wanted: str) -> None:
    assert SITE["anchor"](title, "-") == wanted


def test_the_release_notes_have_every_fragment_under_its_type(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    fragments = tmp_path / "changelogs/fragments"
    fragments.mkdir(parents=True)
    (fragments / "b.fix.md").write_text("A disk is\nnamed once.\n")
    (fragments / "a.feature.md").write_text("A new thing.\n")
    text = "\n".join(SITE["unreleased"](tmp_path))
    assert text.index("### Features") < text.index("- A new thing.") < text.index("### Fixes")
    assert "- A disk is\n  named once." in text
    assert "### Security" not in text


def test_the_changelog_follows_without_its_introduction(tmp_path: Path) -> None:
    changelog = "# Changelog\n\nUnreleased.\n\n<!-- towncrier release notes start -->\n\n## 1.0.0\n"
    (tmp_path / "CHANGELOG.md").write_text(changelog)
    assert "".join(SITE["released"](tmp_path)).strip() == "## 1.0.0"
