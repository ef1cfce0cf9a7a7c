# SPDX-License-Identifier: Apache-2.0
"""Users of a project for a while, one for each role: stories of other services ask what they may."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .story import PREFIX, Cloud, Scene, expect, require

READER, MEMBER, ADMIN = "reader", "member", "admin"
_JSON = {"Content-Type": "application/json"}


def _call(cloud: Cloud, method: str, path: str, *statuses: int, doing: str, body: Any = None) -> Any:
    payload = json.dumps(body).encode() if body is not None else None
    answer = cloud.request(method, f"{cloud.endpoint('identity')}{path}", payload, _JSON)
    expect(answer, *statuses, doing=doing)
    return answer.json() if answer.body else None


@contextmanager
def of_a_project(cloud: Cloud, scene: Scene, what: str) -> Iterator[Mapping[str, Cloud]]:
    """By role, the cloud as a user sees it who has that role alone in a new project. All of it goes afterwards."""
    name = f"{scene.name}-{what}"
    project = _call(
        cloud,
        "POST",
        "/projects",
        201,
        doing="Making a project",
        body={"project": {"name": name, "domain_id": "default"}},
    )["project"]["id"]
    made = [f"/projects/{project}"]
    try:
        found: dict[str, Cloud] = {}
        for role in (READER, MEMBER, ADMIN):
            # It has every kind of character that a rule may ask for.
            user, password = f"{name}-{role}", f"Aa1-{secrets.token_urlsafe(24)}"
            about = {"name": user, "password": password, "domain_id": "default"}
            number = _call(cloud, "POST", "/users", 201, doing="Making a user", body={"user": about})["user"]["id"]
            made.insert(0, f"/users/{number}")
            path = f"/projects/{project}/users/{number}/roles/{_role(cloud, role)}"
            _call(cloud, "PUT", path, 204, doing=f"Giving the role {role}")
            found[role] = cloud.another(user, password, name)
        yield found
    finally:
        for path in made:
            _call(cloud, "DELETE", path, 204, 404, doing="Removing a user or project")


def _role(cloud: Cloud, name: str) -> str:
    found = _call(cloud, "GET", f"/roles?name={name}", 200, doing="Looking for a role")["roles"]
    require(found, f"There is no role {name}.")
    return str(found[0]["id"])


def sweep(cloud: Cloud) -> int:
    """Remove the users and projects of all verifications. Returns how many there were.

    Keystone's database finds them by the start of their names, in this spelling of the filter alone: by any other it
    gives all that it has, and keystone looks through them.
    """
    count = 0
    for collection in ("users", "projects"):
        path = f"/{collection}?name__istartswith={PREFIX}"
        for entry in _call(cloud, "GET", path, 200, doing="Looking for leftovers")[collection]:
            if entry["name"].startswith(PREFIX):
                _call(cloud, "DELETE", f"/{collection}/{entry['id']}", 204, 404, doing="Removing leftovers")
                count += 1
    return count
