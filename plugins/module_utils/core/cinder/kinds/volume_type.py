# SPDX-License-Identifier: Apache-2.0
"""What the volume service offers: volume types, their limits (QoS), quotas; and which back ends it no longer has.

Read and changed as one batch over one connection with one token, on the first host of the volume API, where a file of
root's holds how to sign in. Types that are not named are left alone; of those that are named every extra spec is what
it should be, also none. A back end that went from the model is forgotten, and refused while volumes are on it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ...base.system import STATE
from ...change import Change, Plan, is_wait, wait_for
from ...errors import Finding, HoldfastError
from ...host_io import IO, Api

CREDENTIALS = "/etc/holdfast/volume.json"
MADE = f"{STATE}/volume_types.made"
SERVICE_TYPES = ("block-storage", "volumev3")
# The first version in which a volume tells its cluster.
VERSION = {"OpenStack-API-Version": "volume 3.61"}
# The last one in which the API does not ask the scheduler, which may be silent, before it tells the services.
SERVICES_VERSION = {"OpenStack-API-Version": "volume 3.48"}
WAIT_SECONDS = 90
BACKEND_SECONDS = 600
"""Within which a back end tells the scheduler what room it has, after its start."""
ENTRY_SECONDS = 120
"""Within which a cinder-volume that starts enters itself. One that does not is left alone: a run may leave it out."""
LIMIT = 1000


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    """With the extra specs, as only of types whose specs differ is it asked whether they are in use."""
    return {
        "credentials": wanted.get("credentials") or CREDENTIALS,
        "extra_specs": {
            entry["name"]: _texts(entry.get("extra_specs") or {}) for entry in _present(wanted["volume_types"])
        },
        "backends": wanted.get("backends"),
        "clusters": wanted.get("clusters") or [],
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{state, made, types: {name: {id, description, public, extra_specs, qos, in_use}}, qos: {name: {id, consumer,
    specs}}, quotas: {name: number}, former: {back end: volumes}}``.

    ``state`` is ``absent`` where nothing answers; ``made`` is whether all was there once. ``former`` are services of
    back ends that are not named, with the number of volumes, up to 1000, that nobody else manages.
    """
    nothing: dict[str, Any] = {"state": "absent", "types": {}, "qos": {}, "quotas": {}, "former": {}}
    nothing["made"] = io.exists(MADE)
    credentials = io.read_text(asked["credentials"])
    if credentials is None:
        return nothing
    identity = io.openstack(json.loads(credentials))
    volumes = None
    try:
        is_in = identity.sign_in(known=True) == "present"
        if not is_in or (volumes := volumes_of(identity)) is None or not _answers(volumes):
            return nothing
        return {**nothing, "state": "present", **_read(volumes, asked)}
    finally:
        identity.close()
        if volumes:
            volumes.close()


def volumes_of(identity: Api) -> Api | None:
    """The volume API with the identity service's token; None when the catalog has none."""
    return identity.service(*SERVICE_TYPES, title="The volume service", headers=VERSION)


def _answers(volumes: Api) -> bool:
    status, _, _ = volumes.request("GET", "/types?limit=1")
    return status == 200


def _read(volumes: Api, asked: dict[str, Any]) -> dict[str, Any]:
    limits = {entry["id"]: entry for entry in volumes.call("GET", "/qos-specs")["qos_specs"]}
    types = {}
    for entry in volumes.call("GET", f"/types?is_public=None&limit={LIMIT}")["volume_types"]:
        types[entry["name"]] = found = {
            "id": entry["id"],
            "description": entry.get("description") or "",
            "public": entry.get("is_public", entry.get("os-volume-type-access:is_public", True)),
            "extra_specs": entry.get("extra_specs") or {},
            "qos": limits.get(entry.get("qos_specs_id"), {}).get("name", ""),
            "in_use": False,
        }
        wanted = asked["extra_specs"].get(entry["name"])
        if wanted is not None and wanted != found["extra_specs"]:
            found["in_use"] = bool(found_volumes(volumes, volume_type_id=entry["id"], limit="1"))
    return {
        "types": types,
        "qos": {
            entry["name"]: {"id": id, "consumer": entry["consumer"], "specs": entry["specs"]}
            for id, entry in limits.items()
        },
        "quotas": volumes.call("GET", "/os-quota-class-sets/default")["quota_class_set"],
        "former": dict(_former(volumes, asked)) if asked["backends"] is not None else {},
    }


def _former(volumes: Api, asked: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for service in services_of(volumes):
        name = service["host"]
        if name not in asked["backends"]:
            held = found_volumes(volumes, host=name, limit=str(LIMIT))
            yield name, sum(not _is_elsewhere(volume, asked["clusters"]) for volume in held)


def found_volumes(volumes: Api, **query: str) -> list[dict[str, Any]]:
    """One page of the volumes of all projects that match."""
    from urllib.parse import urlencode

    path = f"/volumes/detail?{urlencode({'all_tenants': '1', **query})}"
    found: list[dict[str, Any]] = volumes.call("GET", path)["volumes"]
    return found


def _is_elsewhere(volume: Mapping[str, Any], clusters: list[str]) -> bool:
    """Whether the other members of a cluster manage it as well."""
    return str(volume.get("cluster_name") or "").partition("#")[0] in clusters


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """Limits before the types that have them, quotas after; what is removed goes the other way round."""
    if current["state"] == "absent" and current["made"]:
        return Plan([wait_for("the volume service", "its API is silent.", wanted=wanted)])
    return Plan(tuple(_changes(current, wanted)), tuple(_findings(current, wanted)))


def _findings(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Finding]:
    for name, held in current["former"].items():
        if held:
            count = f"{held} or more" if held >= LIMIT else str(held)
            yield Finding(
                "error",
                "cinder.backend-in-use",
                name,
                f"The back end is not in cinder_backends of a host in cinder_volume any more; volumes on it: {count}.",
                "Put it back; or let another take its volumes over by playbooks/cinder_takeover.yml, retype or delete "
                "them first.",
            )
    for entry in _present(wanted["volume_types"]):
        found, specs = current["types"].get(entry["name"]), _texts(entry.get("extra_specs") or {})
        if found and found["in_use"] and found["extra_specs"] != specs:
            yield Finding(
                "error",
                "cinder.type-in-use",
                f"volume type {entry['name']}",
                f"Its extra specs are {_shown(found['extra_specs'])} and should be {_shown(specs)}, and volumes have "
                "the type: the volume service does not change what they were made by.",
                "Describe a type with another name, and retype the volumes.",
            )


def _changes(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Change]:
    shared = {"wanted": wanted}
    used = {entry["name"]: entry.get("qos") or "" for entry in _present(wanted["volume_types"])}
    for entry in wanted.get("qos_specs") or ():
        if entry.get("state") != "absent":
            yield from _limit(current["qos"].get(entry["name"]), entry, shared)
    for entry in wanted["volume_types"]:
        found = current["types"].get(entry["name"])
        if entry.get("state") == "absent":
            if found:
                yield Change(f"volume type {entry['name']}", "delete", _lines(found), data={**shared, "entry": entry})
            continue
        yield from _type(found, entry, shared)
    for name in current["types"]:
        # Limits that Holdfast made bear the name of their type; they go when the model has none for it.
        if name in used and not used[name] and name in current["qos"]:
            entry = {"name": name}
            yield Change(f"limits {name}", "delete", _lines(current["qos"][name]), data={**shared, "entry": entry})
    for entry in wanted.get("qos_specs") or ():
        if entry.get("state") == "absent" and entry["name"] in current["qos"]:
            before = _lines(current["qos"][entry["name"]])
            yield Change(f"limits {entry['name']}", "delete", before, data={**shared, "entry": entry})
    quotas = {
        name: value for name, value in (wanted.get("quotas") or {}).items() if current["quotas"].get(name) != value
    }
    if quotas:
        former = {name: current["quotas"].get(name) for name in quotas}
        data = {**shared, "body": quotas}
        yield Change("quotas", "update", _lines(former), _lines(quotas), data=data)
    for name, held in current["former"].items():
        if not held:
            yield Change(
                f"back end {name}", "forget", "not in the model, without volumes", data={**shared, "host": name}
            )


def _limit(found: Mapping[str, Any] | None, entry: Mapping[str, Any], shared: dict[str, Any]) -> Iterator[Change]:
    subject = f"limits {entry['name']}"
    body = {"consumer": entry.get("consumer") or "front-end", **_texts(entry["specs"])}
    data = {**shared, "entry": entry, "body": body}
    if not found:
        yield Change(subject, "create", after=_lines(body), data=data)
        return
    now = {"consumer": found["consumer"], **found["specs"]}
    gone = sorted(set(now) - set(body))
    if now != body:
        yield Change(subject, "update", _lines(now), _lines(body), data={**data, "gone": gone})


def _type(found: Mapping[str, Any] | None, entry: Mapping[str, Any], shared: dict[str, Any]) -> Iterator[Change]:
    wanted = {
        "description": entry.get("description") or "",
        "public": entry.get("public") is not False,
        "qos": entry.get("qos") or "",
        "extra_specs": _texts(entry.get("extra_specs") or {}),
    }
    subject, data = f"volume type {entry['name']}", {**shared, "entry": entry, "body": wanted}
    if not found:
        yield Change(subject, "create", after=_lines(wanted), data=data)
        return
    differing = {name: value for name, value in wanted.items() if found[name] != value}
    if differing:
        before = {name: found[name] for name in differing}
        yield Change(subject, "update", _lines(before), _lines(differing), data={**data, "differing": differing})


def _present(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (entry for entry in entries if entry.get("state") != "absent")


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}


def _shown(specs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(specs.items())) or "none"


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(
        f"{name}: {_shown(value) if isinstance(value, Mapping) else value}"
        for name, value in values.items()
        if name not in ("id", "in_use") and value not in ("", None, {})
    )


def apply(io: IO, plan: Plan) -> None:
    """The API may just have been started: waits for it, and does what then still differs.

    At the end volumes can be made: until a back end told the scheduler of itself, each one asked for would be an error.
    """
    wanted = plan.changes[0].data["wanted"]
    asked = question(wanted)
    access = json.loads(io.read_text(asked["credentials"]) or "null")
    if access is None:
        raise HoldfastError(f"{asked['credentials']} is missing. Fix: apply the files of the role cinder first.")
    identity = io.openstack(access)
    volumes = _wait(identity)
    try:
        if is_wait(plan):
            return
        current = _read(volumes, asked)
        refused = tuple(_findings(current, wanted))
        if refused:
            raise HoldfastError(" ".join(map(str, refused)), refused)
        for change in _changes(current, wanted):
            _do(io, volumes, current, change)
        _wait_for_backends(volumes, wanted.get("backends") or [], wanted.get("clusters") or [])
        io.write(MADE, "", mode="0600")
    finally:
        identity.close()
        volumes.close()


def _wait(identity: Api) -> Api:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        state = identity.sign_in()
        volumes = volumes_of(identity) if state == "present" else None
        if volumes and _answers(volumes):
            return volumes
        if time.monotonic() > deadline:
            why = f"answers {volumes.failure}" if volumes else f"has no place in the catalog; sign-in: {state}"
            raise HoldfastError(
                f"The volume API {why} after {WAIT_SECONDS} s. Fix: see `journalctl -u cinder-api` and "
                "`journalctl -u haproxy` on its hosts, and run again."
            )
        time.sleep(0.5)


def _wait_for_backends(volumes: Api, backends: list[str], clusters: list[str]) -> None:
    """The names are those of ``block.services`` and ``block.clusters``; members of a cluster go by the latter."""
    began = time.monotonic()
    while True:
        waited = time.monotonic() - began
        pools = [pool["name"].partition("#")[0] for pool in volumes.call("GET", "/scheduler-stats/get_pools")["pools"]]
        clustered = {name.partition("@")[2] for name in pools if name in clusters}
        unknown = [name for name in backends if name not in pools and name.partition("@")[2] not in clustered]
        if unknown and waited > ENTRY_SECONDS:
            entered = [entry["host"] for entry in services_of(volumes)]
            unknown = [name for name in unknown if name in entered]
        if not unknown:
            return
        if waited > BACKEND_SECONDS:
            raise HoldfastError(
                f"The volume scheduler does not know {', '.join(unknown)} after {BACKEND_SECONDS} s: no volume can be "
                "made there. Fix: see `journalctl -u '*cinder-volume*'` on the host before the @, and run again."
            )
        time.sleep(2)


def services_of(volumes: Api) -> list[dict[str, Any]]:
    """All that runs cinder-volume: ``[{host, state, cluster, ...}]``."""
    path = "/os-services?binary=cinder-volume"
    found: list[dict[str, Any]] = volumes.call("GET", path, headers=SERVICES_VERSION)["services"]
    return found


def _do(io: IO, volumes: Api, current: dict[str, Any], change: Change) -> None:
    data = change.data
    if change.action == "forget":
        argv = ["/usr/bin/cinder-manage", "service", "remove", "cinder-volume", data["host"]]
        io.run(argv, user="cinder", timeout=120)
    elif change.subject == "quotas":
        volumes.call("PUT", "/os-quota-class-sets/default", {"quota_class_set": data["body"]})
    elif change.subject.startswith("limits "):
        _do_limit(volumes, current, change.action, data)
    else:
        _do_type(volumes, current, change.action, data)


def _do_limit(volumes: Api, current: dict[str, Any], action: str, data: Mapping[str, Any]) -> None:
    name = data["entry"]["name"]
    if action == "create":
        made = volumes.call("POST", "/qos-specs", {"qos_specs": {"name": name, **data["body"]}})["qos_specs"]
        current["qos"][name] = {"id": made["id"]}
        return
    path = f"/qos-specs/{current['qos'][name]['id']}"
    if action == "delete":
        volumes.call("GET", f"{path}/disassociate_all")
        volumes.call("DELETE", path)
        return
    if data["gone"]:
        volumes.call("PUT", f"{path}/delete_keys", {"keys": data["gone"]})
    volumes.call("PUT", path, {"qos_specs": data["body"]})


def _do_type(volumes: Api, current: dict[str, Any], action: str, data: Mapping[str, Any]) -> None:
    entry = data["entry"]
    found = current["types"].get(entry["name"])
    if action == "delete":
        volumes.call("DELETE", f"/types/{found['id']}")
        return
    body = data["body"]
    told = {"name": entry["name"], "description": body["description"]}
    if action == "create":
        told = {**told, "os-volume-type-access:is_public": body["public"], "extra_specs": body["extra_specs"]}
        id = volumes.call("POST", "/types", {"volume_type": told})["volume_type"]["id"]
        differing = {"qos": body["qos"]} if body["qos"] else {}
        found = {"id": id, "qos": "", "extra_specs": body["extra_specs"]}
    else:
        id, differing = found["id"], data["differing"]
        if differing.keys() & {"description", "public"}:
            volumes.call("PUT", f"/types/{id}", {"volume_type": {**told, "is_public": body["public"]}})
    if "extra_specs" in differing:
        for name in sorted(set(found["extra_specs"]) - set(body["extra_specs"])):
            volumes.call("DELETE", f"/types/{id}/extra_specs/{name}")
        if body["extra_specs"]:
            volumes.call("POST", f"/types/{id}/extra_specs", {"extra_specs": body["extra_specs"]})
    if "qos" in differing:
        if found["qos"]:
            volumes.call("GET", f"/qos-specs/{current['qos'][found['qos']]['id']}/disassociate?vol_type_id={id}")
        if body["qos"]:
            volumes.call("GET", f"/qos-specs/{current['qos'][body['qos']]['id']}/associate?vol_type_id={id}")
