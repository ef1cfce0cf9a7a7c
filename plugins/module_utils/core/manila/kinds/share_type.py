# SPDX-License-Identifier: Apache-2.0
"""What the service of shared file systems offers: share types, types of groups of shares, quotas.

Read and changed as one batch over one connection with one token, on the first host of the API, where a file of root's
holds how to sign in. Types that are not named are left alone; of those that are named every extra spec is what it
should be, also none. A back end that went from the model while shares are on it is refused.
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

CREDENTIALS = "/etc/holdfast/share.json"
MADE = f"{STATE}/share_types.made"
SERVICE_TYPES = ("shared-file-system", "sharev2")
# The last version of the release: share groups and all quotas are in it.
VERSION = {"X-OpenStack-Manila-API-Version": "2.80"}
WAIT_SECONDS = 90
BACKEND_SECONDS = 600
"""Within which a back end tells the scheduler what room it has, after its start."""
ENTRY_SECONDS = 120
"""Within which a manila-share that starts enters itself. One that does not is left alone: a run may leave it out."""
LIMIT = 1000
_PUBLIC = "share_type_access:is_public"


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"credentials": wanted.get("credentials") or CREDENTIALS, "backends": wanted.get("backends")}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{state, made, types: {name: {id, description, public, extra_specs}}, groups: {name: {id, public, share_types,
    group_specs}}, quotas: {name: number}, former: {back end: shares}}``.

    ``state`` is ``absent`` where nothing answers; ``made`` is whether all was there once. ``former`` are back ends that
    are not named, with the number of their shares, up to 1000.
    """
    nothing: dict[str, Any] = {"state": "absent", "types": {}, "groups": {}, "quotas": {}, "former": {}}
    nothing["made"] = io.exists(MADE)
    credentials = io.read_text(asked["credentials"])
    if credentials is None:
        return nothing
    identity = io.openstack(json.loads(credentials))
    shares = None
    try:
        is_in = identity.sign_in(known=True) == "present"
        if not is_in or (shares := _shares_of(identity)) is None or not _answers(shares):
            return nothing
        return {**nothing, "state": "present", **_read(shares, asked)}
    finally:
        identity.close()
        if shares:
            shares.close()


def _shares_of(identity: Api) -> Api | None:
    return identity.service(*SERVICE_TYPES, title="The service of shared file systems", headers=VERSION)


def _answers(shares: Api) -> bool:
    status, _, _ = shares.request("GET", "/types?is_public=all")
    return status == 200


def _read(shares: Api, asked: dict[str, Any]) -> dict[str, Any]:
    types = {
        entry["name"]: {
            "id": entry["id"],
            "description": entry.get("description") or "",
            "public": entry[_PUBLIC],
            "extra_specs": {name: str(value) for name, value in (entry.get("extra_specs") or {}).items()},
        }
        for entry in shares.call("GET", "/types?is_public=all")["share_types"]
    }
    names = {entry["id"]: name for name, entry in types.items()}
    groups = {
        entry["name"]: {
            "id": entry["id"],
            "public": entry["is_public"],
            "share_types": sorted(names.get(id, id) for id in entry["share_types"]),
            "group_specs": dict(entry.get("group_specs") or {}),
        }
        for entry in shares.call("GET", "/share-group-types?is_public=all")["share_group_types"]
    }
    quotas = shares.call("GET", "/quota-class-sets/default")["quota_class_set"]
    former = dict(_former(shares, asked["backends"])) if asked["backends"] is not None else {}
    return {"types": types, "groups": groups, "quotas": quotas, "former": former}


def _services(shares: Api) -> list[str]:
    """The back ends that have entered themselves."""
    return [entry["host"] for entry in shares.call("GET", "/services?binary=manila-share")["services"]]


def _former(shares: Api, backends: list[str]) -> Iterator[tuple[str, int]]:
    """Back ends that nobody names any more, with their shares."""
    unknown = [name for name in _services(shares) if name not in backends]
    if not unknown:
        return
    held = shares.call("GET", f"/shares/detail?all_tenants=1&limit={LIMIT}")["shares"]
    for name in unknown:
        yield name, sum(str(share.get("host") or "").partition("#")[0] == name for share in held)


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """Share types before the types of groups that name them."""
    if current["state"] == "absent" and current["made"]:
        return Plan([wait_for("the service of shared file systems", "its API is silent.", wanted=wanted)])
    return Plan(tuple(_changes(current, wanted)), tuple(_findings(current, wanted)))


def _findings(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Finding]:
    for name, held in current["former"].items():
        if held:
            count = f"{held} or more" if held >= LIMIT else str(held)
            yield Finding(
                "error",
                "manila.backend-in-use",
                name,
                f"The back end is not in manila_backends of a host in manila_share any more; shares on it: {count}.",
                "Put it back, or delete its shares first.",
            )
    for entry in _present(wanted.get("share_group_types")):
        found, types = current["groups"].get(entry["name"]), sorted(entry["share_types"])
        if found and found["share_types"] != types:
            yield Finding(
                "error",
                "manila.group-type-differs",
                f"share group type {entry['name']}",
                f"It is for shares of {', '.join(found['share_types'])}, and should be for {', '.join(types)}: the "
                "service does not change that.",
                "Describe one of another name, or delete this one.",
            )


def _changes(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Change]:
    shared = {"wanted": wanted}
    gone = [entry for entry in wanted.get("share_group_types") or () if entry.get("state") == "absent"]
    for entry in gone:
        if found := current["groups"].get(entry["name"]):
            yield Change(f"share group type {entry['name']}", "delete", _lines(found), data={**shared, "entry": entry})
    for entry in wanted.get("share_types") or ():
        found = current["types"].get(entry["name"])
        if entry.get("state") == "absent":
            if found:
                yield Change(f"share type {entry['name']}", "delete", _lines(found), data={**shared, "entry": entry})
            continue
        body = {
            "description": entry.get("description") or "",
            "public": entry.get("public") is not False,
            "extra_specs": {name: str(value) for name, value in (entry.get("extra_specs") or {}).items()},
        }
        yield from _entry(f"share type {entry['name']}", found, body, {**shared, "entry": entry})
    for entry in _present(wanted.get("share_group_types")):
        body = {
            "public": entry.get("public") is not False,
            "share_types": sorted(entry["share_types"]),
            "group_specs": {name: str(value) for name, value in (entry.get("group_specs") or {}).items()},
        }
        found = current["groups"].get(entry["name"])
        # Neither its share types nor who sees it can be changed; the first is refused.
        found = {**found, "share_types": body["share_types"], "public": body["public"]} if found else None
        yield from _entry(f"share group type {entry['name']}", found, body, {**shared, "entry": entry})
    quotas = {
        name: value for name, value in (wanted.get("quotas") or {}).items() if current["quotas"].get(name) != value
    }
    if quotas:
        former = {name: current["quotas"].get(name) for name in quotas}
        yield Change("quotas of shares", "update", _lines(former), _lines(quotas), data={**shared, "body": quotas})


def _entry(
    subject: str, found: Mapping[str, Any] | None, body: dict[str, Any], data: dict[str, Any]
) -> Iterator[Change]:
    if not found:
        yield Change(subject, "create", after=_lines(body), data={**data, "body": body})
        return
    differing = {name: value for name, value in body.items() if found[name] != value}
    if differing:
        before = {name: found[name] for name in differing}
        more = {"body": body, "differing": differing}
        yield Change(subject, "update", _lines(before), _lines(differing), data={**data, **more})


def _present(entries: list[dict[str, Any]] | None) -> Iterator[dict[str, Any]]:
    return (entry for entry in entries or () if entry.get("state") != "absent")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={one}" for name, one in sorted(value.items())) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(
        f"{name}: {_shown(value)}" for name, value in values.items() if name != "id" and value not in ("", None, {})
    )


def apply(io: IO, plan: Plan) -> None:
    """The API may just have been started: waits for it, and does what then still differs.

    At the end shares can be made: until a back end told the scheduler of itself, each one asked for would be an error.
    """
    wanted = plan.changes[0].data["wanted"]
    asked = question(wanted)
    access = json.loads(io.read_text(asked["credentials"]) or "null")
    if access is None:
        raise HoldfastError(f"{asked['credentials']} is missing. Fix: apply the files of the role manila first.")
    identity = io.openstack(access)
    shares = _wait(identity)
    try:
        if is_wait(plan):
            return
        current = _read(shares, asked)
        refused = tuple(_findings(current, wanted))
        if refused:
            raise HoldfastError(" ".join(map(str, refused)), refused)
        for change in _changes(current, wanted):
            _do(shares, current, change)
        _wait_for_backends(shares, wanted.get("backends") or [])
        io.write(MADE, "", mode="0600")
    finally:
        identity.close()
        shares.close()


def _wait(identity: Api) -> Api:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        state = identity.sign_in()
        shares = _shares_of(identity) if state == "present" else None
        if shares and _answers(shares):
            return shares
        if time.monotonic() > deadline:
            why = f"answers {shares.failure}" if shares else f"has no place in the catalog; sign-in: {state}"
            raise HoldfastError(
                f"The API of shared file systems {why} after {WAIT_SECONDS} s. Fix: see `journalctl -u manila-api` and "
                "`journalctl -u haproxy` on its hosts, and run again."
            )
        time.sleep(0.5)


def _wait_for_backends(shares: Api, backends: list[str]) -> None:
    began = time.monotonic()
    while True:
        waited = time.monotonic() - began
        known = {pool["name"].partition("#")[0] for pool in shares.call("GET", "/scheduler-stats/pools")["pools"]}
        unknown = [name for name in backends if name not in known]
        if unknown and waited > ENTRY_SECONDS:
            entered = _services(shares)
            unknown = [name for name in unknown if name in entered]
        if not unknown:
            return
        if waited > BACKEND_SECONDS:
            raise HoldfastError(
                f"The scheduler of shares does not know {', '.join(unknown)} after {BACKEND_SECONDS} s: no share can "
                "be made there. Fix: see `journalctl -u manila-share` on the host before the @, and run again."
            )
        time.sleep(2)


def _do(shares: Api, current: dict[str, Any], change: Change) -> None:
    data = change.data
    if change.subject == "quotas of shares":
        shares.call("PUT", "/quota-class-sets/default", {"quota_class_set": data["body"]})
    elif change.subject.startswith("share group type "):
        _do_group(shares, current, change.action, data)
    else:
        _do_type(shares, current, change.action, data)


def _do_type(shares: Api, current: dict[str, Any], action: str, data: Mapping[str, Any]) -> None:
    name = data["entry"]["name"]
    found = current["types"].get(name)
    if action == "delete":
        shares.call("DELETE", f"/types/{found['id']}")
        return
    body = data["body"]
    if action == "create":
        told = {"name": name, "description": body["description"], _PUBLIC: body["public"]}
        made = shares.call("POST", "/types", {"share_type": {**told, "extra_specs": body["extra_specs"]}})
        current["types"][name] = {"id": made["share_type"]["id"]}
        return
    path, differing = f"/types/{found['id']}", data["differing"]
    if differing.keys() & {"description", "public"}:
        shares.call("PUT", path, {"share_type": {"description": body["description"], _PUBLIC: body["public"]}})
    if "extra_specs" in differing:
        _specs(shares, f"{path}/extra_specs", "extra_specs", found["extra_specs"], body["extra_specs"])


def _do_group(shares: Api, current: dict[str, Any], action: str, data: Mapping[str, Any]) -> None:
    name = data["entry"]["name"]
    found = current["groups"].get(name)
    if action == "delete":
        shares.call("DELETE", f"/share-group-types/{found['id']}")
        return
    body = data["body"]
    if action == "create":
        types = [current["types"][one]["id"] for one in body["share_types"]]
        told = {"name": name, "share_types": types, "is_public": body["public"], "group_specs": body["group_specs"]}
        shares.call("POST", "/share-group-types", {"share_group_type": told})
        return
    path = f"/share-group-types/{found['id']}/group-specs"
    _specs(shares, path, "group_specs", found["group_specs"], body["group_specs"])


def _specs(shares: Api, path: str, key: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """New ones before former ones go: some may not be missing for a moment."""
    if wanted:
        shares.call("POST", path, {key: dict(wanted)})
    for name in sorted(set(found) - set(wanted)):
        shares.call("DELETE", f"{path}/{name}")
