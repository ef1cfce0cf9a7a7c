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


def test_the_release_notes_have_every_fragment_in_its_section(tmp_path: Path) -> None:
    fragments = tmp_path / "changelogs/fragments"
    fragments.mkdir(parents=True)
    (tmp_path / "changelogs/config.yaml").write_text((ROOT / "changelogs/config.yaml").read_text())
    (fragments / "b.yml").write_text("bugfixes:\n  - >-\n    A ``disk_a`` of <service>\n    is named once.\n")
    (fragments / "a.yml").write_text("minor_changes:\n  - A new thing.\n")
    text = "\n".join(SITE["unreleased"](tmp_path))
    assert text.index("### Features") < text.index("- A new thing.") < text.index("### Fixes")
    assert "- A `disk_a` of \\<service> is named once." in text
    assert "### Security" not in text


def test_the_changelog_follows_without_its_introduction(tmp_path: Path) -> None:
    changelog = '# Release Notes\n\n**Topics**\n\n- <a href="#v1-0-0">v1</a>\n\n<a id="v1-0-0"></a>\n## v1.0.0\n'
    (tmp_path / "CHANGELOG.md").write_text(changelog)
    assert "".join(SITE["released"](tmp_path)).strip() == '<a id="v1-0-0"></a>\n## v1.0.0'
    (tmp_path / "CHANGELOG.md").write_text("# Release Notes\n\nNothing is released yet.\n")
    assert "".join(SITE["released"](tmp_path)) == ""
