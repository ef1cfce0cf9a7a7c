# SPDX-License-Identifier: Apache-2.0
"""What the SSH server of a host refuses, and settings of its kernel: two files, under the guard.

The SSH server takes the first value that it reads of an option, so the file sorts before those of others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ...base.system import STATE, SYSTEMCTL
from ...change import Change, Plan
from ...errors import HoldfastError
from ...host_io import IO
from ...kind import Arm

NAME = "hardening"
SSHD = "/etc/ssh/sshd_config.d/00-holdfast.conf"
SYSCTL = "/etc/sysctl.d/99-zz-holdfast-hardening.conf"

_SERVER = "/usr/sbin/sshd"
_SET = "/usr/sbin/sysctl"
_RELOAD = f"{SYSTEMCTL} try-reload-or-restart ssh.service"
_NOTE = "# Written by Holdfast, which replaces it: hardening_enabled.\n"


def rendered(wanted: dict[str, Any]) -> dict[str, str]:
    return {path: text for path, text in _files(wanted).items() if text is not None}


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    digests = {path: text and _digest(text) for path, text in _files(wanted).items()}
    return {"files": digests, "settings": sorted(wanted["sysctl"])}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{files: {path: True or text or None}, settings: {name: value or None}, pending}``.

    A file is True when it is as it should be. A setting is None when this kernel has none of the name.
    """
    files: dict[str, Any] = {}
    for path, digest in asked["files"].items():
        text = io.read_text(path)
        files[path] = True if text is not None and _digest(text) == digest else text
    return {
        "files": files,
        "settings": {name: _setting(io, name) for name in asked["settings"]},
        "pending": any(io.exists(f"{STATE}/guard/{NAME}/{state}") for state in ("pending", "undoing")),
    }


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    changes = []
    if current["pending"]:
        changes.append(Change(NAME, "undo", before="a change that was never confirmed", after="what was before it"))
    for path, text in _files(wanted).items():
        found = current["files"].get(path)
        if found is True or found == text:
            continue
        action = "delete" if text is None else "create" if found is None else "update"
        changes.append(Change(path, action, found or "", text or "", data={"path": path, "text": text}))
    for name, value in wanted["sysctl"].items():
        found = current["settings"].get(name)
        if found is not None and found != value:
            changes.append(Change(name, "set", found, value, data={"setting": name, "value": value, "former": found}))
    return Plan(tuple(changes))


def apply(io: IO, plan: Plan, arm: Arm) -> None:
    """Write the files and have them taken, under a guard that brings the former back if nobody confirms.

    Raises HoldfastError, with nothing changed, when the SSH server does not take its file.
    """
    written = {step.data["path"]: step.data["text"] for step in plan if "path" in step.data}
    settings = [step.data for step in plan if "setting" in step.data]
    if written.get(SSHD) is not None:
        _try(io, written[SSHD])
    former = [f"{_SET} --quiet --write {entry['setting']}='{entry['former']}'" for entry in settings]
    arm(paths=[SSHD, SYSCTL], undo=[*former, *([_RELOAD] if SSHD in written else [])])
    for path, text in written.items():
        if text is None:
            io.remove(path)
        else:
            io.write(path, text, mode="0644")
    for entry in settings:
        io.run([_SET, "--quiet", "--write", f"{entry['setting']}={entry['value']}"])
    if SSHD in written:
        io.run(_RELOAD.split())


def _try(io: IO, text: str) -> None:
    """Have the server read the file and what it had before."""
    if not io.exists(_SERVER):
        raise HoldfastError(f"{_SERVER} is missing. Fix: install openssh-server, or set hardening_enabled: false.")
    beside = f"{STATE}/sshd.new"
    main = io.read_text("/etc/ssh/sshd_config") or ""
    io.make_directory(STATE, mode="0700")
    io.write(beside, text + main, mode="0600")
    said = io.run([_SERVER, "-t", "-f", beside], check=False)
    io.remove(beside)
    if said.rc != 0:
        raise HoldfastError(f"The SSH server does not take {SSHD}, nothing was changed: {said.err.strip()[-300:]}")


def _files(wanted: Mapping[str, Any]) -> dict[str, str | None]:
    sshd = "".join(f"{option} {value}\n" for option, value in wanted["sshd"].items())
    sysctl = "".join(f"{name} = {value}\n" for name, value in sorted(wanted["sysctl"].items()))
    return {SSHD: _NOTE + sshd if sshd else None, SYSCTL: _NOTE + sysctl if sysctl else None}


def _setting(io: IO, name: str) -> str | None:
    # Names of interfaces may have a dot; with slashes the name is the path.
    path = name if "/" in name else name.replace(".", "/")
    text = io.read_text(f"/proc/sys/{path}")
    return None if text is None else " ".join(text.split())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
