# SPDX-License-Identifier: Apache-2.0
"""What hosts of a lab have left on the machine, whatever they run as: found by name alone, and removed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence

from ..errors import HoldfastError
from ..host_io import IO
from . import owner
from .names import CGROUP, LINK_ALIAS, PREFIX, RUN

_DISK = re.compile(r"/disks/(?P<host>[^/]+)/holdfast-lab-[^/]+\.img(?: \(deleted\))?$")
SETTLE_SECONDS = 20
"""How long the kernel may take to let go of processes and loop devices."""


def find(io: IO) -> dict[str, list[str]]:
    """What each host that has left anything on the machine has left, from names alone."""
    found: dict[str, list[str]] = {}

    def trace(host: str, what: str) -> None:
        found.setdefault(host, []).append(what)

    for host, paths in groups(io).items():
        for path in paths:
            trace(host, f"control group {path}")
    for name in io.listdir("/run/netns"):
        if name.startswith(PREFIX):
            trace(name.removeprefix(PREFIX), f"network namespace {name}")
    for name, host in _links(io):
        trace(host, f"link {name}")
    for device, host in _loops(io):
        trace(host, f"loop device {device}")
    for host in io.listdir(f"{RUN}/hosts"):
        trace(host, f"{RUN}/hosts/{host}")
    return found


def groups(io: IO) -> dict[str, list[str]]:
    """Control groups of each host, that of version 2 first."""
    found: dict[str, list[str]] = {}
    for parent in owner.groups(io):
        for name in io.listdir(parent):
            path = f"{parent}/{name}"
            if io.exists(f"{path}/cgroup.procs"):
                host = name.removeprefix(f"{PREFIX}lab-").removesuffix(".service")
                found.setdefault(host, []).append(path)
    return found


def clear(io: IO, hosts: Sequence[str]) -> None:
    """Remove all traces of hosts, dead or alive. Their connections end before their networks do, so peers notice."""
    own = [group for host, found in groups(io).items() if host in hosts for group in found]
    for group in own:
        if io.exists(f"{group}/cgroup.kill"):
            # systemd may remove the group meanwhile; whether processes are left is asked below.
            io.run(["tee", f"{group}/cgroup.kill"], stdin="1", check=False)
    if not wait(lambda: not owner.processes(io, *own), SETTLE_SECONDS):
        raise HoldfastError(f"Processes {', '.join(owner.processes(io, *own))} do not end, killed as they are.")
    for name, host in _links(io):
        if host in hosts:
            io.run(["ip", "link", "delete", name])
    for name in io.listdir("/run/netns"):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) in hosts:
            io.run(["ip", "netns", "delete", name])
    for device, host in _loops(io):
        if host in hosts:
            io.run(["losetup", "--detach", device])
    if not wait(lambda: not any(host in hosts for _, host in _loops(io)), SETTLE_SECONDS):
        devices = [device for device, host in _loops(io) if host in hosts]
        raise HoldfastError(f"{', '.join(devices)} can not be detached: something still has it mounted or open.")
    parents = {group.rpartition("/")[0] for group in own if f"/{CGROUP}/" in group}
    # Depth first: a control group goes when it has no children. Where systemd makes them, it removes them too.
    for group in own:
        io.run(["find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"], check=False)
    for parent in parents:
        io.run(["rmdir", "--ignore-fail-on-non-empty", parent], check=False)
    for host in hosts:
        io.run(["rm", "-rf", "--one-file-system", f"{RUN}/hosts/{host}"])


def wait(done: Callable[[], bool], seconds: float) -> bool:
    """Whether ``done()`` became true in time."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _links(io: IO) -> list[tuple[str, str]]:
    """(link, host) of the switches' ends of all hosts."""
    links = json.loads(io.run(["ip", "-json", "link", "show"]).out)
    words = ((entry["ifname"], entry.get("ifalias", "").split(" ")) for entry in links)
    return [(name, alias[1]) for name, alias in words if len(alias) == 3 and alias[0] == LINK_ALIAS]


def _loops(io: IO) -> list[tuple[str, str]]:
    """(device, host) of the loop devices on disk images of all hosts.

    The kernel lists those of other machines that are containers on it, too; their devices are not here.
    """
    listing = io.run(["losetup", "--json", "--list", "--output", "NAME,BACK-FILE"]).out
    devices = json.loads(listing or "{}").get("loopdevices", ())
    matches = ((entry["name"], _DISK.search(entry["back-file"] or "")) for entry in devices)
    return [(name, match["host"]) for name, match in matches if match and io.exists(name)]
