# SPDX-License-Identifier: Apache-2.0
"""What the compute service offers: flavors, aggregates with their hosts and zones, quotas; and which hosts it knows.

Read and changed as one batch over one connection with one token, on the first host of the compute API, where a file of
root's holds how to sign in. Flavors and aggregates that are not named are left alone. A flavor cannot be changed in its
size: it is made anew under its name, and instances keep what they have.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ...base.system import STATE, record, recorded
from ...change import Change, Plan, is_wait, wait_for
from ...errors import HoldfastError
from ...host_io import IO, Api
from .nova_cell import MANAGE

CREDENTIALS = "/etc/holdfast/compute.json"
MADE = f"{STATE}/flavors.made"
KNOWN = f"{STATE}/compute_hosts.json"
"""The hosts that were entered into the cell: of those no run asks again."""
# The last one in which hosts are listed without asking each for its uptime; flavors show extra specs from 2.61 on.
VERSION = {"OpenStack-API-Version": "compute 2.87"}
WAIT_SECONDS = 180
HOST_SECONDS = 300
"""Within which a compute host that starts has entered itself. An emulated one is slow."""
SIZES = {"vcpus": "vcpus", "memory_mb": "ram", "disk_gb": "disk", "ephemeral_gb": "OS-FLV-EXT-DATA:ephemeral",
         "swap_mb": "swap"}  # fmt: skip
ZONE = "availability_zone"


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"credentials": wanted.get("credentials") or CREDENTIALS, "hosts": wanted.get("hosts") or []}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{state, made, flavors: {name: ...}, aggregates: {name: ...}, quotas: {name: number}, unknown: [host]}``.

    ``state`` is ``absent`` where nothing answers; ``made`` is whether all was there once. ``unknown`` are the hosts
    that are not in the cell.
    """
    nothing: dict[str, Any] = {"state": "absent", "flavors": {}, "aggregates": {}, "quotas": {}}
    nothing |= {"made": io.exists(MADE), "unknown": list(asked["hosts"])}
    credentials = io.read_text(asked["credentials"])
    if credentials is None:
        return nothing
    identity = io.openstack(json.loads(credentials))
    compute = None
    try:
        is_in = identity.sign_in(known=True) == "present"
        if not is_in or (compute := compute_of(identity)) is None or not _answers(compute):
            return nothing
        return {**nothing, "state": "present", **_read(io, compute, asked)}
    finally:
        identity.close()
        if compute:
            compute.close()


def compute_of(identity: Api) -> Api | None:
    """The compute API with the identity service's token; None when the catalog has none."""
    return identity.service("compute", title="The compute service", headers=VERSION)


def _answers(compute: Api) -> bool:
    return compute.request("GET", "/flavors?limit=1")[0] == 200


def _read(io: IO, compute: Api, asked: dict[str, Any]) -> dict[str, Any]:
    flavors = {}
    for entry in compute.call("GET", "/flavors/detail?is_public=None&limit=1000")["flavors"]:
        flavors[entry["name"]] = {
            "id": entry["id"],
            **{name: int(entry.get(theirs) or 0) for name, theirs in SIZES.items()},
            "public": entry.get("os-flavor-access:is_public", True),
            "description": entry.get("description") or "",
            "extra_specs": entry.get("extra_specs") or {},
        }
    aggregates = {}
    for entry in compute.call("GET", "/os-aggregates")["aggregates"]:
        metadata = {name: value for name, value in entry["metadata"].items() if name != ZONE}
        zone = entry.get(ZONE) or ""
        aggregates[entry["name"]] = {
            "id": entry["id"],
            ZONE: zone,
            "metadata": metadata,
            "hosts": sorted(entry["hosts"]),
        }
    known = recorded(io, KNOWN) or []
    unknown = [name for name in asked["hosts"] if name not in known]
    return {
        "flavors": flavors,
        "aggregates": aggregates,
        "quotas": compute.call("GET", "/os-quota-class-sets/default")["quota_class_set"],
        "unknown": [name for name in unknown if name not in _mapped(compute)] if unknown else [],
    }


def _mapped(compute: Api) -> set[str]:
    """The hosts that are in a cell: of others nothing is listed."""
    listed = compute.call("GET", "/os-hypervisors/detail")["hypervisors"]
    return {str(entry["service"]["host"]) for entry in listed}


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """Hosts first: an aggregate takes none that is in no cell."""
    if current["state"] == "absent" and current["made"]:
        return Plan([wait_for("the compute service", "its API is silent.", wanted=wanted)])
    return Plan(tuple(_changes(current, wanted)))


def _changes(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Change]:
    shared = {"wanted": wanted}
    if current["unknown"]:
        hosts = list(current["unknown"])
        yield Change("compute hosts", "enter", after="\n".join(hosts), data={**shared, "hosts": hosts})
    for entry in wanted.get("flavors") or ():
        yield from _flavor(current["flavors"].get(entry["name"]), entry, shared)
    for entry in wanted.get("aggregates") or ():
        yield from _aggregate(current["aggregates"].get(entry["name"]), entry, shared)
    quotas = {
        name: value for name, value in (wanted.get("quotas") or {}).items() if current["quotas"].get(name) != value
    }
    if quotas:
        former = {name: current["quotas"].get(name) for name in quotas}
        yield Change("quotas", "update", _lines(former), _lines(quotas), data={**shared, "body": quotas})


def _flavor(found: Mapping[str, Any] | None, entry: Mapping[str, Any], shared: dict[str, Any]) -> Iterator[Change]:
    subject = f"flavor {entry['name']}"
    if entry.get("state") == "absent":
        if found:
            yield Change(subject, "delete", _lines(found), data={**shared, "id": found["id"]})
        return
    wanted = {
        **{name: int(entry.get(name) or 0) for name in SIZES},
        "public": entry.get("public") is not False,
        "description": entry.get("description") or "",
        "extra_specs": {str(name): str(value) for name, value in (entry.get("extra_specs") or {}).items()},
    }
    data = {**shared, "name": entry["name"], "body": wanted, "id": found["id"] if found else None}
    if not found:
        yield Change(subject, "create", after=_lines(wanted), data=data)
        return
    differing = {name: value for name, value in wanted.items() if found[name] != value}
    if differing:
        action = "replace" if differing.keys() & {*SIZES, "public"} else "update"
        before = {name: found[name] for name in differing}
        yield Change(
            subject,
            action,
            _lines(before),
            _lines(differing),
            data={**data, "found": dict(found), "differing": differing},
        )


def _aggregate(found: Mapping[str, Any] | None, entry: Mapping[str, Any], shared: dict[str, Any]) -> Iterator[Change]:
    subject = f"aggregate {entry['name']}"
    if entry.get("state") == "absent":
        if found:
            yield Change(subject, "delete", _lines(found), data={**shared, "found": dict(found)})
        return
    wanted = {
        ZONE: entry.get(ZONE) or "",
        "metadata": {str(name): str(value) for name, value in (entry.get("metadata") or {}).items()},
        "hosts": sorted(entry["hosts"]),
    }
    data = {**shared, "name": entry["name"], "body": wanted, "found": dict(found) if found else None}
    if not found:
        yield Change(subject, "create", after=_lines(wanted), data=data)
        return
    differing = {name: value for name, value in wanted.items() if found[name] != value}
    if differing:
        before = {name: found[name] for name in differing}
        yield Change(subject, "update", _lines(before), _lines(differing), data=data)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={each}" for name, each in sorted(value.items())) or "none"
    return ", ".join(value) if isinstance(value, (list, tuple)) else str(value)


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {_shown(value)}" for name, value in values.items() if name != "id" and value != "")


def apply(io: IO, plan: Plan) -> None:
    """The API may just have been started: waits for it, and does what then still differs."""
    wanted = plan.changes[0].data["wanted"]
    asked = question(wanted)
    access = json.loads(io.read_text(asked["credentials"]) or "null")
    if access is None:
        raise HoldfastError(f"{asked['credentials']} is missing. Fix: apply the files of the role nova first.")
    identity = io.openstack(access)
    compute = _wait(identity)
    try:
        if is_wait(plan):
            return
        current = _read(io, compute, asked)
        for change in _changes(current, wanted):
            if change.action == "enter":
                _enter(io, compute, change.data["hosts"])
            elif change.subject == "quotas":
                compute.call("PUT", "/os-quota-class-sets/default", {"quota_class_set": change.data["body"]})
            elif change.subject.startswith("flavor "):
                _do_flavor(compute, change.action, change.data)
            else:
                _do_aggregate(compute, change.action, change.data)
        record(io, KNOWN, asked["hosts"])
        io.write(MADE, "", mode="0600")
    finally:
        identity.close()
        compute.close()


def _wait(identity: Api) -> Api:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        state = identity.sign_in()
        compute = compute_of(identity) if state == "present" else None
        if compute and _answers(compute):
            return compute
        if time.monotonic() > deadline:
            why = f"answers {compute.failure}" if compute else f"has no place in the catalog; sign-in: {state}"
            raise HoldfastError(
                f"The compute API {why} after {WAIT_SECONDS} s. Fix: see `journalctl -u nova-api` and "
                "`journalctl -u haproxy` on its hosts, and run again."
            )
        time.sleep(0.5)


def _enter(io: IO, compute: Api, hosts: list[str]) -> None:
    """Enter hosts into the cell, when each has told of itself. A service may say that it runs, and end."""
    deadline = time.monotonic() + HOST_SECONDS
    while True:
        listed = compute.call("GET", "/os-services?binary=nova-compute")["services"]
        silent = [name for name in hosts if name not in {entry["host"] for entry in listed if entry["state"] == "up"}]
        if not silent:
            break
        if time.monotonic() > deadline:
            raise HoldfastError(
                f"{', '.join(silent)}: nova-compute has not told of itself after {HOST_SECONDS} s. Fix: see "
                "`journalctl -u nova-compute` and `journalctl -u libvirtd` there, and run again."
            )
        time.sleep(1)
    while missing := sorted(set(hosts) - _mapped(compute)):
        if time.monotonic() > deadline:
            raise HoldfastError(
                f"{', '.join(missing)}: nova-compute runs, and no cell has the host. Fix: see what "
                "`nova-manage cell_v2 discover_hosts --verbose` says, and run again."
            )
        io.run([MANAGE, "cell_v2", "discover_hosts"], user="nova", timeout=HOST_SECONDS)


def _do_flavor(compute: Api, action: str, data: Mapping[str, Any]) -> None:
    if action in ("delete", "replace"):
        compute.call("DELETE", f"/flavors/{data['id']}")
    if action == "delete":
        return
    body, id = data["body"], data["id"]
    if action in ("create", "replace"):
        told = {
            "name": data["name"],
            **{theirs: body[name] for name, theirs in SIZES.items()},
            "os-flavor-access:is_public": body["public"],
            **({"description": body["description"]} if body["description"] else {}),
        }
        id = compute.call("POST", "/flavors", {"flavor": told})["flavor"]["id"]
        gone: list[str] = []
    else:
        if "description" in data["differing"]:
            compute.call("PUT", f"/flavors/{id}", {"flavor": {"description": body["description"] or None}})
        gone = sorted(set(data["found"]["extra_specs"]) - set(body["extra_specs"]))
    for name in gone:
        compute.call("DELETE", f"/flavors/{id}/os-extra_specs/{name}")
    if body["extra_specs"]:
        compute.call("POST", f"/flavors/{id}/os-extra_specs", {"extra_specs": body["extra_specs"]})


def _do_aggregate(compute: Api, action: str, data: Mapping[str, Any]) -> None:
    found = data["found"]
    if action == "delete":
        for host in found["hosts"]:
            _act(compute, found["id"], remove_host={"host": host})
        compute.call("DELETE", f"/os-aggregates/{found['id']}")
        return
    body = data["body"]
    if not found:
        told = {"name": data["name"], **({ZONE: body[ZONE]} if body[ZONE] else {})}
        id = compute.call("POST", "/os-aggregates", {"aggregate": told})["aggregate"]["id"]
        found = {"id": id, ZONE: body[ZONE], "metadata": {}, "hosts": []}
    for host in sorted(set(found["hosts"]) - set(body["hosts"])):
        _act(compute, found["id"], remove_host={"host": host})
    metadata = {**dict.fromkeys(found["metadata"]), **body["metadata"]}
    if found[ZONE] != body[ZONE]:
        metadata[ZONE] = body[ZONE] or None
    if metadata and (found["metadata"] != body["metadata"] or ZONE in metadata):
        _act(compute, found["id"], set_metadata={"metadata": metadata})
    for host in sorted(set(body["hosts"]) - set(found["hosts"])):
        _act(compute, found["id"], add_host={"host": host})


def _act(compute: Api, aggregate: int, **action: Any) -> None:
    compute.call("POST", f"/os-aggregates/{aggregate}/action", action)
