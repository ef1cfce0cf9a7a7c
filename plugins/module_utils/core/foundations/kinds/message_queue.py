# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ virtual hosts and users, each user with full rights in its own virtual host and none elsewhere.

Read by one request to the management API on the loopback, since each start of rabbitmqctl costs seconds. The
administrator's name and password are in a file of root's on the host, so that no question carries them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import time
from collections.abc import Mapping
from typing import Any

from ...change import Change, Plan, is_wait, wait_for
from ...errors import HoldfastError
from ...host_io import IO

CREDENTIALS = "/etc/holdfast/message_queue.json"
MADE = "/var/lib/holdfast/message_queue.made"
QUEUE_TYPE = "quorum"
WAIT_SECONDS = 60
ALL = ".*"


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "credentials": wanted["credentials"],
        "users": [user["name"] for user in wanted["users"]],
        "virtual_hosts": wanted["virtual_hosts"],
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{state, made, virtual_hosts: {name: queue type}, users: {name: {hash, tags, permissions: {vhost: [c, w,
    r]}}}}``.

    ``state`` is ``absent`` where nothing answers, ``refused`` where the administrator's password is another, else
    ``present``; ``made`` is whether all was there once. A user's hash is salted. Only what was asked for, and guest, is
    told.
    """
    nothing: dict[str, Any] = {"state": "absent", "made": io.exists(MADE), "virtual_hosts": {}, "users": {}}
    access = _access(io, asked["credentials"])
    if not access:
        return nothing
    status, body = request(access, "GET", "/api/definitions")
    if status == 401:
        return {**nothing, "state": "refused"}
    if status != 200:
        return nothing
    users = {
        user["name"]: {"hash": user["password_hash"], "tags": _tags(user["tags"]), "permissions": {}}
        for user in body["users"]
        if user["name"] in (*asked["users"], "guest")
    }
    for permission in body["permissions"]:
        if permission["user"] in users:
            rights = [permission[name] for name in ("configure", "write", "read")]
            users[permission["user"]]["permissions"][permission["vhost"]] = rights
    virtual_hosts = {
        entry["name"]: (entry.get("metadata") or {}).get("default_queue_type", "classic")
        for entry in body["vhosts"]
        if entry["name"] in asked["virtual_hosts"]
    }
    return {**nothing, "state": "present", "virtual_hosts": virtual_hosts, "users": users}


def _access(io: IO, path: str) -> dict[str, str]:
    """Where and as whom to ask; nothing when the file is missing or damaged, as it is written anew then."""
    try:
        access: dict[str, str] = json.loads(io.read_text(path) or "{}")
    except ValueError:
        return {}
    return access


def _tags(tags: Any) -> list[str]:
    return sorted(tags.split(",") if isinstance(tags, str) else tags) if tags else []


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    if current["state"] == "absent" and current["made"]:
        return Plan([wait_for("the message queue", "its management API is silent.", wanted=wanted)])
    return Plan(_changes(current, wanted))


def _changes(current: dict[str, Any], wanted: dict[str, Any]) -> list[Change]:
    changes: list[Change] = []

    def change(subject: str, action: str, before: str, after: str, method: str, path: str, body: Any = None) -> None:
        data = {"method": method, "path": path, "body": body, "wanted": wanted}
        changes.append(Change(subject, action, before, after, data=data))

    if current["state"] == "refused":
        # What else differs cannot be read until then; apply() does it, too.
        change("administrator", "update", "another password", "password as wanted", "", "")
        return changes
    if "guest" in current["users"]:
        change("user guest", "delete", "may sign in", "", "DELETE", "/api/users/guest")
    for name in wanted["virtual_hosts"]:
        found = current["virtual_hosts"].get(name)
        if found != QUEUE_TYPE:
            before, action = (f"queues: {found}", "update") if found else ("", "create")
            body = {"default_queue_type": QUEUE_TYPE}
            change(f"virtual host {name}", action, before, f"queues: {QUEUE_TYPE}", "PUT", _path("vhosts", name), body)
    for user in wanted["users"]:
        name, virtual_host = user["name"], user["virtual_host"]
        found = current["users"].get(name)
        is_current = bool(found) and matches(user["password"], found["hash"])
        if not found or not is_current or found["tags"]:
            body = {"password": user["password"], "tags": ""}
            before = f"password: {'as wanted' if is_current else 'another'}, tags: {found['tags']}" if found else ""
            action = "update" if found else "create"
            change(f"user {name}", action, before, "password: as wanted, no tags", "PUT", _path("users", name), body)
        rights = found["permissions"] if found else {}
        if rights.get(virtual_host) != [ALL] * 3:
            before, action = str(rights.get(virtual_host, "")), "update" if virtual_host in rights else "create"
            body = {"configure": ALL, "write": ALL, "read": ALL}
            path = _path("permissions", virtual_host, name)
            change(f"rights of {name} in {virtual_host}", action, before, str([ALL] * 3), "PUT", path, body)
        for other in sorted(set(rights) - {virtual_host}):
            path = _path("permissions", other, name)
            change(f"rights of {name} in {other}", "delete", str(rights[other]), "", "DELETE", path)
    return changes


def apply(io: IO, plan: Plan) -> None:
    """The broker may just have been started: waits for it, and does what then still differs."""
    wanted = plan.changes[0].data["wanted"]
    access = _access(io, wanted["credentials"])
    if not access:
        raise HoldfastError(
            f"{wanted['credentials']} is missing or damaged. Fix: apply the files of the role rabbitmq first."
        )
    current = _wait(io, wanted)
    if is_wait(plan):
        return
    if current["state"] == "refused":
        stdin = access["password"] + "\n"
        # With any other argument it would not read its input.
        io.run(["/usr/sbin/rabbitmqctl", "change_password", access["username"]], stdin=stdin, timeout=60)
        current = _wait(io, wanted)
    for step in _changes(current, wanted):
        body = _hashed(step.data["body"])
        status, answer = request(access, step.data["method"], step.data["path"], body)
        if status >= 300 or status == 0:
            raise HoldfastError(
                f"The message queue refused to {step.action} {step.subject}: status {status}, {answer}. "
                "Fix: see `journalctl -u rabbitmq-server` on the host."
            )
    io.write(MADE, "", mode="0600")


def _wait(io: IO, wanted: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        current = read(io, question(wanted))
        if current["state"] != "absent":
            return current
        if time.monotonic() > deadline:
            raise HoldfastError(
                f"The message queue's management API does not answer within {WAIT_SECONDS} s. "
                "Fix: see `journalctl -u rabbitmq-server` on the host."
            )
        time.sleep(1)


def request(access: Mapping[str, str], method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and decoded body of one request; status 0 when there is no answer."""
    import http.client  # costs 30 ms, and only one host of a deployment needs it

    place = access["url"].partition("://")[2]
    token = base64.b64encode(f"{access['username']}:{access['password']}".encode()).decode()
    connection = http.client.HTTPConnection(place, timeout=20)
    try:
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        connection.close()
    try:
        return response.status, json.loads(content) if content else None
    except ValueError:
        return response.status, content.decode("utf-8", "replace")[:200]


def matches(password: str, stored: str) -> bool:
    """Whether a stored hash (four bytes of salt, then SHA-256 of salt and password) is that of the password."""
    try:
        raw = base64.b64decode(stored, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == 36 and hashlib.sha256(raw[:4] + password.encode()).digest() == raw[4:]


def hash_password(password: str, salt: bytes) -> str:
    """The hash that the broker stores of a password. ``salt`` is four bytes."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _hashed(body: Any) -> Any:
    """A request's body with the password replaced by its hash."""
    if not body or "password" not in body:
        return body
    rest = {name: value for name, value in body.items() if name != "password"}
    stored = hash_password(body["password"], os.urandom(4))
    return {**rest, "password_hash": stored, "hashing_algorithm": "rabbit_password_hashing_sha256"}


def _path(collection: str, *names: str) -> str:
    from urllib.parse import quote

    return "/".join(["/api", collection, *(quote(name, safe="") for name in names)])
