# SPDX-License-Identifier: Apache-2.0
"""Options that the site gives to cinder's drivers, looked up among those that the installed cinder knows.

A misspelt option is silently ignored by cinder. Its own validator takes seconds, so it is asked once for each set of
names and version of cinder; what it approved is kept on the host. Values are the driver's business.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from ...change import Change, Plan
from ...errors import Finding, HoldfastError
from ...host_io import IO

RECORD = "/var/lib/holdfast/driver-options.json"
VALIDATOR = "/usr/bin/oslo-config-validator"
PACKAGE = "cinder-common"
# Where an option of any driver may stand.
SECTION = "backend_defaults"
_UNKNOWN = re.compile(rf"{SECTION}/(\S+) is not part of the sample config")


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"options": sorted({name for backend in wanted["backends"] for name in backend["options"]})}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{approved, version, key, unknown: [name]}``. ``version`` is cinder's, empty where there is none to ask."""
    listed = io.run(["/usr/bin/dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Version}", PACKAGE], check=False)
    version = listed.out[3:] if listed.rc == 0 and listed.out.startswith("ii") else ""
    key = hashlib.sha256(json.dumps([version, asked["options"]]).encode()).hexdigest()
    approved = bool(version) and io.read_text(RECORD) == key
    unknown = [] if approved or not version else _unknown(io, asked["options"])
    return {"approved": approved, "version": version, "key": key, "unknown": unknown}


def _unknown(io: IO, options: list[str]) -> list[str]:
    content = f"[{SECTION}]\n" + "".join(f"{name} = 1\n" for name in options)
    argv = [VALIDATOR, "--namespace", "cinder", "--input-file", "/dev/stdin"]
    told = io.run(argv, stdin=content, check=False, timeout=120)
    unknown = _UNKNOWN.findall(told.out + told.err)
    if told.rc not in (0, 1) or (told.rc == 1 and not unknown):
        raise HoldfastError(f"`{' '.join(argv)}` gave no answer: {(told.err or told.out).strip()[-500:]}")
    return sorted(unknown)


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    findings = _findings(current, wanted)
    if findings or current["approved"]:
        return Plan((), findings)
    names = "\n".join(question(wanted)["options"])
    return Plan([Change("options of cinder's drivers", "check", after=names, data={"wanted": wanted})])


def _findings(current: dict[str, Any], wanted: dict[str, Any]) -> list[Finding]:
    return [
        Finding(
            "error",
            "cinder.option-unknown",
            f"cinder_backends: {backend['name']}: options.{name}",
            f"No driver of the installed cinder ({current['version']}) has the option: it would be ignored.",
            "Correct its name; the driver's page in cinder's documentation lists its options.",
        )
        for backend in wanted["backends"]
        for name in backend["options"]
        if name in current["unknown"]
    ]


def apply(io: IO, plan: Plan) -> None:
    """What could not be asked before cinder was installed is asked now, before cinder reads it."""
    wanted = plan.changes[0].data["wanted"]
    current = read(io, question(wanted))
    if not current["version"]:
        raise HoldfastError(f"The package {PACKAGE} is missing. Fix: apply the phase packages first.")
    if refused := _findings(current, wanted):
        raise HoldfastError(" ".join(map(str, refused)), refused)
    io.write(RECORD, current["key"], mode="0600")
