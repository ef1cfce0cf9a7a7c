# SPDX-License-Identifier: Apache-2.0
"""systemd units that run, and run with what stands now.

What a unit was started with (files and package versions, by digest) is kept on the host. A unit whose record differs
is restarted, so a restart that a killed run owed happens in the next one: there is no handler to lose. One that has no
inputs, such as a target, has nothing to be restarted for.
"""

from __future__ import annotations

import re
import socket
import time
from typing import Any

from ...change import Change, Plan
from ...errors import Finding, HoldfastError
from ...host_io import IO
from ..system import STATE, SYSTEMCTL, record, recorded, versions

RECORDS = f"{STATE}/units"
START_SECONDS = 90
# An API listens long before its workers have loaded it, which takes an emulated host minutes.
SERVE_SECONDS = 300
# A unit that listens on nothing counts as started when its process has stayed for so long.
STEADY_SECONDS = 4
EVERYWHERE = ("0.0.0.0", "*", "::")  # noqa: S104 - how ss writes it


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "units": [unit["name"] for unit in wanted["units"]],
        "paths": sorted(
            {entry["path"] for unit in wanted["units"] for entry in unit["inputs"] or () if not entry.get("sha256")}
        ),
        "packages": sorted({name for unit in wanted["units"] for name in unit["packages"] or ()}),
        "listens": {
            unit["name"]: [place.partition("/")[0] for place in unit["listens"]]
            for unit in wanted["units"]
            if unit.get("listens")
        },
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """What systemd, the files and the packages say.

    ``{units: {name: {active, sub, enabled, static, started_with}}, files: {path: sha256}, versions: {name: version}}``.
    ``static`` are those that start as part of others, and can be neither enabled nor disabled.
    """
    names = asked["units"]
    shown = io.run(
        [SYSTEMCTL, "show", "--property=Id,Names,LoadState,ActiveState,SubState,UnitFileState", *names], check=False
    )
    states: dict[str, dict[str, str]] = {}
    for name, block in zip(names, shown.out.split("\n\n"), strict=False):
        states[name] = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    units = {}
    for name in names:
        state = states.get(name, {})
        static = state.get("UnitFileState") in ("static", "alias", "generated")
        units[name] = {
            "active": state.get("ActiveState", "inactive"),
            "sub": state.get("SubState", "dead"),
            "enabled": static or state.get("UnitFileState") in ("enabled", "enabled-runtime"),
            "static": static,
            "started_with": recorded(io, f"{RECORDS}/{name}.json"),
        }
        if units[name]["active"] not in ("active", "activating", "reloading"):
            units[name]["taken"] = {
                place: who for place in asked["listens"].get(name, ()) if (who := _taken(io, place))
            }
    return {
        "units": units,
        "files": {path: io.digest(path) for path in asked["paths"]},
        "versions": versions(io, asked["packages"]),
    }


def _taken(io: IO, place: str) -> str:
    """Who listens on ``address:port`` already, by name, or an empty string."""
    address, _, port = place.rpartition(":")
    listed = io.run(["/usr/bin/ss", "-Hltnp", f"sport = :{port}"], check=False).out
    for line in listed.splitlines():
        columns = line.split(None, 5)
        if len(columns) > 3 and columns[3].rpartition(":")[0].strip("[]") in (address, *EVERYWHERE):
            process = re.search(r'\(\("([^"]+)",pid=(\d+)', line)
            return f"{process[1]} (process {process[2]})" if process else "another process"
    return ""


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    changes = []
    findings = []
    for unit in wanted["units"]:
        name, now = unit["name"], current["units"].get(unit["name"], {})
        if unit.get("state") == "stopped":
            if now.get("active") in ("active", "activating", "reloading"):
                changes.append(Change(name, "stop", before="active", after="stopped", data=unit))
            if now.get("enabled") and not now.get("static") and not unit.get("enabled"):
                changes.append(Change(name, "disable", before="enabled", after="disabled", data=unit))
            continue
        if unit.get("enabled") and not now.get("enabled"):
            changes.append(Change(name, "enable", before="disabled", after="enabled", data=unit))
        inputs = _inputs(unit, current)
        data = {**unit, "started_with": inputs}
        if now.get("active") != "active" or now.get("sub") == "auto-restart":
            findings += [_port_taken(name, place, who) for place, who in now.get("taken", {}).items()]
            changes.append(Change(name, "start", before=now.get("active", "inactive"), after="active", data=data))
        elif inputs and now.get("started_with") != inputs:
            before, after = _differing(now.get("started_with"), inputs)
            changes.append(Change(name, _verb(unit, now.get("started_with"), inputs), before, after, data))
    return Plan(changes, findings)


def _verb(unit: dict[str, Any], old: dict[str, Any] | None, new: dict[str, Any]) -> str:
    """What becomes of a unit that runs with something else. What a package started serves nobody yet."""
    if not old:
        return "adopt"
    by_reload = unit.get("reload") and (unit.get("reload_packages") or _only_files(old, new))
    return "reload" if by_reload else "restart"


def _port_taken(unit: str, place: str, who: str) -> Finding:
    return Finding(
        "error",
        "unit.port_taken",
        unit,
        f"It has to listen on {place}, where {who} listens already.",
        "Stop that process and keep it from starting, then run again.",
    )


def _inputs(unit: dict[str, Any], current: dict[str, Any]) -> dict[str, str | None]:
    files = {
        entry["path"]: entry.get("sha256") or current["files"].get(entry["path"]) for entry in unit["inputs"] or ()
    }
    return {**files, **{f"package {name}": current["versions"].get(name) for name in unit["packages"] or ()}}


def _differing(old: dict[str, str] | None, new: dict[str, Any]) -> tuple[str, str]:
    names = sorted(name for name in {**(old or {}), **new} if (old or {}).get(name) != new.get(name))
    if not old:
        return "started by something else", "started with: " + ", ".join(names)
    lines = [
        (f"{name}: {str(old.get(name) or 'absent')[:16]}", f"{name}: {str(new.get(name) or 'absent')[:16]}")
        for name in names
    ]
    return "\n".join(line[0] for line in lines), "\n".join(line[1] for line in lines)


def _only_files(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return not any(name.startswith("package ") for name in {**old, **new} if old.get(name) != new.get(name))


def apply(io: IO, plan: Plan) -> None:
    io.run([SYSTEMCTL, "daemon-reload"])
    by_verb: dict[str, list[Change]] = {}
    for change in plan:
        by_verb.setdefault(change.action, []).append(change)
    for verb in ("stop", "disable", "enable"):
        if names := [change.subject for change in by_verb.get(verb, ())]:
            io.run([SYSTEMCTL, verb, *(["--quiet"] if verb != "stop" else []), *names])
    if stopped := [change.subject for change in by_verb.get("stop", ())]:
        # What had to be killed, or ends with another code than 0, counts as failed, and nobody wants it back.
        io.run([SYSTEMCTL, "reset-failed", *stopped], check=False)
    started = [change for verb in ("start", "adopt", "restart", "reload") for change in by_verb.get(verb, ())]
    if not started:
        return
    names = [change.subject for change in started]
    io.run([SYSTEMCTL, "reset-failed", *names], check=False)
    if reloads := [change.subject for change in by_verb.get("reload", ())]:
        io.run([SYSTEMCTL, "reload", *reloads])
    if restarts := [name for name in names if name not in reloads]:
        result = io.run([SYSTEMCTL, "restart", *restarts], check=False)
        if result.rc != 0:
            raise HoldfastError(_why_not(io, restarts, result.err.strip()))
    _wait(io, started)
    for change in started:
        record(io, f"{RECORDS}/{change.subject}.json", change.data["started_with"])


def _wait(io: IO, started: list[Change]) -> None:
    """Until each unit is active and stays so, and answers where it should."""
    began = time.monotonic()
    names = [change.subject for change in started]
    waiting = {place for change in started for place in change.data.get("listens") or ()}
    limit = SERVE_SECONDS if any("/" in place for place in waiting) else START_SECONDS
    silent_units = any(not change.data.get("listens") and change.data["started_with"] for change in started)
    show = [SYSTEMCTL, "show", "--property=ActiveState,SubState,MainPID,NRestarts", *names]
    seen, since = "", began
    while True:
        states = io.run(show, check=False).out
        steady = states.count("ActiveState=active") == len(names) and "auto-restart" not in states
        waiting = {place for place in waiting if not _answers(place)}
        now = time.monotonic()
        if states != seen or not steady or waiting:
            seen, since = states, now
        elif now - since >= (STEADY_SECONDS if silent_units else 0):
            return
        if now - began > limit:
            silent = f" Nothing answers on {', '.join(sorted(waiting))}." if waiting else ""
            raise HoldfastError(_why_not(io, names, f"not steady within {limit} s.{silent}"))
        time.sleep(0.4)


def _answers(place: str) -> bool:
    """Whether something listens on ``address:port``; with ``/path`` behind it, whether a GET of that succeeds."""
    place, slash, path = place.partition("/")
    address, _, port = place.rpartition(":")
    try:
        with socket.create_connection((address.strip("[]"), int(port)), timeout=1) as connection:
            return not slash or _serves(connection, f"/{path}")
    except OSError:
        return False


def _serves(connection: socket.socket, path: str) -> bool:
    connection.settimeout(10)
    connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    with connection.makefile("rb") as answer:
        return bool(re.match(rb"HTTP/\d\.\d [23]", answer.readline(64)))


def _why_not(io: IO, names: list[str], reason: str) -> str:
    """The reason with the last journal lines of the units that are not active."""
    lines = [reason]
    for name in names:
        if io.run([SYSTEMCTL, "is-active", name], check=False).out.strip() != "active":
            journal = io.run(["/usr/bin/journalctl", "-u", name, "-n", "8", "--no-pager", "-o", "cat"], check=False)
            lines.append(f"{name}: {journal.out.strip() or 'no journal'}")
    lines.append("Fix what the journal says (journalctl -u UNIT on the host) and run it again.")
    return "Units did not start: " + "\n".join(lines)
