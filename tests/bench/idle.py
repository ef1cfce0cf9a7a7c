# SPDX-License-Identifier: Apache-2.0
"""What this machine does while nobody asks for anything, and who does it."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
CORES = 2
"""The budgets are shares of so many cores, whatever the machine has."""


@dataclass(frozen=True)
class Idle:
    """CPU over some seconds, in shares of two cores. ``by_name`` is of processes that lived all the time."""

    share: float
    by_name: Mapping[str, float]

    def __str__(self) -> str:
        most = sorted(self.by_name.items(), key=lambda entry: -entry[1])[:6]
        return f"{self.share:.1%} of {CORES} cores: {', '.join(f'{name} {share:.1%}' for name, share in most)}"


def busy(stat: str) -> float:
    """CPU seconds of all processors so far, from the text of /proc/stat: waiting for disks and others' use left out."""
    user, nice, system, _, _, irq, softirq = map(int, stat.splitlines()[0].split()[1:8])
    return (user + nice + system + irq + softirq) / TICK


def processes(proc: Path = Path("/proc")) -> dict[tuple[int, str], float]:
    """CPU seconds of each process so far, by number and name."""
    found = {}
    for entry in proc.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                name, _, fields = (entry / "stat").read_text().partition("(")[2].rpartition(")")
                found[int(entry.name), name] = sum(map(int, fields.split()[11:13])) / TICK
    return found


def measure(seconds: float, proc: Path = Path("/proc")) -> Idle:
    """Watch for some seconds."""
    began, total, each = time.monotonic(), busy((proc / "stat").read_text()), processes(proc)
    time.sleep(seconds)
    available = (time.monotonic() - began) * CORES
    used: Counter[str] = Counter()
    for key, now in processes(proc).items():
        if key in each:
            used[key[1]] += now - each[key]  # type: ignore[assignment]
    share = (busy((proc / "stat").read_text()) - total) / available
    return Idle(share, {name: value / available for name, value in used.items()})
