# SPDX-License-Identifier: Apache-2.0
"""What the lab's hosts do while nobody asks for anything, and who does it: by their control groups.

Other programs of this machine are not in these groups, and the kernel's own threads are not either.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CORES = 2
"""The budgets are shares of so many cores, whatever the machine has."""


@dataclass(frozen=True)
class Idle:
    """CPU over some seconds, in shares of two cores: of all hosts together, and of each unit on all of them."""

    share: float
    by_unit: Mapping[str, float]

    def __str__(self) -> str:
        most = sorted(self.by_unit.items(), key=lambda entry: (-entry[1], entry[0]))[:6]
        return f"{self.share:.1%} of {CORES} cores: {', '.join(f'{name} {share:.1%}' for name, share in most)}"


def group_of(name: str, mounts: Path = Path("/proc/mounts")) -> Path:
    """The directory of a control group."""
    found = [fields[1] for fields in map(str.split, mounts.read_text().splitlines()) if fields[2] == "cgroup2"]
    return Path(found[0]) / name


def used(group: Path) -> float:
    """CPU seconds of a control group so far, of all that was ever in it."""
    words = (group / "cpu.stat").read_text().split()
    return int(words[words.index("usage_usec") + 1]) / 1e6


def units(group: Path) -> Counter[str]:
    """CPU seconds so far of each unit, on all hosts of the lab."""
    found: Counter[str] = Counter()
    for unit in group.glob("*/payload/system.slice/*.service"):
        with contextlib.suppress(OSError):
            found[unit.stem] += used(unit)  # type: ignore[assignment]
    return found


def measure(seconds: float, group: Path) -> Idle:
    """Watch for some seconds."""
    began, total, before = time.monotonic(), used(group), units(group)
    time.sleep(seconds)
    available = (time.monotonic() - began) * CORES
    by_unit = {name: (now - before[name]) / available for name, now in units(group).items()}
    return Idle((used(group) - total) / available, by_unit)
