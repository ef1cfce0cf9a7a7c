# SPDX-License-Identifier: Apache-2.0
"""What a kernel NFS server exports: directories on mounted disks, each to a list of addresses.

A directory is made on its disk and nowhere else: where the disk is not mounted, nothing is. Owners are numbers, as the
server need not know the users of its clients. What stands is judged by the file and, where the server runs, by its own
table.
"""

from __future__ import annotations

import os
from typing import Any

from ...change import Change, Plan
from ...errors import HoldfastError
from ...host_io import IO

FILE = "/etc/exports.d/holdfast.exports"
TABLE = "/var/lib/nfs/etab"
THREADS = "/proc/fs/nfsd/threads"
MODE = "0770"


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"exports": [{"path": export["path"], "disk": export["disk"]} for export in wanted["exports"]]}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{host, file, serving, table: {path: [client]}, directories: {path: "UID:GID MODE" or None}, mounted}``.

    ``mounted`` are the disks that are mounted, ``table`` what a running server exports.
    """
    places = {line.split()[4] for line in (io.read_text("/proc/self/mountinfo") or "").splitlines()}
    table: dict[str, list[str]] = {}
    for line in (io.read_text(TABLE) or "").splitlines():
        path, _, rest = line.partition("\t")
        table.setdefault(path, []).append(rest.partition("(")[0])
    return {
        "host": (io.read_text("/proc/sys/kernel/hostname") or "this host").strip(),
        "file": io.read_text(FILE),
        "serving": int(io.read_text(THREADS) or 0) > 0,
        "table": {export["path"]: sorted(table.get(export["path"], ())) for export in asked["exports"]},
        "directories": {export["path"]: _access(io, export["path"]) for export in asked["exports"]},
        "mounted": sorted({export["disk"] for export in asked["exports"]} & places),
    }


def _access(io: IO, path: str) -> str | None:
    shown = io.run(["/usr/bin/stat", "--format", "%u:%g 0%a", path], check=False)
    return shown.out.strip() if shown.rc == 0 else None


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    changes = []
    for export in wanted["exports"]:
        access = f"{export['owner']}:{export['owner']} {MODE}"
        # Beneath a disk that is not mounted may stand anything.
        before = current["directories"][export["path"]] if export["disk"] in current["mounted"] else None
        if before != access:
            changes.append(Change(export["path"], "own" if before else "create", before or "", access, export))
    text = render(wanted["exports"])
    if current["file"] != text:
        changes.append(Change(FILE, "update" if current["file"] else "create", current["file"] or "", text))
    elif current["serving"] and any(
        current["table"][export["path"]] != sorted(export["clients"]) for export in wanted["exports"]
    ):
        before = "".join(f"{path} {' '.join(clients)}\n" for path, clients in current["table"].items())
        changes.append(Change("exports", "load", before, text))
    return Plan(changes)


def render(exports: list[dict[str, Any]]) -> str:
    """exports(5): one line a directory. One that nobody may have is not exported, as no client means all of them."""
    lines = [
        " ".join([export["path"], *(f"{client}({export['options']})" for client in export["clients"])])
        for export in exports
        if export["clients"]
    ]
    return "\n".join(["# Managed by Holdfast.", *lines]) + "\n"


def apply(io: IO, plan: Plan) -> None:
    load = False
    for change in plan:
        if change.action in ("create", "own") and change.subject != FILE:
            _make(io, dict(change.data))
        else:
            load = True
            if change.subject == FILE:
                io.write(FILE, change.after)
    if load and int(io.read_text(THREADS) or 0) > 0:
        io.run(["/usr/sbin/exportfs", "-ra"])


def _make(io: IO, export: dict[str, Any]) -> None:
    path, owner = export["path"], str(export["owner"])
    mounts = {line.split()[4] for line in (io.read_text("/proc/self/mountinfo") or "").splitlines()}
    if export["disk"] not in mounts:
        raise HoldfastError(
            f"{path} was not made: no disk is mounted on {export['disk']}. Fix: see why (systemctl status "
            f"'{os.path.basename(export['disk'])}*.mount'), then run again."
        )
    io.run(["/usr/bin/mkdir", "--parents", path])
    io.run(["/usr/bin/chown", f"{owner}:{owner}", path])
    io.run(["/usr/bin/chmod", MODE, path])
