# SPDX-License-Identifier: Apache-2.0
"""One lab at a time owns a machine: the switches, addresses and names are the same for all labs.

The owner is known by its state directory. A lab whose processes are all dead, or whose directory is gone, holds
nothing any more: whoever comes next clears its remains.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..errors import Finding
from ..host_io import IO
from .names import CGROUP, RUN, SLICE

PATH = f"{RUN}/owner.json"


def read(io: IO) -> dict[str, Any] | None:
    """``{state_dir, user, since, processes}``, or None when no lab owns the machine.

    ``processes`` is how many processes its hosts have; 0 for a dead lab, and for one whose directory is gone.
    """
    text = io.read_text(PATH)
    if text is None:
        return None
    owner: dict[str, Any] = json.loads(text)
    there = io.exists(owner["state_dir"])
    return {**owner, "processes": len(processes(io, *groups(io))) if there else 0}


def refusal(owner: dict[str, Any] | None, state_dir: str) -> list[Finding]:
    """Why a lab with this state directory may not touch the machine; nothing when it may."""
    if owner is None or owner["state_dir"] == state_dir or not owner["processes"]:
        return []
    return [
        Finding(
            "error",
            "lab.owned",
            f"{PATH}",
            f"the lab in {owner['state_dir']} owns this machine since {owner['since']} (user {owner['user']}, "
            f"{owner['processes']} processes).",
            "There can be one lab at a time: take that one down first, with `make lab-down` where it was made.",
        )
    ]


def claim(io: IO, state_dir: str) -> None:
    """Write down who owns the machine from now on."""
    if (owner := read(io)) is not None and owner["state_dir"] == state_dir:
        return
    text = json.dumps(
        {
            "state_dir": state_dir,
            "user": io.run(["sh", "-c", 'echo "${SUDO_USER:-$(id -un)}"']).out.strip(),
            "since": io.run(["date", "-Is"]).out.strip(),
        }
    )
    io.write(PATH, text + "\n")


def hierarchies(mounts: str) -> list[str]:
    """Mount points of the control group hierarchies that nspawn uses: version 2 first, then systemd's own of version 1.

    ``mounts`` is /proc/mounts.
    """
    entries = [line.split() for line in mounts.splitlines()]
    unified = [entry[1] for entry in entries if entry[2] == "cgroup2"]
    named = [entry[1] for entry in entries if entry[2] == "cgroup" and re.search(r"\bname=systemd\b", entry[3])]
    return unified[:1] + named[:1]


def groups(io: IO) -> list[str]:
    """Control groups of the lab that exist: one a hierarchy, their children are hosts."""
    candidates = (
        f"{mounted}/{name}" for mounted in hierarchies(io.read_text("/proc/mounts") or "") for name in (CGROUP, SLICE)
    )
    return [path for path in candidates if io.exists(path)]


def processes(io: IO, *paths: str) -> list[str]:
    """Process ids in control groups and all below them."""
    if not paths:
        return []
    found = io.run(["find", *paths, "-name", "cgroup.procs", "-exec", "cat", "{}", "+"], check=False).out
    return sorted(set(found.split()), key=int)
