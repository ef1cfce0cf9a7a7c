# SPDX-License-Identifier: Apache-2.0
"""Rules about the lab's machine: switches that are there, with names and addresses of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import Finding
from ..inventory.draft import Draft, address_of, entries, listed, rule
from ..inventory.schema import did_you_mean

SWITCHES, NICS, DISKS = "lab_switches", "lab_nics", "lab_disks"
_NIC = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,14}")
_DISK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


@rule
def switches(draft: Draft) -> Iterator[Finding]:
    """Switches have names of their own, and addresses that a machine can have."""
    names: dict[str, int] = {}
    for index, switch in entries(draft.variables.get(SWITCHES)):
        name = switch.get("name")
        if name and (first := names.setdefault(name, index)) != index:
            what = f"is {name!r}, as in {SWITCHES}[{first}]."
            yield draft.error("lab.switch-twice", (SWITCHES, index, "name"), what, "Give each switch its own name.")
        address, _, length = str(switch.get("address") or "").partition("/")
        if address and not (address_of(address) and re.fullmatch("[1-9]|[12][0-9]|30", length)):
            what = f"is {switch['address']!r}, which is no address with a prefix length."
            fix = "Give it such as 172.29.236.1/22, or take it out."
            yield draft.error("lab.switch-address", (SWITCHES, index, "address"), what, fix)


@rule
def plugs(draft: Draft) -> Iterator[Finding]:
    """NICs and disks of the lab's hosts have names that can be, and NICs are plugged into switches that are there."""
    known = [switch["name"] for _, switch in entries(draft.variables.get(SWITCHES)) if "name" in switch]
    for host in draft.hosts.values():
        for variable, form in ((NICS, _NIC), (DISKS, _DISK)):
            for name in host.variables.get(variable) or {}:
                if not form.fullmatch(name):
                    what = f"{name!r} is no name of a {'NIC' if variable == NICS else 'disk'}."
                    fix = "Use letters, digits, dots, hyphens and underscores."
                    yield draft.error("lab.name", (variable, name), what, fix, host)
        for nic, switch in (host.variables.get(NICS) or {}).items():
            if known and switch not in known and not draft.was_refused((SWITCHES,)):
                hint = did_you_mean(switch, known)
                fix = f"{hint}Switches: {listed(known)}."
                what = f"is {switch!r}, which is no switch of {SWITCHES}."
                yield draft.error("lab.switch-unknown", (NICS, nic), what, fix, host)
