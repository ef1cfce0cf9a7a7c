# SPDX-License-Identifier: Apache-2.0
"""What stories need of a guest: to have it do something, and to read what it said.

A guest is any image that does what the lab's ``tiny`` does: at boot it says what it is under the name ``boot``, and it
runs the command of each key ``run-NAME`` of its instance's metadata once. What a command says stands on the console::

    <<NAME begins>>
    <<NAME>> a line
    <<NAME ends STATUS>>

It has the commands ``about``, ``disks`` and ``pattern`` (``write DISK SEED MIB`` with fsync, ``read DISK MIB``), and
finds a disk by ``serial:BEGINNING``, ``holds:swap`` or ``label:LABEL``.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import HoldfastError
from ..verify.payload import MIB
from ..verify.story import Answer, Cloud, Scene, expect, require

START_SECONDS = 600
"""Within which an instance runs, and a guest has said something, on a host that emulates it."""
COMMAND_SECONDS = 300
SERIAL = 20
"""So many characters of a volume's id a guest sees as the serial number of its disk."""
BOOT = "boot"
# Hosts may be asked for from 2.74 on, descriptions of console types are of 2.8; flavors in servers of 2.47.
_HEADERS = {"Content-Type": "application/json", "OpenStack-API-Version": "compute 2.87"}
_LINE = re.compile(r"<<(?P<name>[A-Za-z0-9_.-]+)(?: ends (?P<status>\d+)>>|>> ?(?P<text>.*))")
_CHUNK, _HEADER = 65536, 32
_BODY = (b"what stands behind a header is the same in each chunk of 64 KiB\n" * 1024)[: _CHUNK - _HEADER]


def call(cloud: Cloud, method: str, path: str, *statuses: int, doing: str, body: Any = None) -> Any:
    """What the compute API answers. Raises HoldfastError for any other status."""
    payload = json.dumps(body).encode() if body is not None else None
    answer: Answer = cloud.request(method, f"{cloud.endpoint('compute')}{path}", payload, _HEADERS)
    expect(answer, *statuses, doing=doing)
    return answer.json() if answer.body else None


def act(cloud: Cloud, server: str, *statuses: int, doing: str, **action: Any) -> Any:
    """An action on an instance, such as ``resize={...}``."""
    return call(cloud, "POST", f"/servers/{server}/action", *(statuses or (202,)), doing=doing, body=action)


def find(cloud: Cloud, scene: Scene, what: str) -> Mapping[str, Any]:
    """An instance of this verification. Raises HoldfastError when there is none."""
    name = f"{scene.name}-{what}"
    listed = call(cloud, "GET", f"/servers/detail?name=^{name}$", 200, doing=f"Looking for {name}")["servers"]
    require(listed, f"There is no instance {name}.")
    return dict(listed[0])


def begin(cloud: Cloud, scene: Scene, what: str, *, host: str = "", **more: Any) -> Mapping[str, Any]:
    """A new instance of facts' flavor and network, when it is active. ``more`` goes over what is asked for."""
    server = {
        "name": f"{scene.name}-{what}",
        "flavorRef": scene.fact("flavor"),
        "networks": [{"uuid": scene.fact("network")}],
        **({"host": host} if host else {}),
        **more,
    }
    call(cloud, "POST", "/servers", 202, doing=f"Starting the instance {what}", body={"server": server})
    return wait(cloud, scene, what, "ACTIVE")


def wait(cloud: Cloud, scene: Scene, what: str, *statuses: str) -> Mapping[str, Any]:
    """The instance in one of the states. Raises HoldfastError when it is an error, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        found = find(cloud, scene, what)
        if found["status"] in statuses and not found.get("OS-EXT-STS:task_state"):
            return found
        if found["status"] == "ERROR" or time.monotonic() > deadline:
            why = (found.get("fault") or {}).get("message") or "see `journalctl -u 'nova-*'` on its hosts"
            raise HoldfastError(f"{found['name']} is {found['status']} and not {' or '.join(statuses)}: {why}")
        time.sleep(1)


def end(cloud: Cloud, scene: Scene, what: str) -> None:
    """Delete an instance, and wait until it is gone."""
    found = find(cloud, scene, what)
    call(cloud, "DELETE", f"/servers/{found['id']}", 204, doing=f"Deleting the instance {what}")
    deadline = time.monotonic() + COMMAND_SECONDS
    while call(cloud, "GET", f"/servers/{found['id']}", 200, 404, doing="Waiting until it is gone").get("server"):
        require(time.monotonic() < deadline, f"{found['name']} is not gone after {COMMAND_SECONDS} s.")
        time.sleep(0.5)


def run(cloud: Cloud, server: str, name: str, command: str) -> list[str]:
    """The lines that a guest says to a command. Raises HoldfastError when it fails or never ends."""
    body = {"metadata": {f"run-{name}": command}}
    call(cloud, "POST", f"/servers/{server}/metadata", 200, doing=f"Having the guest run {name}", body=body)
    return said(cloud, server, name, COMMAND_SECONDS)


def said(cloud: Cloud, server: str, name: str = BOOT, seconds: float = START_SECONDS) -> list[str]:
    """The lines that a guest said under a name, when it has ended. Raises HoldfastError when it failed or did not."""
    deadline = time.monotonic() + seconds
    while True:
        text = console(cloud, server)
        lines, status = spoken(text, name)
        if status is not None:
            require(status == 0, f"The guest's {name} ended with {status}: {' | '.join(lines[-3:])}")
            return lines
        if time.monotonic() > deadline:
            last = " | ".join(text.strip().splitlines()[-3:])
            raise HoldfastError(f"The guest has not done {name} after {int(seconds)} s. Its console ends: {last}")
        time.sleep(1)


def console(cloud: Cloud, server: str) -> str:
    """What stands on the console of an instance; empty while it has none."""
    body: dict[str, Any] = {"os-getConsoleOutput": {}}
    doing = "Reading the console"
    answer = call(cloud, "POST", f"/servers/{server}/action", 200, 404, 409, doing=doing, body=body)
    return str((answer or {}).get("output") or "")


def spoken(text: str, name: str) -> tuple[list[str], int | None]:
    """The lines of a command that a console has, the last time it began, and its status; None while it runs."""
    lines: list[str] = []
    status: int | None = None
    for raw in text.replace("\r", "").splitlines():
        if f"<<{name} begins>>" in raw:
            lines, status = [], None
        elif (found := _LINE.search(raw)) and found["name"] == name:
            if found["status"] is not None:
                status = int(found["status"])
            else:
                lines.append(found["text"])
    return lines, status


def disks(lines: list[str]) -> Iterator[dict[str, str]]:
    """The disks that a guest sees: ``{name, bytes, serial, holds, label}``, from what ``about`` or ``disks`` says."""
    for line in lines:
        words = line.split()
        if words[:1] == ["disk"]:
            yield {"name": words[1], **dict(word.partition("=")[::2] for word in words[2:])}


def value(lines: list[str], word: str) -> str:
    """What stands behind a word in what a guest said. Raises HoldfastError when it did not say it."""
    found = [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == word]
    require(found, f"The guest did not say its {word}: {' | '.join(lines[-3:])}")
    return found[0]


def pattern_digest(seed: str, mib: int) -> str:
    """The SHA-256 of what ``pattern write`` writes."""
    digest = hashlib.sha256()
    for number in range(mib * (MIB // _CHUNK)):
        digest.update(f"{seed:<23} {number:07d}\n".encode())
        digest.update(_BODY)
    return digest.hexdigest()
