# SPDX-License-Identifier: Apache-2.0
"""Rules about shares, whoever names them: each is there, for its purpose, on br-storage, and for one thing."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from ..errors import Finding
from ..inventory.directories import contains, overlap
from ..inventory.draft import Draft, DraftHost, Rule, address_of, entries, listed
from ..inventory.schema import did_you_mean
from ..inventory.shares import Shares, Use
from .shares import ROOT, shares, split

SHARES = "nfs_shares"


def about(handed_in: Iterable[Shares]) -> Rule:
    """The rule about the shares that the subjects find in an inventory."""
    finders = tuple(handed_in)

    def rule(draft: Draft) -> Iterator[Finding]:
        used = [use for find in finders for use in find(draft) if isinstance(use.text, str)]
        for use in used:
            yield from _share(draft, use)
        yield from _once(draft, used)

    return rule


def served(draft: Draft, path: str, hosts: Iterable[DraftHost]) -> str:
    """What a directory is on a host that is a server, for a sentence; empty when none of the hosts serves it."""
    servers = [host.name for host in hosts if "nfs_server" in host.groups]
    taken = servers and (path == ROOT or contains(ROOT, path))
    return f"where {listed(servers)} of nfs_server ha{'s' if len(servers) == 1 else 've'} disks" if taken else ""


def _server(draft: Draft, server: str) -> str:
    """The host that a server is, also when it is given by its address; else the text."""
    for host in draft.hosts.values():
        own = draft.addresses.get(host.name, {}).get("storage") or draft.given_address(host, "storage")
        if server in (own, *draft.domain.more_addresses(host.variables).get("storage", ())):
            return host.name
    return server


def _once(draft: Draft, used: list[Use]) -> Iterator[Finding]:
    """A share is for one thing, by whichever name it goes, and none lies in another."""
    seen: list[tuple[str, str, Use]] = []
    for use in used:
        server, path = split(use.text)
        server, path = _server(draft, server), posixpath.normpath(path)
        for other_server, other_path, other in seen:
            alike = other.holder == use.holder and other.host is not use.host
            # Of a share for another service it was told that it is.
            told = other.purpose != use.purpose and server in draft.hosts and path == other_path
            if server == other_server and overlap(path, other_path) and not alike and not told:
                how = "as" if path == other_path else f"which overlaps {other.text}"
                yield draft.error(
                    "nfs.share-shared",
                    use.path,
                    f"is {use.text!r}, {how} in {other.holder}: both would count its space as their own.",
                    "Give each a share of its own.",
                    use.host,
                )
                break
        seen.append((server, path, use))


def _share(draft: Draft, use: Use) -> Iterator[Finding]:
    """A share that somebody names: it is there, for its purpose, and on br-storage."""
    path, text, purpose, host = use.path, use.text, use.purpose, use.host
    server, wanted = split(text)
    server = _server(draft, server)
    storage = draft.networks.get("storage")
    if address := address_of(server):
        ways = [storage.cidr, *(IPv4Network(to) for to in _routes(storage.content))] if storage else []
        if storage and address in (storage.cidr[0], storage.cidr[-1]):
            yield draft.error(
                "nfs.network",
                path,
                f"is {text!r}, and {server} is an end of {storage.cidr}, which no host has.",
                "Give the server's address on br-storage.",
                host,
            )
        if ways and not any(address in way for way in ways):
            yield draft.error(
                "nfs.network",
                path,
                f"is {text!r}, and {server} is not on br-storage ({listed(map(str, ways))}): files go over it alone.",
                "Give the server's address on br-storage, or a route to it in networks_bridges.storage.routes.",
                host,
            )
        return
    own = draft.hosts.get(server)
    known = [member.name for member in draft.group("nfs_server")]
    if own is None or server not in known:
        hint = did_you_mean(server, known)
        yield draft.error(
            "nfs.server-unknown",
            path,
            f"is {text!r}, and {server} is no host of nfs_server.",
            f"{hint}Servers: {listed(known) or 'none'}; a filer goes by address.",
            host,
        )
        return
    known_shares = {share.path: share.purpose for share in shares(own.variables)}
    if wanted not in known_shares and not draft.was_refused((SHARES,), own):
        hint = did_you_mean(wanted, known_shares)
        yield draft.error(
            "nfs.share-unknown",
            path,
            f"is {text!r}, and {server} has no such share.",
            f"{hint}Shares there: {listed(known_shares) or 'none'}.",
            host,
        )
    elif known_shares.get(wanted, purpose) != purpose:
        yield draft.error(
            "nfs.purpose",
            path,
            f"is {text!r}, a share for {known_shares[wanted]}: its owner is another.",
            f"Give a share with purpose: {purpose}.",
            host,
        )


def _routes(content: object) -> list[str]:
    routes = content.get("routes") if isinstance(content, dict) else None
    return [route["to"] for _, route in entries(routes) if "to" in route]
