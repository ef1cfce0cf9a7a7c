# SPDX-License-Identifier: Apache-2.0
"""Every fragment of the changelog is in a section that antsibull-changelog is told of, and none is passed over."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
FRAGMENTS = sorted((ROOT / "changelogs/fragments").iterdir())


def test_fragments_are_of_the_form() -> None:
    config = yaml.safe_load((ROOT / "changelogs/config.yaml").read_text())
    known = {section for section, _ in config["sections"]} | {config["trivial_section_name"]}
    assert FRAGMENTS
    assert [path.name for path in FRAGMENTS if path.suffix != ".yml"] == []
    wrong = []
    for path in FRAGMENTS:
        fragment = yaml.safe_load(path.read_text())
        if not (set(fragment) <= known and all(isinstance(text, str) for texts in fragment.values() for text in texts)):
            wrong.append(path.name)
    assert wrong == []


def test_code_is_marked_as_in_restructuredtext() -> None:
    texts = {path.name: path.read_text().replace("``", "") for path in FRAGMENTS}
    assert [name for name, text in texts.items() if "`" in text] == []


def test_galaxy_has_the_releases_of_the_changelog() -> None:
    releases = yaml.safe_load((ROOT / "changelogs/changelog.yaml").read_text())["releases"]
    titles = (ROOT / "CHANGELOG.md").read_text().replace("\\", "")
    assert [version for version in releases if f"## v{version}" not in titles] == []
