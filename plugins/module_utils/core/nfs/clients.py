# SPDX-License-Identifier: Apache-2.0
"""What the rules of other subjects ask about a share that they name."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from ..errors import Finding
from ..inventory.draft import Draft, DraftHost, address_of, entries, listed
from ..inventory.schema import KeyPath, did_you_mean
from .shares import shares, split

SHARES = "nfs_shares"


def share(draft: Draft, path: KeyPath, text: str, purpose: str, host: DraftHost | None) -> Iterator[Finding]:
    """A share that somebody names: it is there, for ``purpose``, and on br-storage. ``text`` is as it is written."""
    if not isinstance(text, str):
        return
    server, wanted = split(text)
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
