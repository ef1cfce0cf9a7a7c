# SPDX-License-Identifier: Apache-2.0
"""What keystone knows: domains, projects, users, roles and who has them, services and their endpoints.

Read and changed as one batch over one connection with one token, on the first identity host. The administrator's name
and password are in a file of root's there, so that no question carries them. Objects that are not named are left
alone; one is removed only when it is named with ``state: absent``.

Keystone does not tell a password, so a salted digest of what was last set is kept on the host.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ...base.system import STATE, record, recorded
from ...change import Change, Plan, is_wait, wait_for
from ...errors import HoldfastError
from ...host_io import IO, Api

CREDENTIALS = "/etc/holdfast/admin.json"
RECORDS = f"{STATE}/catalog.json"
DEFAULT_DOMAIN = "Default"
INTERFACES = ("public", "internal", "admin")
WAIT_SECONDS = 90

# In the order in which they are made: each refers only to those before it.
COLLECTIONS = ("regions", "domains", "roles", "projects", "users", "services", "endpoints")

# What identifies an object, and what may be changed of it. Missing or None in an entry: as it is.
KEYS: Mapping[str, tuple[str, ...]] = {
    "regions": ("name",),
    "domains": ("name",),
    "roles": ("name",),
    "projects": ("domain", "name"),
    "users": ("domain", "name"),
    "services": ("type", "name"),
    "endpoints": ("type", "service", "region", "interface"),
}
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "regions": (),
    "domains": ("description", "enabled"),
    "roles": (),
    "projects": ("description", "enabled"),
    "users": ("description", "email", "enabled", "options"),
    "services": ("description", "enabled"),
    "endpoints": ("url", "enabled"),
}


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    """Names only: users and projects are asked for one by one, as a cloud may have very many."""
    wanted = _complete(wanted)
    owned = [*wanted["projects"], *wanted["users"]]
    assigned = wanted["assignments"]
    projects = {(entry["domain"], entry["name"]) for entry in wanted["projects"]}
    projects |= {(entry["project_domain"], entry["project"]) for entry in assigned if entry.get("project")}
    users = {(entry["domain"], entry["name"]) for entry in wanted["users"]}
    users |= {(entry["user_domain"], entry["user"]) for entry in assigned}
    domains = {entry["name"] for entry in wanted["domains"]} | {entry["domain"] for entry in owned}
    domains |= {entry["domain"] for entry in assigned if entry.get("domain")}
    return {
        "credentials": wanted["credentials"],
        "domains": sorted(domains | {domain for domain, _ in projects | users}),
        "projects": sorted(map(list, projects)),
        "users": sorted(map(list, users)),
        "scopes": sorted({_scope(entry) for entry in assigned}),
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{state, <collection>: {label: {id, ...}}, assignments: [label], passwords: {label: {salt, digest}}}``.

    ``state`` is ``absent`` where nothing answers, ``refused`` where the password is another, else ``present``.
    """
    nothing: dict[str, Any] = {"state": "absent", **{name: {} for name in COLLECTIONS}, "assignments": []}
    nothing["passwords"] = recorded(io, RECORDS) or {}
    access = recorded(io, asked["credentials"])
    if not access:
        return nothing
    api = io.openstack(access)
    try:
        state = api.sign_in(known=True)
        return {**nothing, "state": state, **(_read(api, asked) if state == "present" else {})}
    finally:
        api.close()


def _read(api: Api, asked: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: {} for name in COLLECTIONS}
    for region in api.get("regions"):
        found["regions"][region["id"]] = {"id": region["id"]}
    for role in api.get("roles"):
        if not role.get("domain_id"):
            found["roles"][role["name"]] = {"id": role["id"]}
    for name in asked["domains"]:
        for domain in api.get("domains", name=name):
            found["domains"][name] = _found("domains", domain)
    for collection in ("projects", "users"):
        for domain, name in asked[collection]:
            if domain in found["domains"]:
                for entry in api.get(collection, name=name, domain_id=found["domains"][domain]["id"]):
                    found[collection][f"{domain}/{name}"] = _found(collection, entry)
    labels = {}
    for service in api.get("services"):
        labels[service["id"]] = label = f"{service['type']}/{service.get('name', '')}"
        found["services"][label] = _found("services", service)
    for endpoint in api.get("endpoints"):
        label = f"{labels.get(endpoint['service_id'], '?')}/{endpoint['region_id']}/{endpoint['interface']}"
        found["endpoints"][label] = _found("endpoints", endpoint)
    found["assignments"] = sorted(_assignments(api, asked, found))
    return found


def _found(collection: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": entry["id"], **{name: entry.get(name) for name in ATTRIBUTES[collection]}}


def _assignments(api: Api, asked: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    """Those of the users that are asked for. By their ids: for names keystone looks up each user that a scope has."""
    users, roles = ({entry["id"]: label for label, entry in found[name].items()} for name in ("users", "roles"))
    for scope in asked["scopes"]:
        kind, _, label = scope.partition(" ")
        if kind == "system":
            query = {"scope.system": "all"}
        elif place := found[f"{kind}s"].get(label):
            query = {f"scope.{kind}.id": place["id"]}
        else:
            continue
        for entry in api.get("role_assignments", **query):
            user, role = users.get(entry.get("user", {}).get("id")), roles.get(entry["role"]["id"])
            if user and role:
                yield _assignment(user, role, scope)


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """Removals first, dependants before what they depend on; then what is made or changed, the other way round."""
    if current["state"] != "present" and current["passwords"]:
        said = "it refuses the administrator's password." if current["state"] == "refused" else "it gives no token."
        return Plan([wait_for("the identity service", said, wanted=wanted)])
    return Plan(_changes(current, wanted))


def _changes(current: dict[str, Any], wanted: dict[str, Any]) -> list[Change]:
    everything = _complete(wanted)
    removals: list[Change] = []
    changes: list[Change] = []
    for collection in COLLECTIONS:
        for entry in everything[collection]:
            label = _label(collection, entry)
            found = current[collection].get(label)
            data = {"collection": collection, "label": label, "entry": entry, "wanted": wanted}
            subject = f"{collection[:-1]} {label}"
            if entry.get("state") == "absent":
                if found:
                    removals.insert(0, Change(subject, "delete", _shown(found), data=data))
                continue
            body = _attributes(collection, entry)
            differing = {name: value for name, value in body.items() if not _has(found or {}, name, value)}
            before, after = {name: (found or {}).get(name) for name in differing}, dict(differing)
            if entry.get("password") and not _is_recorded(current, label, entry["password"], bool(found)):
                before["password"], after["password"] = "another, or unknown", "as wanted"
                differing["password"] = entry["password"]
            if not found:
                changes.append(Change(subject, "create", "", _shown(after), data={**data, "body": differing}))
            elif differing:
                update = {**data, "body": differing}
                changes.append(Change(subject, "update", _shown(before), _shown(after), data=update))
    for entry in everything["assignments"]:
        label = _assignment(f"{entry['user_domain']}/{entry['user']}", entry["role"], _scope(entry))
        data = {"collection": "assignments", "label": label, "entry": entry, "wanted": wanted}
        if entry.get("state") == "absent":
            if label in current["assignments"]:
                removals.insert(0, Change(f"role {label}", "delete", "given", data=data))
        elif label not in current["assignments"]:
            changes.append(Change(f"role {label}", "create", after="given", data=data))
    return removals + changes


def _has(found: Mapping[str, Any], name: str, value: Any) -> bool:
    """Whether an attribute is as wanted. Of options, those that are not named are left alone."""
    has = found.get(name)
    return bool(value.items() <= (has or {}).items() if isinstance(value, dict) else has == value)


def _is_recorded(current: dict[str, Any], label: str, password: str, exists: bool) -> bool:
    record = current["passwords"].get(label)
    return exists and bool(record) and record == _record(password, record["salt"])


def _record(password: str, salt: str) -> dict[str, str]:
    return {"salt": salt, "digest": hashlib.sha256(f"{salt} {password}".encode()).hexdigest()}


def _attributes(collection: str, entry: dict[str, Any]) -> dict[str, Any]:
    given = {"enabled": True, **{name: value for name, value in entry.items() if value is not None}}
    if "lockable" in given:
        given["options"] = {"ignore_lockout_failure_attempts": not given["lockable"]}
    return {name: given[name] for name in ATTRIBUTES[collection] if name in given}


def _shown(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in values.items() if name != "id" and value is not None)


def _complete(wanted: dict[str, Any]) -> dict[str, Any]:
    """A copy of what is wanted in which every list is there, and every entry names its domain."""
    full: dict[str, Any] = {"credentials": wanted.get("credentials") or CREDENTIALS}
    for collection in (*COLLECTIONS, "assignments"):
        full[collection] = [dict(entry) for entry in wanted.get(collection) or ()]
    for entry in (*full["projects"], *full["users"]):
        entry["domain"] = entry.get("domain") or DEFAULT_DOMAIN
    for entry in full["assignments"]:
        for name in ("user_domain", "project_domain"):
            entry[name] = entry.get(name) or DEFAULT_DOMAIN
        if entry.get("project"):
            entry["domain"] = None
    return full


def _label(collection: str, entry: Mapping[str, Any]) -> str:
    return "/".join(entry[key] for key in KEYS[collection])


def _scope(entry: Mapping[str, Any]) -> str:
    """Where an assignment holds: a project, else a domain, else the whole system."""
    if entry.get("project"):
        return f"project {entry['project_domain']}/{entry['project']}"
    return f"domain {entry['domain']}" if entry.get("domain") else "system "


def _assignment(user: str, role: str, scope: str) -> str:
    return f"{role} of {user} on {scope}".strip()


def apply(io: IO, plan: Plan) -> None:
    """Keystone may just have been started: waits for it, and does what then still differs."""
    wanted = plan.changes[0].data["wanted"]
    asked = question(wanted)
    access = recorded(io, asked["credentials"])
    if not access:
        raise HoldfastError(
            f"{asked['credentials']} is missing or damaged. Fix: apply the files of the role keystone first."
        )
    api = io.openstack(access)
    try:
        _wait(api)
        if is_wait(plan):
            return
        current = {**_read(api, asked), "passwords": recorded(io, RECORDS) or {}}
        for change in _changes(current, wanted):
            _do(api, current, change)
            if password := change.data.get("body", {}).get("password"):
                current["passwords"][change.data["label"]] = _record(password, os.urandom(16).hex())
                record(io, RECORDS, current["passwords"])
    finally:
        api.close()


def _wait(api: Api) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while (state := api.sign_in()) != "present":
        if time.monotonic() > deadline or state == "refused":
            why = "refuses the administrator's password" if state == "refused" else f"gives no token: {api.failure}"
            raise HoldfastError(
                f"Keystone at {api.url} {why}. Fix: see `journalctl -u keystone` and `journalctl -u haproxy` on its "
                "hosts; to set the password again remove /var/lib/holdfast/migrations/keystone-bootstrap.json there."
            )
        time.sleep(0.5)


def _do(api: Api, current: dict[str, Any], change: Change) -> None:
    data = change.data
    collection, label, entry = data["collection"], data["label"], data["entry"]
    if collection == "assignments":
        api.call("DELETE" if change.action == "delete" else "PUT", _assignment_path(current, entry))
    elif change.action == "delete":
        api.call("DELETE", f"/{collection}/{current[collection][label]['id']}")
    elif change.action == "update":
        path = f"/{collection}/{current[collection][label]['id']}"
        api.call("PATCH", path, {collection[:-1]: data["body"]})
    else:
        body = {**data["body"], **_references(current, collection, entry)}
        made = api.call("POST", f"/{collection}", {collection[:-1]: body})
        current[collection][label] = made[collection[:-1]]


def _references(current: dict[str, Any], collection: str, entry: dict[str, Any]) -> dict[str, Any]:
    """What a new object is made of beyond its attributes: its name, and the ids of others."""
    if collection == "regions":
        return {"id": entry["name"]}
    if collection == "endpoints":
        service = _id(current, "services", f"{entry['type']}/{entry['service']}")
        return {"service_id": service, "region_id": entry["region"], "interface": entry["interface"]}
    if collection == "services":
        return {"type": entry["type"], "name": entry["name"]}
    if collection in ("projects", "users"):
        return {"name": entry["name"], "domain_id": _id(current, "domains", entry["domain"])}
    return {"name": entry["name"]}


def _assignment_path(current: dict[str, Any], entry: dict[str, Any]) -> str:
    user = _id(current, "users", f"{entry['user_domain']}/{entry['user']}")
    role = _id(current, "roles", entry["role"])
    kind, _, label = _scope(entry).partition(" ")
    place = "/system" if kind == "system" else f"/{kind}s/{_id(current, f'{kind}s', label)}"
    return f"{place}/users/{user}/roles/{role}"


def _id(current: dict[str, Any], collection: str, label: str) -> str:
    try:
        return str(current[collection][label]["id"])
    except KeyError:
        raise HoldfastError(
            f"catalog: there is no {collection[:-1]} {label}, which another entry names. Fix: add it to {collection}."
        ) from None
