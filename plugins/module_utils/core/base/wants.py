# SPDX-License-Identifier: Apache-2.0
"""What every service is made of: what a host should have of each kind. See ``subject.Wants``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ..description.services import Services
from ..model import Host, Model


def file(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{files: [{path, state, content, secret, owner, group, mode, target}]}``, directories before what is in them.

    What several components of a host have in common is there once.
    """
    files: list[dict[str, Any]] = []
    for component in services.components(host):
        for directory in component.get("directories", ()):
            files.append({"owner": "root", "group": "root", "mode": "0755", **directory, "state": "directory"})
        files += component["files"]
    files = list({(entry["path"], repr(entry)): entry for entry in files}.values())
    return {"files": files} if files else {}


def unit(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{units: [{name, enabled, state, inputs: [{path, sha256}], packages, listens, reload, reload_packages}]}``.

    A unit's inputs are the files of its component, with the digest they will have, and ``inputs`` that others write
    (certificates), whose digest is whatever stands on the host.
    """
    units = []
    for component in services.components(host):
        written = {
            entry["path"]: hashlib.sha256(entry["content"].encode()).hexdigest()
            for entry in component["files"]
            if "content" in entry
        }
        for unit in component.get("units", ()):
            only = unit.get("files")
            inputs = {path: digest for path, digest in written.items() if only is None or path in only}
            inputs.update({path: inputs.get(path) for path in unit.get("inputs", ())})
            units.append(
                {
                    "name": unit["name"],
                    "state": unit.get("state", "started"),
                    "enabled": unit.get("enabled", unit.get("state", "started") == "started"),
                    "inputs": [{"path": path, "sha256": digest} for path, digest in sorted(inputs.items())],
                    "packages": sorted(unit.get("packages", component.get("packages", ()))),
                    "listens": unit.get("listens", []),
                    "reload": bool(unit.get("reload", False)),
                    "reload_packages": bool(unit.get("reload_packages", False)),
                }
            )
    # A unit that several components of a host have in common is there once.
    units = list({json.dumps(unit): unit for unit in units}.values())
    return {"units": units} if units else {}


def package(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{packages: [name]}``, sorted."""
    names = {name for component in services.components(host) for name in component.get("packages", ())}
    return {"packages": sorted(names)} if names else {}


def migration(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{migrations: [{name, argv, user, packages, environment}]}`` of the phase, on the first host of its group."""
    migrations = []
    for description, entries in services.entries("migrations"):
        for entry in entries:
            phase = entry.get("phase", description.phase)
            if phase == services.phase and model.group(entry["group"])[:1] == (host,):
                migrations.append({name: value for name, value in entry.items() if name not in ("group", "phase")})
    return {"migrations": migrations} if migrations else {}


def platform(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{host, memory_mib, disk_mib}``: the least that the host must have."""
    return {
        "host": host.name,
        "memory_mib": host.variables["holdfast_minimum_memory_mib"],
        "disk_mib": host.variables["holdfast_minimum_disk_mib"],
    }
