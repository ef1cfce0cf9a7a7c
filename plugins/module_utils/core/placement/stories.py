# SPDX-License-Identifier: Apache-2.0
"""Stories of the placement service: what is entered is found, by nobody without a token."""

from __future__ import annotations

import json
from typing import Any

from ..verify import people
from ..verify.story import NOISE, Cloud, Scene, Story, expect, require

PROVIDER = "fde6fc55-766f-5289-b07a-f9019526380f"
"""UUID of the provider of every verification: what a killed one left is found by it, whoever else has providers."""


def _url(cloud: Cloud) -> str:
    return f"{cloud.endpoint('placement')}/resource_providers"


def _listed(cloud: Cloud, query: str = "") -> list[dict[str, Any]]:
    answer = expect(cloud.request("GET", f"{_url(cloud)}{query}"), 200, doing="Listing resource providers")
    return list(answer.json()["resource_providers"])


def provider(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A resource provider is listed until it is deleted. It has nothing to give, so nothing is placed there."""
    root = f"{cloud.endpoint('placement')}/"
    versions = expect(cloud.request("GET", root, token=False), 200, doing="Asking for the versions").json()["versions"]
    require(versions, "The API names no version.")
    expect(cloud.request("GET", _url(cloud), token=False), 401, doing="Listing resource providers without a token")
    body = json.dumps({"name": scene.name, "uuid": PROVIDER}).encode()
    made = cloud.request("POST", _url(cloud), body, {"Content-Type": "application/json"})
    expect(made, 201, doing="Entering a resource provider")
    query = f"?name={scene.name}"
    found = _listed(cloud, query)
    require(len(found) == 1, f"There are {len(found)} resource providers {scene.name} instead of one.")
    uuid = str(found[0]["uuid"])
    expect(cloud.request("DELETE", f"{_url(cloud)}/{uuid}"), 204, doing="Deleting the resource provider")
    require(not _listed(cloud, query), f"The resource provider {scene.name} is listed after it was deleted.")
    return {
        "microversions": f"{versions[0]['min_version']} to {versions[0]['max_version']}",
        "provider": uuid,
        "without a token": "401 Unauthorized",
    }


def roles(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """What hosts have to give is for services and administrators."""
    with people.of_a_project(cloud, scene, "placement") as who:
        for name, status in ((people.READER, 403), (people.MEMBER, 403), (people.ADMIN, 200)):
            url = f"{_url(who[name])}?uuid={PROVIDER}"
            expect(who[name].request("GET", url), status, doing=f"Listing resource providers as {name}")
    return {"reader and member": "403 Forbidden", "admin": "providers are listed"}


def sweep(cloud: Cloud) -> int:
    """Delete the resource provider of a verification that was killed. Returns how many there were."""
    return int(cloud.request("DELETE", f"{_url(cloud)}/{PROVIDER}").status == 204)


STORIES = (
    Story(
        "placement.provider",
        "A provider is entered, found and taken out",
        provider,
        least={"mgmt": 1000},
        most={"storage": NOISE, "repl": NOISE},
    ),
    Story("placement.roles", "Users of a project do not see providers", roles),
)
