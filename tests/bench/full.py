# SPDX-License-Identifier: Apache-2.0
"""What a full cloud costs, beside the same cloud when it was empty."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import idle
from filling import CGROUP, Filling, told

EMPTY, FULL = "empty", "full"
MORE = 1.1
"""What a playbook may take of the time that it takes on an empty cloud."""
IDLE: Mapping[str, float] = {EMPTY: 0.15, FULL: 0.30}
"""Shares of two cores that nobody asked for."""
SETTLE = 60
"""Seconds after which a cloud has done what it was asked for."""
WATCH: Mapping[str, float] = {EMPTY: 60, FULL: 600}
"""Seconds in which it is watched then: services that pass over what they keep do so each ten minutes."""
RUNS: Mapping[str, int] = {"site": 3, "plan": 3, "verify": 1}
"""The fastest of so many counts: a short run says more of the machine than of itself."""


class Timed(Protocol):
    """A run of a playbook; ``wall`` are seconds."""

    @property
    def wall(self) -> float: ...


Run = TypeVar("Run", bound=Timed)


@dataclass(frozen=True)
class Costs(Generic[Run]):
    """Of one state of the cloud: what it does by itself, and what playbooks take."""

    state: str
    idle: idle.Idle
    runs: Mapping[str, Run]

    @property
    def walls(self) -> dict[str, float]:
        return {playbook: run.wall for playbook, run in self.runs.items()}

    @property
    def problems(self) -> list[str]:
        most = IDLE[self.state]
        return [] if self.idle.share <= most else [f"An idle {self.state} cloud uses {self.idle}; {most:.0%} at most."]


def measure(state: str, play: Callable[[str, str], Run]) -> Costs[Run]:
    """``play`` is given a name and a playbook."""
    time.sleep(SETTLE)
    found = idle.measure(WATCH[state], idle.group_of(CGROUP))
    print(f"The idle {state} cloud used {found}.", flush=True)
    runs = {}
    for playbook, times in RUNS.items():
        tries = [play(f"{playbook}, {state}", playbook) for _ in range(times)]
        runs[playbook] = min(tries, key=lambda run: run.wall)
    return Costs(state, found, runs)


def worse(empty: Mapping[str, float], full: Mapping[str, float]) -> list[str]:
    """The playbooks that take too long on a full cloud. Seconds by playbook."""
    return [
        f"{playbook}.yml takes {full[playbook]:.1f} s on a full cloud and {seconds:.1f} s on an empty one: "
        f"{full[playbook] / seconds - 1:.0%} more, {MORE - 1:.0%} at most."
        for playbook, seconds in empty.items()
        if full[playbook] > seconds * MORE
    ]


def compare(filling: Filling, play: Callable[[str, str], Run], record: Path) -> tuple[Sequence[Run], Sequence[str]]:
    """Measure the cloud empty, fill it and measure it again. Returns the runs, and what is wrong.

    It stays full. What it cost when it was empty stands in ``record``, and is not measured again while it is full.
    """
    runs, problems = [], []
    if not record.is_file() or not filling.is_there:
        print(f"Removed {told(filling.empty())}.", flush=True)
        empty = measure(EMPTY, play)
        record.write_text(json.dumps(empty.walls))
        runs, problems = [*empty.runs.values()], empty.problems
    print(f"Made {told(filling.fill())}. It stays: make bench-empty.", flush=True)
    full = measure(FULL, play)
    found = worse(json.loads(record.read_text()), full.walls)
    return [*runs, *full.runs.values()], [*problems, *full.problems, *found]
