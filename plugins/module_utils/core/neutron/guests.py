# SPDX-License-Identifier: Apache-2.0
"""What stories of networks need of guests: one that runs a script on a port, and what it said so far.

The guest is any image whose user data is a script for a shell, and which shows what that says on its console.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from ..errors import HoldfastError
from ..verify.story import PREFIX, Cloud, expect, require

IMAGE = FLAVOR = "tiny"
"""What the lab leaves for tests. A deployment that has these has the stories with guests told."""

START_SECONDS = 600
"""Within which a guest runs and says something, on a host that emulates it."""

# The first version in which an administrator may say on which host.
_HEADERS = {"Content-Type": "application/json", "OpenStack-API-Version": "compute 2.74"}
_SAID = re.compile(r"^hf: (\w+) ?(.*?)\s*$", re.M)


def call(cloud: Cloud, method: str, path: str, *statuses: int, doing: str, body: Any = None) -> Any:
    """What the compute API answers. Raises HoldfastError for any other status."""
    payload = json.dumps(body).encode() if body is not None else None
    answer = cloud.request(method, f"{cloud.endpoint('compute')}{path}", payload, _HEADERS)
    expect(answer, *statuses, doing=doing)
    return answer.json() if answer.body else None


def start(cloud: Cloud, name: str, *, host: str, port: str, script: str, facts: Mapping[str, Any]) -> str:
    """Have a guest on a host, with a port of the network, run a script; its id. ``facts`` has its image and flavor.

    The script says things by lines ``hf: NAME VALUE``.
    """
    body = {
        "name": name,
        "imageRef": facts["image"],
        "flavorRef": facts["flavor"],
        "host": host,
        "networks": [{"port": port}],
        "user_data": base64.b64encode(script.encode()).decode(),
    }
    made = call(cloud, "POST", "/servers", 202, doing=f"Starting a guest on {host}", body={"server": body})
    return str(made["server"]["id"])


def said(cloud: Cloud, name: str) -> dict[str, list[str]]:
    """What a guest said so far: every value of each name, in order."""
    body: dict[str, Any] = {"os-getConsoleOutput": {}}
    path = f"/servers/{find(cloud, name)['id']}/action"
    output = call(cloud, "POST", path, 200, 404, 409, doing=f"Reading the console of {name}", body=body)
    found: dict[str, list[str]] = {}
    for word, value in _SAID.findall(str((output or {}).get("output") or "").replace("\r", "")):
        found.setdefault(word, []).append(value)
    return found


def wait(cloud: Cloud, name: str, *words: str, seconds: float = START_SECONDS) -> dict[str, list[str]]:
    """What a guest said, when it has said all of these. Raises HoldfastError when it does not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        found = said(cloud, name)
        if all(word in found for word in words):
            return found
        guest = find(cloud, name)
        fault = (guest.get("fault") or {}).get("message", "")
        require(guest["status"] != "ERROR", f"The guest {name} did not start: {fault or 'no reason given'}")
        if time.monotonic() > deadline:
            missing = ", ".join(word for word in words if word not in found)
            raise HoldfastError(
                f"The guest {name} ({guest['status']}) did not say {missing} within {seconds:.0f} s: see `openstack "
                f"console log show {name}`."
            )
        time.sleep(2)


def find(cloud: Cloud, name: str) -> Mapping[str, Any]:
    """A guest of this verification. Raises HoldfastError when there is none."""
    path = f"/servers/detail?name=^{re.escape(name)}$"
    found = call(cloud, "GET", path, 200, doing=f"Looking for {name}")["servers"]
    require(found, f"There is no guest {name}.")
    return dict(found[0])


def remove_all(cloud: Cloud) -> int:
    """Delete every guest of verifications, and wait until they are gone. Returns how many there were."""
    ours: set[str] = set()
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        path = f"/servers?all_tenants=1&name=^{PREFIX}"
        left = call(cloud, "GET", path, 200, doing="Looking for guests")["servers"]
        if not left:
            break
        for guest in left:
            if guest["id"] not in ours:
                call(cloud, "DELETE", f"/servers/{guest['id']}", 204, 404, doing="Deleting a guest")
        ours |= {guest["id"] for guest in left}
        time.sleep(1)
    return len(ours)


def available(cloud: Cloud) -> dict[str, Any]:
    """``{image, flavor}`` of guests for tests, by id; each None where the deployment has no such thing."""
    images = cloud.request("GET", f"{cloud.endpoint('image')}/v2/images?name={IMAGE}&status=active").json()["images"]
    flavors = call(cloud, "GET", "/flavors", 200, doing="Looking for flavors")["flavors"]
    return {
        "image": next((image["id"] for image in images), None),
        "flavor": next((flavor["id"] for flavor in flavors if flavor["name"] == FLAVOR), None),
    }
