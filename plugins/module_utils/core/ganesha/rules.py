# SPDX-License-Identifier: Apache-2.0
"""Rules about NFS servers of CephFS: each has an address that can move, and a Ceph whose manager can tell of it."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..inventory.draft import Draft, address_of, listed, rule
from ..inventory.schema import did_you_mean
from .nodes import ADDRESSES, GROUP, router

GRACE, LEASE = "ganesha_grace_seconds", "ganesha_lease_seconds"


@rule
def addresses(draft: Draft) -> Iterator[Finding]:
    """Each host of the group has an address for its server, on br-storage, and nobody else has one."""
    given = draft.variables.get(ADDRESSES)
    if draft.was_refused((ADDRESSES,)) or not isinstance(given, dict):
        return
    members = [host.name for host in draft.group(GROUP)]
    for name in members:
        if name not in given:
            yield draft.error(
                "ganesha.address-missing",
                (ADDRESSES, name),
                f"is missing: {name} is in {GROUP}, and its server has no address that could move.",
                "Give a free address of br-storage.",
            )
    storage = draft.networks.get("storage")
    seen: dict[int, str] = {}
    for name, text in given.items():
        if name not in members:
            hint = did_you_mean(name, members)
            yield draft.error(
                "ganesha.address-unknown",
                (ADDRESSES, name),
                f"is an address for {name!r}, which is no host of {GROUP}.",
                f"{hint}Put the host into the group, or take this out.",
            )
        address = address_of(str(text))
        if not address:
            continue
        if storage and (address not in storage.cidr or address in (storage.cidr[0], storage.cidr[-1])):
            yield draft.error(
                "ganesha.network",
                (ADDRESSES, name),
                f"is {text}, no host's address of br-storage ({storage.cidr}): shares are exported there alone.",
                "Give a free address of br-storage.",
            )
        first = seen.setdefault(router(str(text)), name)
        if first != name:
            yield draft.error(
                "ganesha.router",
                (ADDRESSES, name),
                f"is {text}, whose last number is that of {first}'s: hosts tell addresses that move by it.",
                "Give an address with another last number.",
            )


@rule
def times(draft: Draft) -> Iterator[Finding]:
    """A client has to be able to come back before others get what it had."""
    lease, grace = draft.variables.get(LEASE), draft.variables.get(GRACE)
    if draft.group(GROUP) and isinstance(lease, int) and isinstance(grace, int) and grace <= lease:
        yield draft.error(
            "ganesha.grace",
            (GRACE,),
            f"is {grace}, and a client asks every {lease} seconds ({LEASE}): it would come too late for its locks.",
            f"Set it to more than {lease}, best to twice that.",
        )


@rule
def manager(draft: Draft) -> Iterator[Finding]:
    """The manager of Ceph is one that can be told where the servers are."""
    members = draft.group(GROUP)
    if not members:
        return
    if draft.variables.get("ceph_external"):
        yield draft.error(
            "ganesha.external",
            (GROUP,),
            f"{listed(host.name for host in members)} would serve a cluster that others administer: its manager does "
            "not learn from Holdfast where NFS servers are.",
            "Let those who administer it run the NFS servers, and name their cluster in manila_backends.",
        )
    elif not draft.variables.get("ceph_filesystems"):
        yield draft.error(
            "ganesha.no-files",
            ("ceph_filesystems",),
            f"has no file system, and {listed(host.name for host in members)} "
            f"{'serve' if len(members) > 1 else 'serves'} files of CephFS.",
            f"Describe one, or take the hosts out of {GROUP}.",
        )


@rule
def alone(draft: Draft) -> Iterator[Finding]:
    """With one host nothing takes over."""
    members = draft.group(GROUP)
    if len(members) == 1:
        yield draft.advice(
            "ganesha.alone",
            (GROUP,),
            f"{members[0].name} is alone: while it is away, nobody reaches shares over its NFS server.",
            "Put a second host into the group.",
        )
