# SPDX-License-Identifier: Apache-2.0
"""Stories of the identity service: a token, a catalog of https endpoints, and what is refused."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from ..description.services import Services
from ..model import Model
from ..verify import caches, people
from ..verify.story import Cloud, Scene, Story, expect, require
from . import front


def facts(model: Model, services: Services) -> dict[str, Any]:
    """The types of service that the catalog has to list, and the host that has a cache."""
    entries = (entry for _, found in services.entries("identity") for entry in found.get("services", ()))
    members = model.group("keystone")
    return {
        "services": sorted({entry["type"] for entry in entries if entry.get("endpoint")}),
        "cache_host": members[0].name if len(members) == 1 else None,
        **front.facts(model),
    }


def token(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Who the token is for, and what it allows."""
    details = cloud.token_details
    require(details.get("catalog"), "The token came without a catalog.")
    return {
        "user": details["user"]["name"],
        "project": details["project"]["name"],
        "roles": ", ".join(sorted(role["name"] for role in details["roles"])),
        "expires": details["expires_at"],
    }


def catalog(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Every public and internal endpoint is https, and every public one answers."""
    evidence: dict[str, Any] = {}
    for service in cloud.token_details["catalog"]:
        interfaces = {endpoint["interface"]: endpoint["url"] for endpoint in service["endpoints"]}
        require("public" in interfaces, f"The service {service['type']} has no public endpoint.")
        for interface, url in interfaces.items():
            require(url.startswith("https://"), f"The {interface} endpoint of {service['type']} is not https: {url}")
        parts = urlsplit(interfaces["public"])
        answer = cloud.request("GET", f"https://{parts.netloc}/", token=False)
        require(answer.status < 500, f"{service['type']} at {parts.netloc} answers with status {answer.status}.")
        evidence[service["type"]] = interfaces["public"].replace(cloud.token_details["project"]["id"], "<project>")
    missing = set(scene.facts.get("services", ())) - set(evidence)
    require(not missing, f"The catalog lacks {', '.join(sorted(missing))}.")
    return evidence


def wrong_password(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The user's name with another password gives no token."""
    answer = cloud.authenticate(cloud.token_details["user"]["name"], f"not-the-password-{scene.run}")
    expect(answer, 401, doing="Authentication with a wrong password")
    return {"answer": "401 Unauthorized"}


def plain_http(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The public ports answer TLS only; a server may say so by status 400."""
    evidence = {}
    for service in cloud.token_details["catalog"]:
        for endpoint in service["endpoints"]:
            if endpoint["interface"] != "public":
                continue
            place = urlsplit(endpoint["url"]).netloc
            said = cloud.plain(f"http://{place}/")
            status = said.split()[1] if said.startswith("HTTP/") else ""
            require(status in ("", "400"), f"{service['type']} at {place} answers without TLS: {said}")
            evidence[f"{service['type']} {place}"] = said or "connection closed"
    return evidence


def cache(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """No other user of the host writes what the identity service keeps at hand."""
    return caches.written_by_nobody_else(scene, "cache")


def roles(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Who has a role in a project only sees and makes no users; an administrator does."""
    body = json.dumps({"user": {"name": f"{scene.name}-more", "domain_id": "default"}}).encode()
    some = f"name={scene.name}-identity-{people.READER}"
    with people.of_a_project(cloud, scene, "identity") as who:
        for name in (people.READER, people.MEMBER):
            url = f"{who[name].endpoint('identity')}/users"
            expect(who[name].request("GET", f"{url}?{some}"), 403, doing=f"Listing users as a {name}")
            made = who[name].request("POST", url, body, {"Content-Type": "application/json"})
            expect(made, 403, doing=f"Making a user as a {name}")
        admin = who[people.ADMIN]
        url = f"{admin.endpoint('identity')}/users?{some}"
        listed = expect(admin.request("GET", url), 200, doing="Listing users as administrator").json()["users"]
        require(len(listed) == 1, f"Of the name of one user {len(listed)} are listed.")
    return {"reader and member": "403 Forbidden", "admin": "users are listed"}


STORIES = (
    Story("identity.token", "A user gets a token over TLS", token, least={"mgmt": 1000}),
    Story("identity.catalog", "The catalog names https endpoints, and each answers", catalog, least={"mgmt": 1000}),
    Story("identity.wrong_password", "A wrong password is refused", wrong_password),
    Story("identity.plain_http", "Requests without TLS are refused", plain_http),
    Story("identity.cache", "Nobody else writes what the identity service keeps at hand", cache),
    Story("identity.roles", "Users of a project do not administer users", roles),
    *front.STORIES,
)
