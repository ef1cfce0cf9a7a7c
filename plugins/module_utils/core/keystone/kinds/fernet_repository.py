# SPDX-License-Identifier: Apache-2.0
"""Keystone's key repositories: directories in which each file is a key and its name the key's number.

The keys are one of the deployment's secrets, so that every identity host has the same ones without copying from
another, and a lost host loses none. Keystone reads the files at each use: nothing is restarted. It cannot write them.
"""

from __future__ import annotations

import hashlib
from typing import Any

from ...change import Change, Plan
from ...host_io import IO

GROUP = "keystone"


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"paths": [repository["path"] for repository in wanted["repositories"]]}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{path: {access, keys: {number: {sha256, access}}} or None}``; access is owner, group and mode."""
    current: dict[str, Any] = {}
    for path in asked["paths"]:
        found = io.stat(path)
        if not found or found["type"] != "directory":
            current[path] = None
            continue
        numbers = [name for name in io.listdir(path) if name.isdigit()]
        files = {name: {"sha256": io.digest(f"{path}/{name}"), "access": _access(io, path, name)} for name in numbers}
        current[path] = {"access": _access(io, path), "keys": files}
    return current


def _access(io: IO, *parts: str) -> str:
    found = io.stat("/".join(parts)) or {}
    return f"{found.get('owner')}:{found.get('group')} {found.get('mode')}"


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """The primary first and the staged key last: at no moment is there a key missing that another host signs with."""
    changes = []
    for repository in wanted["repositories"]:
        path, group = repository["path"], repository.get("group") or GROUP
        found = current.get(path)
        access = f"root:{group} 0750"
        if found is None or found["access"] != access:
            before = found["access"] if found else ""
            action = "update" if found else "create"
            changes.append(Change(path, action, before, access, data={"path": path, "group": group}))
        held = found["keys"] if found else {}
        for number, key in sorted(repository["keys"].items(), key=lambda item: -int(item[0])):
            now = held.get(number)
            digest, access = hashlib.sha256(key.encode()).hexdigest(), f"root:{group} 0640"
            if now == {"sha256": digest, "access": access}:
                continue
            data = {"path": f"{path}/{number}", "group": group, "key": key}
            before = f"key {now['sha256'][:12]}, {now['access']}" if now else ""
            after = f"key {digest[:12]}, {access}"
            changes.append(Change(f"{path}/{number}", "update" if now else "create", before, after, data=data))
        for number in sorted(set(held) - set(repository["keys"]), key=int):
            before = f"key {held[number]['sha256'][:12]}"
            changes.append(Change(f"{path}/{number}", "delete", before, data={"path": f"{path}/{number}"}))
    return Plan(changes)


def apply(io: IO, plan: Plan) -> None:
    for change in plan:
        data = change.data
        if change.action == "delete":
            io.remove(data["path"])
        elif "key" in data:
            io.write(data["path"], data["key"], mode="0640", group=data["group"])
        else:
            io.make_directory(data["path"], mode="0750", group=data["group"])
