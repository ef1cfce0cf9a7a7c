# SPDX-License-Identifier: Apache-2.0
"""Rules about groups: what a service needs is there, and what is there is used."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from ...errors import Finding
from ...flows import ALL, ANY, FLOWS
from ..draft import Draft, listed, rule
from ..schema import nearest

# Their clients do without them as long as one host alone runs what would need them; rules of their own say when.
_OPTIONAL = ("etcd", "ceph_mon", "ceph_mgr", "ceph_osd", "ceph_mds", "nfs_server")

# One member until clusters of them are built.
_SINGLE = ("mariadb",)


@rule
def needed(draft: Draft) -> Iterator[Finding]:
    """The groups whose services a deployed service asks, as the flow table says, have members."""
    for group, by in sorted(_needs(draft).items()):
        state = "has no host" if group in draft.groups else "is missing"
        near = nearest(group, [name for name in draft.groups if name not in draft.known_groups])
        yield draft.error(
            "groups.missing",
            (group,),
            f"The group {group} {state}, and {listed(by)} need{'s' if len(by) == 1 else ''} it.",
            f"{f'Did you write {near} for it? ' if near else ''}Put a host into the group {group}.",
        )


def _needs(draft: Draft) -> dict[str, set[str]]:
    """Groups without a host, and the groups that need them."""
    needs: dict[str, set[str]] = {}
    for flow in FLOWS:
        if flow.is_frontend or flow.servers in _OPTIONAL or flow.servers not in draft.known_groups:
            continue
        if not draft.group(flow.servers):
            for client in flow.clients:
                if client not in (ALL, ANY, "haproxy") and draft.group(client):
                    needs.setdefault(flow.servers, set()).add(client)
        elif flow.balanced:
            if not draft.group("haproxy"):
                needs.setdefault("haproxy", set()).add(flow.servers)
            if flow.realm not in ("base", "identity") and not draft.group("keystone"):
                needs.setdefault("keystone", set()).add(flow.servers)
    if draft.group("swift_storage") and not draft.group("swift_proxy"):
        needs.setdefault("swift_proxy", set()).add("swift_storage")
    return needs


@rule
def empty(draft: Draft) -> Iterator[Finding]:
    """A known group that the inventory names has a host."""
    needed_anyway = _needs(draft)
    for group in sorted(draft.known_groups):
        if group in draft.groups and not draft.groups[group] and group not in needed_anyway:
            yield draft.error(
                "groups.empty",
                (group,),
                f"The group {group} is in the inventory and has no host.",
                "Put a host into it, or take the group out.",
            )


@rule
def nothing(draft: Draft) -> Iterator[Finding]:
    """Some host has a service."""
    if draft.hosts and not draft.group(*draft.known_groups):
        yield draft.advice(
            "groups.none",
            (),
            "No host is in a group of a service: only networks are made.",
            f"Put hosts into groups: {listed(draft.known_groups)}.",
        )


@rule
def misspelt(draft: Draft) -> Iterator[Finding]:
    """A group that is nearly a known one: its hosts would silently go without the service."""
    known, missing = draft.known_groups, _needs(draft)  # Of what is missing, the near name was told there.
    for group in sorted(set(draft.groups) - known):
        meant = _nearly(group, known)
        if meant and meant not in missing and set(draft.groups[group]) - set(draft.groups.get(meant, ())):
            yield draft.error(
                "groups.misspelt",
                (group,),
                f"The group {group} means nothing to Holdfast, and is nearly {meant}.",
                f"Rename it to {meant}, or to something else.",
            )


def _nearly(group: str, known: frozenset[str]) -> str | None:
    """The known group that a name is nearly; a part of one, such as ceph_osd_ssd, is a group of the site's own."""
    plain = group.lower().replace("-", "_")
    match = difflib.get_close_matches(plain, sorted(known), n=1, cutoff=0.8)
    return match[0] if match and not plain.startswith(f"{match[0]}_") else None


@rule
def even(draft: Draft) -> Iterator[Finding]:
    """A majority of the message queue's hosts is always on one side only."""
    members = draft.group("rabbitmq")
    if members and len(members) % 2 == 0:
        yield draft.error(
            "groups.even",
            ("rabbitmq",),
            f"The group rabbitmq has {len(members)} hosts: when half of them are away, the others stop too.",
            "Give it one, three or five hosts.",
        )


@rule
def single(draft: Draft) -> Iterator[Finding]:
    """Services that can not be clustered yet run on one host."""
    for group in _SINGLE:
        members = draft.group(group)
        if len(members) > 1:
            yield draft.error(
                "groups.single-only",
                (group,),
                f"The group {group} has {len(members)} hosts, and clusters of it are not built yet.",
                "Leave one host in the group.",
            )


@rule
def unused(draft: Draft) -> Iterator[Finding]:
    """A variable that is set for a service which no host runs: the service's group was forgotten."""
    for role in ("keystone", "glance", "swift", "cinder", "ceph"):
        groups = [group for group in draft.known_groups if group == role or group.startswith(f"{role}_")]
        names = [name for name in draft.given if name.startswith(f"{role}_")]
        here = " or ".join(sorted(groups))
        if role == "ceph" and draft.variables.get("ceph_external"):
            continue  # Another's cluster, and clients are in groups of their own services.
        if names and groups and not draft.group(*groups):
            yield draft.error(
                "groups.unused-variable",
                (min(names),),
                f"{listed(names)} {'is' if len(names) == 1 else 'are'} set, and no host is in {here}.",
                f"Put a host into {here}, or take the variables out.",
            )


@rule
def alone(draft: Draft) -> Iterator[Finding]:
    """What runs on one host alone is no production."""
    lone: dict[str, list[str]] = {}
    for group in sorted(draft.known_groups - {"swift_storage", "ceph_osd", "ceph_client", "ceph_admin"}):
        members = draft.group(group)
        if len(members) == 1:
            lone.setdefault(members[0].name, []).append(group)
    for name, groups in lone.items():
        yield draft.advice(
            "groups.single",
            (),
            f"{', '.join(groups)} run on this host alone: when it goes, they go.",
            "For production give the groups more hosts, as far as Holdfast makes clusters of their services.",
            draft.hosts[name],
        )
