# SPDX-License-Identifier: Apache-2.0
"""The phases, and where else they have to stand in the same order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import ORDER, PHASES

ROOT = Path(__file__).resolve().parents[5]


def plays(file: str) -> list[dict[str, Any]]:
    return yaml.safe_load((ROOT / "playbooks" / file).read_text())


def test_site_has_each_phase_that_changes_something_with_its_title() -> None:
    found = [
        (play["vars"]["holdfast_phase"], play["name"], play["vars"]["holdfast_title"])
        if play.get("ansible.builtin.import_playbook") == "phase.yml"
        else (play["hosts"].removeprefix("phase_"), play["name"], play["name"])
        for play in plays("site.yml")[1:-1]
    ]
    assert found == [(phase.name, phase.title, phase.title) for phase in PHASES if phase.name != "preflight"]


def test_a_phase_is_a_play_for_the_hosts_at_once_and_one_for_those_in_turn() -> None:
    at_once, in_turn = plays("phase.yml")
    assert at_once["hosts"] == "phase_{{ holdfast_phase }}"
    assert (in_turn["hosts"], in_turn["serial"]) == ("roll_{{ holdfast_phase }}", 1)
    assert at_once["tasks"] == in_turn["tasks"]


def test_the_documentation_has_the_phases_in_their_order() -> None:
    section = (ROOT / "docs/architecture.md").read_text().partition("## Phases")[2].partition("\n## ")[0]
    rows = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("|"))
    assert tuple(re.findall(r"`(\w+)`", rows)) == ORDER.phases
