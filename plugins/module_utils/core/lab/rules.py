# SPDX-License-Identifier: Apache-2.0
"""Rules about the lab's machine and what it leaves in its cloud: things that are there, with names of their own."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from ..errors import Finding
from ..inventory.draft import Draft, address_of, entries, listed, rule
from ..inventory.schema import did_you_mean

SWITCHES, NICS, DISKS, IMAGES = "lab_switches", "lab_nics", "lab_disks", "lab_images"
_NIC = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,14}")
_DISK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


@rule
def switches(draft: Draft) -> Iterator[Finding]:
    """Switches have names of their own, and addresses that a machine can have."""
    yield from _twice(draft, SWITCHES, "lab.switch-twice", "switch")
    networks: list[tuple[str, ipaddress.IPv4Network]] = []
    for index, switch in entries(draft.variables.get(SWITCHES)):
        address, _, length = str(switch.get("address") or "").partition("/")
        if address and not (address_of(address) and re.fullmatch("[1-9]|[12][0-9]|30", length)):
            what = f"is {switch['address']!r}, which is no address with a prefix length."
            fix = "Give it such as 172.29.236.1/22, or take it out."
            yield draft.error("lab.switch-address", (SWITCHES, index, "address"), what, fix)
        elif address:
            network = ipaddress.IPv4Network(f"{address}/{length}", strict=False)
            if other := next((other for other, taken in networks if network.overlaps(taken)), None):
                what = f"is {switch['address']!r}, whose network overlaps that of {other}."
                fix = "Give each switch with an address a network of its own."
                yield draft.error("lab.switch-overlap", (SWITCHES, index, "address"), what, fix)
            networks.append((str(switch.get("name")), network))


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


@rule
def images(draft: Draft) -> Iterator[Finding]:
    """Images have names of their own, and go to stores that are there."""
    yield from _twice(draft, IMAGES, "lab.image-twice", "image")
    stores = [store["name"] for _, store in entries(draft.variables.get("glance_stores")) if "name" in store]
    for index, image in entries(draft.variables.get(IMAGES)):
        store = image.get("store")
        if store and store not in stores and not draft.was_refused(("glance_stores",)):
            what = f"is {store!r}, which is no store of glance_stores."
            fix = f"{did_you_mean(store, stores)}Stores: {listed(stores)}."
            yield draft.error("lab.image-store", (IMAGES, index, "store"), what, fix)


def _twice(draft: Draft, variable: str, code: str, noun: str) -> Iterator[Finding]:
    names: dict[str, int] = {}
    for index, entry in entries(draft.variables.get(variable)):
        name = entry.get("name")
        if name and (first := names.setdefault(name, index)) != index:
            what = f"is {name!r}, as in {variable}[{first}]."
            yield draft.error(code, (variable, index, "name"), what, f"Give each {noun} its own name.")
