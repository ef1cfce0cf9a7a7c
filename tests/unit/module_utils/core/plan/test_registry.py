# SPDX-License-Identifier: Apache-2.0
"""The phases, and where else they have to stand in the same order."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import ORDER

ROOT = Path(__file__).resolve().parents[5]


def test_site_has_a_play_for_each_phase_that_changes_something() -> None:
    plays = yaml.safe_load((ROOT / "playbooks/site.yml").read_text())
    hosts = [play["hosts"] for play in plays if "hosts" in play]
    phases = [name.removeprefix("phase_") for name in hosts if name.startswith("phase_")]
    assert phases == [phase for phase in ORDER.phases if phase != "preflight"]
    rolled = [name for name in hosts if name.startswith("roll_")]
    assert all(hosts[hosts.index(name) - 1] == name.replace("roll_", "phase_") for name in rolled)


def test_the_documentation_has_the_phases_in_their_order() -> None:
    section = (ROOT / "docs/architecture.md").read_text().partition("## Phases")[2].partition("\n## ")[0]
    rows = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("|"))
    assert tuple(re.findall(r"`(\w+)`", rows)) == ORDER.phases
