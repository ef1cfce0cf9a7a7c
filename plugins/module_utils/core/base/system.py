# SPDX-License-Identifier: Apache-2.0
"""What several kinds ask of a host: its name, packages, mounts; and where they keep what they have to remember."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..errors import HoldfastError
from ..host_io import IO

SYSTEMCTL = "/usr/bin/systemctl"
STATE = "/var/lib/holdfast"
"""Where a host keeps what later runs have to know, of root alone."""

_DPKG = ("/usr/bin/dpkg-query", "-W", "-f", "${Package}\\t${db:Status-Abbrev}\\t${Version}\\n")


def host_name(io: IO) -> str:
    """What the host calls itself, for people."""
    return (io.read_text("/proc/sys/kernel/hostname") or "this host").strip()


def packages(io: IO, *names: str) -> list[tuple[str, str, str]]:
    """Name, status and version of packages that dpkg knows: of those that are named, or of all.

    The status has three letters: wish, state, error; ``ii `` is whole.
    """
    told = io.run([*_DPKG, *names], check=False)
    # 1: some of the named are not there. 127: there is no dpkg.
    if told.rc not in (0, 127, 1 if names else 0):
        fix = "Fix: repair /var/lib/dpkg on the host (dpkg --audit)."
        raise HoldfastError(f"`dpkg-query` tells no packages: {told.err.strip()[-500:] or told.rc}. {fix}")
    found = []
    for line in told.out.splitlines():
        name, status, version = line.split("\t")
        found.append((name, status, version))
    return found


def versions(io: IO, names: Sequence[str]) -> dict[str, str]:
    """``{name: version}`` of those packages that dpkg knows."""
    return {name: version for name, _, version in packages(io, *names)} if names else {}


def mounts(io: IO) -> list[dict[str, str]]:
    """``{number, where, filesystem, source}`` of every mount, in the order in which they were made."""
    entries = []
    for line in (io.read_text("/proc/self/mountinfo") or "").splitlines():
        fields = line.split()
        where = fields[4].replace("\\040", " ")
        filesystem, source = fields[fields.index("-") + 1 :][:2]
        entries.append({"number": fields[2], "where": where, "filesystem": filesystem, "source": source})
    return entries


def is_mounted(io: IO, where: str) -> bool:
    """Whether anything is mounted at a place."""
    return any(entry["where"] == where for entry in mounts(io))


def recorded(io: IO, path: str) -> Any:
    """What ``record`` kept there; None when there is nothing, or nothing whole."""
    try:
        return json.loads(io.read_text(path) or "null")
    except ValueError:
        return None


def record(io: IO, path: str, value: Any) -> None:
    """Keep a value for later runs."""
    io.write(path, json.dumps(value, indent=1), mode="0600")


CONFINED = """\
NoNewPrivileges=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
UMask=0077
"""
"""Lines of a unit that runs as root before anything else does: it gets no file system of its own."""
