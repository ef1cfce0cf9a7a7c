# SPDX-License-Identifier: Apache-2.0
"""Stories of what stands before every API: clients that are slow, send too much, are too many, or lie."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ..model import Model
from ..verify.story import Cloud, Scene, Story, expect, require

SLOW = 50
"""Requests that do not end: many more than an API has threads."""
PATIENCE = 5
"""Seconds in which an API answers all the same."""
LARGE = 24 * 1024 * 1024
"""Bytes that no JSON of an API has."""
MOST = 800
"""Connections that a story opens at most: the controller has files to open for a thousand."""
LIE = "holdfast-verify.invalid"


def facts(model: Model) -> dict[str, Any]:
    """How many connections a client may have, None where a story cannot open more; and who may have more."""
    allowed = model.variables.get("haproxy_source_connections") or MOST
    return {
        "source_connections": allowed if allowed < MOST else None,
        "ours": [host.addresses["mgmt"] for host in model.hosts.values() if "mgmt" in host.addresses],
    }


def _public(cloud: Cloud) -> Iterator[tuple[str, str]]:
    """The type of each service that is public, and its URL as far as the port."""
    for service in cloud.token_details["catalog"]:
        for endpoint in service["endpoints"]:
            if endpoint["interface"] == "public":
                yield service["type"], f"https://{urlsplit(endpoint['url']).netloc}"


def slow_bodies(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Each API answers while clients have begun requests that never end."""
    evidence = {}
    for service, url in _public(cloud):
        with cloud.unfinished(f"{url}/v3/auth/tokens", SLOW, 100):
            began = time.monotonic()
            for _ in range(3):
                answer = cloud.request("GET", f"{url}/", token=False)
                require(answer.status < 500, f"{service} answers with status {answer.status} beside slow clients.")
            took = time.monotonic() - began
        require(took < PATIENCE, f"{service} took {took:.1f} s for three answers beside {SLOW} slow clients.")
        evidence[service] = f"3 answers in {took:.2f} s beside {SLOW} slow clients"
    return evidence


def large_bodies(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A body of a size that only images and objects have is refused before it is sent."""
    evidence = {}
    for service, url in _public(cloud):
        if service in ("object-store", "s3"):
            continue
        with cloud.unfinished(f"{url}/v3", 1, LARGE) as (request,):
            status = request.status()
        require(status == 413, f"{service} answers with status {status} to {LARGE} bytes, and not with 413.")
        evidence[service] = "413 Content Too Large"
    require(evidence, "No service was asked.")
    return evidence


def connections(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """One address has no more connections than its share."""
    allowed, tried = scene.fact("source_connections"), scene.fact("source_connections") + 50
    mine, held = cloud.open_connections(cloud.endpoint("identity"), tried)
    require(held, "No connection was taken.")
    if mine in scene.facts.get("ours", ()):
        return {"asked from": f"{mine}, a host of the deployment, which may have more", "held": held}
    require(held <= allowed, f"{held} of {tried} connections are held, and {allowed} are allowed.")
    return {"tried": tried, "held": held, "allowed": allowed}


def names(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """No answer has the name that a client made up."""
    lies = {"Host": LIE, "X-Forwarded-Host": LIE, "X-Forwarded-Server": LIE, "Forwarded": f"host={LIE};proto=http"}
    evidence = {}
    for service, url in _public(cloud):
        for path in ("/", "/v2", "/v3", "/v3/"):
            answer = cloud.request("GET", f"{url}{path}", headers=lies, token=False)
            expect(answer, *range(200, 500), doing=f"Asking {service} for {path} by another name")
            said = f"{dict(answer.headers)} {answer.body.decode('utf-8', 'replace')}"
            require(LIE not in said, f"{service} repeats in its answer to {path} the name that a client made up.")
        evidence[service] = "answers with its own name"
    require(evidence, "No service was asked.")
    return evidence


STORIES = (
    Story("identity.slow_bodies", "APIs answer beside clients whose requests never end", slow_bodies),
    Story("identity.large_bodies", "Bodies that are too large are refused", large_bodies),
    Story("identity.connections", "A client has no more connections than its share", connections),
    Story("identity.names", "Answers have no name that a client made up", names),
)
