# SPDX-License-Identifier: Apache-2.0
"""Every fragment of the changelog is of a type that towncrier is told of: it passes over any other."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_fragments_have_a_known_type():
    towncrier = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
    types = {entry["directory"] for entry in towncrier["type"]}
    fragments = [path.name for path in (ROOT / towncrier["directory"]).glob("*.md")]
    assert fragments
    assert [name for name in fragments if name.split(".")[1:-1] not in [[known] for known in types]] == []
