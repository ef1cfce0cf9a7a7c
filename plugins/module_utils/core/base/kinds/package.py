# SPDX-License-Identifier: Apache-2.0
"""Debian packages: one transaction per host for everything that its groups need.

Debian starts a service when its package is installed, with default settings on all addresses. Here a policy-rc.d
keeps it from that during the transaction, and the services and sockets that the packages enabled are disabled again:
a unit runs only once it is configured (kind ``unit``). What was enabled before is noted on the host, so that a run that
goes on where a killed one was disables the same.
"""

from __future__ import annotations

import json
import time
from typing import Any

from ...change import Change, Plan
from ...errors import Finding, HoldfastError
from ...host_io import IO, Result
from ..system import STATE, SYSTEMCTL, packages

POLICY = "/usr/sbin/policy-rc.d"
POLICY_TEXT = "#!/bin/sh\n# Holdfast: services start when they are configured.\nexit 101\n"
NOTE = f"{STATE}/units-before-packages.json"
# Seconds to wait for another who installs, such as Debian's own upgrades.
PATIENCE = 300
_OPTIONS = (f"DPkg::Lock::Timeout={PATIENCE}", "Dpkg::Options::=--force-confold")
APT = ("/usr/bin/apt-get", "-q", "-y", *(word for option in _OPTIONS for word in ("-o", option)))
# Of its three locks apt waits for dpkg's alone. It says so of the lists and of the archives, and gives up.
_TAKEN = "Could not get lock "
_PAUSE = 2.0


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"packages": wanted["packages"]}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{installed: {name: version}, broken, held: [name], interrupted: bool}``. Broken is what dpkg left half-way."""
    wanted = set(asked["packages"])
    installed: dict[str, str] = {}
    broken, held = [], []
    for name, status, version in packages(io):
        if status[1:2] in ("F", "H", "U", "W", "t") or status[2:3] == "R":
            broken.append(name)
        elif name in wanted and status[1:2] == "i":
            installed[name] = version
            if status[0] == "h":
                held.append(name)
    interrupted = io.read_text(POLICY) == POLICY_TEXT or io.exists(NOTE)
    return {"installed": installed, "broken": broken, "held": held, "interrupted": interrupted}


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    changes = []
    if current["broken"]:
        changes.append(Change("dpkg", "configure", before="interrupted: " + " ".join(sorted(current["broken"]))))
    missing = [name for name in wanted["packages"] if name not in current["installed"]]
    if missing:
        text = "\n".join(missing)
        changes.append(Change(_subject(missing), "install", after=text, data={"packages": missing}))
    if current["interrupted"] and not changes:
        changes.append(Change(POLICY, "delete", before="left by an interrupted run"))
    return Plan(changes, tuple(_held(name) for name in current["held"]))


def _held(name: str) -> Finding:
    return Finding(
        "advice",
        "package.held",
        name,
        "The package is held, so it gets no security updates.",
        f"apt-mark unhold {name}",
    )


def apply(io: IO, plan: Plan) -> None:
    environment = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
    foreign_policy = io.read_text(POLICY)
    before = _enabled_before(io)
    if foreign_policy is None:
        io.write(POLICY, POLICY_TEXT, mode="0755")
    try:
        for change in plan:
            if change.action == "configure":
                io.run(["/usr/bin/dpkg", "--force-confold", "--configure", "-a"], env=environment)
                _succeed(_apt(io, "install", "-f", environment=environment))
            elif change.action == "install":
                _install(io, change.data["packages"], environment)
        _disable(io, sorted(_enabled(io) - before))
        io.remove(NOTE)
    finally:
        if foreign_policy in (None, POLICY_TEXT):
            io.remove(POLICY)


def _install(io: IO, packages: list[str], environment: dict[str, str]) -> None:
    install = ("install", "--no-install-recommends", *packages)
    have_lists = any("_Packages" in name for name in io.listdir("/var/lib/apt/lists"))
    if have_lists and _apt(io, *install, environment=environment).rc == 0:
        return
    _succeed(_apt(io, "update", environment=environment))
    result = _apt(io, *install, environment=environment)
    if result.rc != 0:
        reason = (result.err.strip() or result.out.strip())[-2000:]
        raise HoldfastError(
            f"Installing {len(packages)} packages failed: {reason} "
            "Fix: make the package sources of the host reach Debian 13 with its updates and security suites, "
            "and run it again."
        )


def _apt(io: IO, *arguments: str, environment: dict[str, str]) -> Result:
    """Run apt-get, and again while another holds what it needs. A failure of any other kind is the caller's."""
    end = time.monotonic() + PATIENCE
    while True:
        result = io.run([*APT, *arguments], env=environment, check=False)
        if result.rc == 0 or _TAKEN not in result.err or time.monotonic() > end:
            return result
        time.sleep(_PAUSE)


def _succeed(result: Result) -> None:
    if result.rc != 0:
        fix = (
            "wait for the other one, and run again" if _TAKEN in result.err else "see to what that says, and run again"
        )
        raise HoldfastError(f"apt-get fails: {(result.err.strip() or result.out.strip())[-2000:]} Fix: {fix}.")


def _enabled_before(io: IO) -> set[str]:
    """What was enabled before the packages came, also when a killed run had begun with them."""
    noted = io.read_text(NOTE)
    if noted is not None:
        return set(json.loads(noted))
    before = _enabled(io)
    io.make_directory(STATE, mode="0700")
    io.write(NOTE, json.dumps(sorted(before)), mode="0600")
    return before


def _enabled(io: IO) -> set[str]:
    listed = io.run(
        [SYSTEMCTL, "list-unit-files", "--no-legend", "--state=enabled", "--type=service,socket"],
        check=False,
    )
    if listed.rc != 0 and listed.err.strip():
        # Taken for none enabled before, all that the host has would be disabled afterwards.
        raise HoldfastError(f"systemd tells no units: {listed.err.strip()[-500:]}. Fix: see `systemctl status`.")
    return {line.split()[0] for line in listed.out.splitlines() if line.strip()}


def _disable(io: IO, units: list[str]) -> None:
    if units:
        io.run([SYSTEMCTL, "disable", "--quiet", *units], check=False)


def _subject(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} packages"
