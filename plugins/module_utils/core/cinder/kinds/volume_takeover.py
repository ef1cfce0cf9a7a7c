# SPDX-License-Identifier: Apache-2.0
"""Volumes of a cinder-volume that is dead for good, given to another by name. Nothing of the model asks for it.

A volume belongs to one service, ``host@back end``. Another takes it over only when somebody says so: two services that
manage one volume would destroy it. Volumes of a cluster need no takeover, as its members manage each other's.
"""

from __future__ import annotations

import json
from typing import Any

from ...change import Change, Plan
from ...errors import Finding, HoldfastError
from ...host_io import IO, Api

PAGE = 1000
MANAGE = "/usr/bin/cinder-manage"


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return dict(wanted)


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{services: {name: {state, cluster}}, volumes: [{id, name, size, status, place, cluster}], strangers}``.

    ``place`` is a service with its pool. ``strangers`` are volumes that the target's cluster should have taken in: a
    takeover before was interrupted. Raises HoldfastError when the volume API does not answer: then nobody can
    tell who is dead.
    """
    from . import volume_type

    credentials = io.read_text(asked["credentials"])
    if credentials is None:
        raise HoldfastError(f"{asked['credentials']} is missing. Fix: run this on the first host of cinder_api.")
    identity = io.openstack(json.loads(credentials))
    volumes = None
    try:
        state = identity.sign_in(known=True)
        volumes = volume_type.volumes_of(identity) if state == "present" else None
        if volumes is None:
            raise HoldfastError(
                f"The identity service gives no token ({state}: {identity.failure}), or has no volume service in its "
                "catalog. Fix: see `journalctl -u keystone` and `journalctl -u cinder-api`."
            )
        return {
            "services": {
                entry["host"]: {"state": entry["state"], "cluster": entry.get("cluster") or ""}
                for entry in volume_type.services_of(volumes)
            },
            "volumes": _volumes(volumes, asked["source"]),
            "strangers": sum(not volume["cluster"] for volume in _volumes(volumes, asked["target"])),
        }
    finally:
        identity.close()
        if volumes:
            volumes.close()


def _volumes(volumes: Api, source: str) -> list[dict[str, Any]]:
    from .volume_type import found_volumes

    found: list[dict[str, Any]] = []
    while True:
        marker = {"marker": found[-1]["id"]} if found else {}
        page = found_volumes(volumes, host=source, limit=str(PAGE), **marker)
        found += [
            {
                "id": entry["id"],
                "name": entry.get("name") or "",
                "size": entry["size"],
                "status": entry["status"],
                "place": entry["os-vol-host-attr:host"],
                "cluster": entry.get("cluster_name") or "",
            }
            for entry in page
        ]
        if len(page) < PAGE:
            return found


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    source, target, services = wanted["source"], wanted["target"], current["services"]
    findings = []

    def refuse(code: str, where: str, what: str, fix: str) -> None:
        findings.append(Finding("error", f"takeover.{code}", where, what, fix))

    moving = [volume for volume in current["volumes"] if not volume["cluster"]]
    if source == target:
        refuse("same", source, "It would take over from itself.", "Name two services.")
    if services.get(source, {}).get("state") == "up":
        refuse(
            "alive",
            source,
            "The service is up: two that manage one volume would destroy it.",
            "Stop it there for good (systemctl disable --now cinder-volume), and wait a minute.",
        )
    if target not in services:
        known = ", ".join(sorted(name for name, service in services.items() if service["state"] == "up"))
        refuse("unknown", target, "There is no such service.", f"Name one of those that are up: {known or 'none is'}.")
    elif services[target]["state"] != "up":
        refuse("down", target, "The service is down, so it could not take them over.", "Start it first.")
    changes = [
        Change(
            f"volume {volume['id']}",
            "move",
            f"{volume['place']}",
            f"{_moved(volume['place'], target)}",
            data={"place": volume["place"], "target": target},
        )
        for volume in moving
    ]
    return Plan(changes, findings)


def _moved(place: str, target: str) -> str:
    """The target with the volume's own pool; a pool that is named as its back end is named as the new one."""
    service, has_pool, pool = place.partition("#")
    if not has_pool:
        return target
    return f"{target}#{target.partition('@')[2] if pool == service.partition('@')[2] else pool}"


def apply(io: IO, plan: Plan) -> None:
    """Pool by pool, as cinder-manage does; killed in between, the rest is left for the next run."""
    for place, target in dict.fromkeys((change.data["place"], change.data["target"]) for change in plan):
        argv = [MANAGE, "volume", "update_host", "--currenthost", place, "--newhost", _moved(place, target)]
        io.run(argv, user="cinder", timeout=600)
    io.run([MANAGE, "volume", "update_service"], user="cinder", timeout=600)


def result(current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The volumes that move, how many are a cluster's and need not, and the cluster of the target."""
    moving = [
        {**{name: volume[name] for name in ("id", "name", "size", "status")}, "from": volume["place"]}
        for volume in current["volumes"]
        if not volume["cluster"]
    ]
    cluster = current["services"].get(wanted["target"], {}).get("cluster", "")
    return {
        "volumes": moving,
        "clustered": len(current["volumes"]) - len(moving),
        "cluster": cluster,
        "enter": bool(cluster and (moving or current["strangers"])),
    }
