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
    """CPU over some seconds, in shares of two cores. ``by_name`` is of processes that lived all the time.

    ``apart`` is what other programs of this machine took, which ``share`` leaves out.
    """

    share: float
    by_name: Mapping[str, float]
    apart: float = 0.0

    def __str__(self) -> str:
        most = sorted(self.by_name.items(), key=lambda entry: (-entry[1], entry[0]))[:6]
        others = f" (other programs of this machine: {self.apart:.1%})" if self.apart >= 0.001 else ""
        return f"{self.share:.1%} of {CORES} cores{others}: {', '.join(f'{name} {share:.1%}' for name, share in most)}"


def busy(stat: str) -> float:
    """CPU seconds of all processors so far, from the text of /proc/stat: waiting for disks and others' use left out."""
    user, nice, system, _, _, irq, softirq = map(int, stat.splitlines()[0].split()[1:8])
    return (user + nice + system + irq + softirq) / TICK


@dataclass(frozen=True)
class Process:
    """One process: its name, its CPU seconds so far, and whether it is a program beside the lab."""

    name: str
    used: float
    beside: bool


def processes(proc: Path = Path("/proc")) -> dict[int, Process]:
    """Those that live, by number. Programs beside the lab share this one's PID namespace; the kernel's threads do
    too, and are counted, since they work for the lab's hosts."""
    found, here = {}, os.readlink(proc / "self/ns/pid")
    for entry in proc.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                name, _, fields = (entry / "stat").read_text().partition("(")[2].rpartition(")")
                beside = os.readlink(entry / "ns/pid") == here and bool((entry / "cmdline").read_bytes())
                found[int(entry.name)] = Process(name, sum(map(int, fields.split()[11:15])) / TICK, beside)
    return found


def measure(seconds: float, proc: Path = Path("/proc")) -> Idle:
    """Watch for some seconds."""
    began, total, before = time.monotonic(), busy((proc / "stat").read_text()), processes(proc)
    time.sleep(seconds)
    available = (time.monotonic() - began) * CORES
    used: Counter[str] = Counter()
    apart = 0.0
    for number, process in processes(proc).items():
        if number in before and before[number].name == process.name:
            more = process.used - before[number].used
            if process.beside:
                apart += more
            else:
                used[process.name] += more  # type: ignore[assignment]
    share = busy((proc / "stat").read_text()) - total - apart
    return Idle(share / available, {name: value / available for name, value in used.items()}, apart / available)
