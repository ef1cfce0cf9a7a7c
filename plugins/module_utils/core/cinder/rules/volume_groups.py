# SPDX-License-Identifier: Apache-2.0
"""Rules about volumes in volume groups of a host: their disks, their ways, and what is lost with the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import Finding
from ...inventory.draft import Draft, DraftHost, address_of, entries, listed, rule
from ...inventory.schema import KeyPath, dotted
from .backends import BACKENDS, listed_backends

_TRUE = ("true", "1", "yes", "on")
_ADDRESSES = (
    "target_ip_address",
    "target_port",
    "target_secondary_ip_addresses",
    "iscsi_ip_address",
    "iscsi_port",
    "iscsi_secondary_ip_addresses",
)
PORTALS = "cinder_portal_addresses"
WAIT = "cinder_volumes_wait_seconds"
GIVE_UP = ("attach_give_up_seconds", "attach_give_up_one_way_seconds")
POLLING_SECONDS = 5
"""How often multipathd looks (roles/attach/service.yml): it counts in these."""
NOTICING_SECONDS = 30
"""Until a host knows that a server is gone, at most: iSCSI asks each 5 seconds, waits 5 for the answer, and 5 more
before another way is taken; NVMe takes no longer. The rest is for a machine that is busy."""


@rule
def devices(draft: Draft) -> Iterator[Finding]:
    """A volume group has disks, and what it takes over is named."""
    for host, group, members in _volume_groups(draft):
        if not any(backend.get("devices") for _, backend in members):
            index = members[0][0]
            if not draft.was_refused((BACKENDS, index, "devices"), host):
                yield draft.error(
                    "lvm.no-devices",
                    (BACKENDS, index, "devices"),
                    f"is missing: the volume group {group} has no disk.",
                    "List its disks by their names under /dev/disk/by-id.",
                    host,
                )
    for host in draft.group("cinder_volume"):
        for index, backend in entries(host.variables.get(BACKENDS)):
            if backend.get("type") == "lvm":
                yield from _given_up(draft, host, index, backend)


def _given_up(draft: Draft, host: DraftHost, index: int, backend: Mapping[str, Any]) -> Iterator[Finding]:
    """What is given up or adopted is named word for word."""
    for place, device in enumerate(backend.get("wipe") or ()):
        if device not in (backend.get("devices") or ()) and isinstance(device, str):
            yield draft.error(
                "lvm.wipe",
                (BACKENDS, index, "wipe", place),
                f"is {device!r}, which is none of the devices of this back end.",
                "Repeat the device word for word, or take it out.",
                host,
            )
    if "adopt" in backend and backend["adopt"] != backend.get("volume_group"):
        yield draft.error(
            "lvm.adopt",
            (BACKENDS, index, "adopt"),
            f"is {backend['adopt']!r}, and the volume group is {backend.get('volume_group')!r}.",
            "Repeat the name of the volume group, or take it out.",
            host,
        )


@rule
def shared(draft: Draft) -> Iterator[Finding]:
    """Back ends that share a volume group differ in their protocol, and say the same of the rest."""
    for host, group, members in _volume_groups(draft):
        seen: dict[str, int] = {}
        for index, backend in members:
            first = seen.setdefault(_protocol(draft, backend), index)
            if first != index:
                yield draft.error(
                    "lvm.twice",
                    (BACKENDS, index, "volume_group"),
                    f"is {group!r}, as in {BACKENDS}[{first}], by the same protocol.",
                    "Give each back end a volume group, or one of them the other protocol (iscsi, nvmet_tcp).",
                    host,
                )
        if len({bool(backend.get("thin", True)) for _, backend in members}) > 1:
            index = members[-1][0]
            yield draft.error(
                "lvm.thin",
                (BACKENDS, index, "thin"),
                f"differs from that of {BACKENDS}[{members[0][0]}], which has the same volume group {group}.",
                "Say the same in both.",
                host,
            )


@rule
def options(draft: Draft) -> Iterator[Finding]:
    """What protects volumes is not switched off, and a promise of space is one that can be kept."""
    for host, index, backend in listed_backends(draft):
        if backend.get("type") != "lvm":
            continue
        given = backend.get("options") or {}
        if _protocol(draft, backend) == "iscsi" and str(given.get("use_chap_auth", True)).lower() not in _TRUE:
            yield draft.error(
                "lvm.chap-off",
                (BACKENDS, index, "options", "use_chap_auth"),
                "is false: whoever is on br-storage could attach any volume.",
                "Take it out: cinder makes the credentials of each volume itself.",
                host,
            )
        for name in given:
            if name.lower().replace("-", "_") in _ADDRESSES:
                yield draft.error(
                    "lvm.address",
                    (BACKENDS, index, "options", name),
                    f"is {given[name]!r}, and volumes are served on the host's address on br-storage alone.",
                    f"Take it out; further ways go into {PORTALS}.",
                    host,
                )
        if "oversubscription" in backend and not backend.get("thin", True):
            yield draft.error(
                "lvm.oversubscription",
                (BACKENDS, index, "oversubscription"),
                "means nothing without thin: each volume has its space.",
                "Take it out.",
                host,
            )
        elif backend.get("oversubscription", 1) > 1:
            yield draft.advice(
                "lvm.oversubscription",
                (BACKENDS, index, "oversubscription"),
                f"is {backend['oversubscription']}: more space is promised than there is. When the pool is full, "
                "writes of all its volumes fail.",
                "Watch the pool (lvs -o +data_percent,metadata_percent) and add disks in time.",
                host,
            )


@rule
def portals(draft: Draft) -> Iterator[Finding]:
    """Further ways lie on br-storage, belong to the host alone, and are for hosts that serve volumes."""
    storage = draft.networks.get("storage")
    owners: dict[str, str] = {}
    for host in draft.hosts.values():
        if (own := draft.given_address(host, "storage")) is not None:
            owners.setdefault(own, f"the address of {host.name}")
    for host in draft.hosts.values():
        given = host.variables.get(PORTALS) or ()
        serves = (
            any(backend.get("type") == "lvm" for _, backend in entries(host.variables.get(BACKENDS)))
            and "cinder_volume" in host.groups
        )
        if given and not serves:
            yield draft.error(
                "lvm.portals-unused",
                (PORTALS,),
                "is given, and no back end of the type lvm is on the host.",
                "Take it out.",
                host,
            )
            continue
        for place, text in enumerate(given):
            path: KeyPath = (PORTALS, place)
            address = address_of(str(text))
            if storage is None or address is None:
                continue
            why = ""
            pool = draft.ranges["storage"]
            if address not in storage.cidr or address in (storage.cidr[0], storage.cidr[-1]):
                why = f"is no host's address of br-storage, {storage.cidr}."
            elif storage.pool and pool.first <= address <= pool.last:
                why = f"is in the pool from which addresses are assigned, {pool.first} to {pool.last}."
            elif not storage.pool:
                why = "could be assigned to another host: networks_bridges.storage has no pool."
            elif places := [dotted(path) for path, holder in draft.outsiders if holder == address]:
                why = f"is given in {listed(places)} too, where it is a machine that is no host of the inventory."
            elif (other := owners.setdefault(str(address), f"a portal of {host.name}")) != f"a portal of {host.name}":
                why = f"is {other} already."
            if why:
                yield draft.error(
                    "lvm.portal",
                    path,
                    f"is {text}, and {why}",
                    "Give an address of br-storage outside networks_bridges.storage.pool that nobody has.",
                    host,
                )


@rule
def given_up(draft: Draft) -> Iterator[Finding]:
    """Hosts have given a lost volume up when the server brings it back: docs/adr/0012 tells what would be lost else."""
    seconds = {name: draft.variables[name] for name in (WAIT, *GIVE_UP) if name in draft.variables}
    with_multipath = seconds.get(GIVE_UP[0], 0)
    if with_multipath % POLLING_SECONDS:
        yield draft.error(
            "lvm.give-up",
            (GIVE_UP[0],),
            f"is {with_multipath}, and multipath counts in {POLLING_SECONDS} seconds.",
            f"Set it to a multiple of {POLLING_SECONDS}.",
        )
    if not any(backend.get("type") == "lvm" for _, _, backend in listed_backends(draft)) or WAIT not in seconds:
        return
    wait = seconds.pop(WAIT)
    longest = max(seconds, key=lambda name: seconds[name], default=None)
    if longest and wait < (least := seconds[longest] + NOTICING_SECONDS):
        yield draft.error(
            "lvm.wait",
            (WAIT,),
            f"is {wait}, and a host that lost a volume may wait for {seconds[longest]} seconds ({longest}), "
            f"and needs {NOTICING_SECONDS} to notice: it would take for written what the server lost with its power.",
            f"Set it to {least} or more, or lower {longest}.",
        )


@rule
def one_host(draft: Draft) -> Iterator[Finding]:
    """What is lost with the host is said before it happens."""
    for host, index, backend in listed_backends(draft, every=True):
        if backend.get("type") != "lvm":
            continue
        name = backend.get("name")
        yield draft.advice(
            "lvm.one-host",
            (BACKENDS, index, "type"),
            f"is lvm: the volumes of {name} are on this host alone. While it is down or reboots, as for a new kernel, "
            "every instance that uses one stands still and then fails; when its disks are lost, so are the volumes.",
            "Use it to try things out; for production use rbd or an array. Back volumes up.",
            host,
        )
        if _protocol(draft, backend) == "nvmet_tcp":
            yield draft.advice(
                "lvm.no-secret",
                (BACKENDS, index, "protocol"),
                "is nvmet_tcp, by which cinder asks for no secret: every host that the firewall lets through "
                f"({listed(draft.domain.uses.get('volumes', ()))}) can attach any volume of {name}.",
                "Use iscsi, which has CHAP, where those hosts do not trust each other.",
                host,
            )


def _protocol(draft: Draft, backend: Mapping[str, Any]) -> str:
    return draft.domain.backends["cinder"].types["lvm"].protocol(backend)


def _volume_groups(draft: Draft) -> Iterator[tuple[DraftHost, str, list[tuple[int, Mapping[str, Any]]]]]:
    """Each volume group of each host, with the back ends that have it, by their places."""
    for host in draft.group("cinder_volume"):
        found: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
        for index, backend in entries(host.variables.get(BACKENDS)):
            if backend.get("type") == "lvm" and "volume_group" in backend:
                found.setdefault(backend["volume_group"], []).append((index, backend))
        for group, members in found.items():
            yield host, group, members


@rule
def several_hosts(draft: Draft) -> Iterator[Finding]:
    """A back end of the type lvm has a name of its own on each host: its volumes are there and nowhere else."""
    holders: dict[str, list[DraftHost]] = {}
    places: dict[tuple[str, str], int] = {}
    for host, index, backend in listed_backends(draft, every=True):
        if backend.get("type") == "lvm" and "name" in backend:
            holders.setdefault(backend["name"], []).append(host)
            places[host.name, backend["name"]] = index
    for name, hosts in holders.items():
        if len(hosts) > 1:
            yield draft.error(
                "lvm.several-hosts",
                (BACKENDS, places[hosts[-1].name, name], "name"),
                f"is {name!r} on {len(hosts)} hosts ({listed(host.name for host in hosts)}), whose volume groups hold "
                "different volumes: one of the hosts could never take over for another.",
                "Give the back end another name on each host.",
                hosts[-1],
            )
