# SPDX-License-Identifier: Apache-2.0
"""Rules about groups: what a service needs is there, and what is there is used."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from ...errors import Finding
from ...flows import ALL, ANY, BALANCER, flow
from ...flows.rows import FRONTEND
from ..draft import Draft, listed, place, rule
from ..schema import nearest


@rule
def needed(draft: Draft) -> Iterator[Finding]:
    """The groups whose services a deployed service asks, as the flow table says, have members."""
    for group, by in sorted(_needs(draft).items()):
        state = "has no host" if group in draft.groups else "is missing"
        near = nearest(group, [name for name in draft.groups if name not in draft.domain.groups])
        # A group that is not there has no line: that of the first one that needs it has.
        location = next((found for name in (group, *sorted(by)) if (found := draft.locate(None, (name,)))), None)
        yield Finding(
            "error",
            "groups.missing",
            place(location, None, (group,)),
            f"The group {group} {state}, and {listed(by)} need{'s' if len(by) == 1 else ''} it.",
            f"{f'Did you write {near} for it? ' if near else ''}Put a host into the group {group}.",
        )


def _needs(draft: Draft) -> dict[str, set[str]]:
    """Groups without a host, and the groups that need them."""
    domain = draft.domain
    needs: dict[str, set[str]] = {}
    for row in domain.flows:
        if row.servers == ALL or row.optional:
            continue
        # The load balancer answers for others.
        servers = flow(row.id.removesuffix(FRONTEND)).servers
        clients = {*row.clients, *domain.uses.get(row.offers, ())} - {ALL, ANY, BALANCER}
        if not draft.group(servers):
            for client in clients:
                if draft.group(client):
                    needs.setdefault(servers, set()).add(client)
        elif row.balanced and not draft.group(BALANCER):
            needs.setdefault(BALANCER, set()).add(servers)
    for group, others in domain.needs.items():
        for other in others:
            if draft.group(group) and not draft.group(other):
                needs.setdefault(other, set()).add(group)
    return needs


@rule
def empty(draft: Draft) -> Iterator[Finding]:
    """A known group that the inventory names has a host."""
    needed_anyway = _needs(draft)
    for group in sorted(draft.domain.groups):
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
    if draft.hosts and not draft.group(*draft.domain.groups):
        yield draft.advice(
            "groups.none",
            (),
            "No host is in a group of a service: only networks are made.",
            f"Put hosts into groups: {listed(draft.domain.groups)}.",
        )


@rule
def misspelt(draft: Draft) -> Iterator[Finding]:
    """A group that is nearly a known one: its hosts would silently go without the service."""
    known, missing = draft.domain.groups, _needs(draft)  # Of what is missing, the near name was told there.
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
def unused(draft: Draft) -> Iterator[Finding]:
    """A variable that is set for a service which no host runs: the service's group was forgotten."""
    for service in draft.domain.services:
        role, external = service["service"], service.get("external", "")
        if not ("identity" in service or external) or draft.variables.get(external):
            continue  # What others run has no host here, and matters to those who use it.
        groups = [group for group in draft.domain.groups if group == role or group.startswith(f"{role}_")]
        names = [name for name in draft.given if name.startswith(f"{role}_")]
        here = " or ".join(sorted(groups))
        if names and groups and not draft.group(*groups):
            yield draft.error(
                "groups.unused-variable",
                (min(names),),
                f"{listed(names)} {'is' if len(names) == 1 else 'are'} set, and no host is in {here}.",
                f"Put a host into {here}, or take the variables out.",
            )


@rule
def members(draft: Draft) -> Iterator[Finding]:
    """Groups have as many hosts as their services can be on."""
    for group, how_many in draft.domain.members.items():
        count = len(draft.group(group))
        if how_many == "one" and count > 1:
            yield draft.error(
                "groups.single-only",
                (group,),
                f"The group {group} has {count} hosts, and this Holdfast makes no cluster of what runs there.",
                "Leave one host in the group.",
            )
        elif how_many == "odd" and count and count % 2 == 0:
            yield draft.error(
                "groups.even",
                (group,),
                f"The group {group} has {count} hosts: when half of them are away, the others stop too, so that it "
                "survives no more losses than with one host fewer.",
                "Give it one, three or five hosts.",
            )


@rule
def alone(draft: Draft) -> Iterator[Finding]:
    """What runs on one host alone is no production, where it could run on more."""
    lone: dict[str, list[str]] = {}
    for group in sorted(draft.domain.groups.difference(draft.domain.listed("lone"), _kept_to_one(draft))):
        members = draft.group(group)
        if len(members) == 1:
            lone.setdefault(members[0].name, []).append(group)
    for name, groups in lone.items():
        odd = [group for group in groups if draft.domain.members.get(group) == "odd"]
        yield draft.advice(
            "groups.single",
            (),
            f"{', '.join(groups)} run on this host alone: when it goes, they go.",
            f"For production give them more hosts{f' ({listed(odd)}: three or five)' if odd else ''}.",
            draft.hosts[name],
        )


def _kept_to_one(draft: Draft) -> set[str]:
    """The groups to which a further host may not be given as things are."""
    found = {group for group, how_many in draft.domain.members.items() if how_many == "one"}
    locked = any(draft.group(row.servers) for row in draft.domain.flows if row.offers == "lock")
    for of in draft.domain.backends.values():
        for host in draft.group(of.group):
            given = of.listed(host.groups, {**draft.variables, **host.variables})
            if not all(kind.may_be_shared(entry, locked=locked) for kind, entry in given):
                found.add(of.group)
    return found
