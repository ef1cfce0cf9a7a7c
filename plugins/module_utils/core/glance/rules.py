# SPDX-License-Identifier: Apache-2.0
"""Rules about image storage: stores, and what they need."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from ..config import FORMATS
from ..errors import Finding
from ..inventory.directories import overlap, why_taken
from ..inventory.draft import Draft, entries, listed, rule
from ..inventory.schema import KeyPath, did_you_mean, shown
from ..inventory.shares import Use
from ..nfs import named_shares

STORES = "glance_stores"

# The service's own, beside images.
_OWN = re.compile(r"/var/lib/glance/(staging|tasks|image-cache|locks?|\.[^/]+)(/.*)?")


@rule
def stores(draft: Draft) -> Iterator[Finding]:
    """Each store has a name of its own and what it needs elsewhere; files that are not shared are for one API host."""
    servers = draft.group("glance_api")
    if not servers:
        return
    seen: dict[str, int] = {}
    swift_stores = 0
    for index, store in entries(draft.variables.get(STORES)):
        path: KeyPath = (STORES, index)
        if "name" in store:
            first = seen.setdefault(store["name"].lower(), index)
            if first != index:
                yield draft.error(
                    "glance.store-twice",
                    (*path, "name"),
                    f"is {store['name']!r}, as in {STORES}[{first}].",
                    "Give each store a name of its own.",
                )
        yield from _description(draft, path, store)
        kind = store.get("type")
        if kind == "file":
            if (
                len(servers) > 1
                and not (store.get("shared") or store.get("nfs"))
                and not draft.was_refused((*path, "shared"))
            ):
                yield draft.error(
                    "glance.store-shared",
                    (*path, "shared"),
                    f"is false, and glance_api has {len(servers)} hosts ({listed(host.name for host in servers)}): "
                    "images would be on one of them, and lost with it.",
                    "Give an export in nfs, mount a shared file system on all and set shared: true, or use swift.",
                )
        elif kind == "swift":
            swift_stores += 1
            if not draft.group("swift_proxy"):
                yield draft.error(
                    "glance.store-swift",
                    (*path, "type"),
                    "is swift, and no host is in swift_proxy.",
                    "Add the object storage to the inventory, or use another store.",
                )
    if swift_stores > 1:
        yield draft.error(
            "glance.store-twice",
            (STORES,),
            f"has {swift_stores} swift stores, and this deployment has one object storage.",
            "Leave one of them.",
        )


def _description(draft: Draft, path: KeyPath, store: Mapping[str, Any]) -> Iterator[Finding]:
    """Users read of a store what the site says of it."""
    try:
        FORMATS["oslo"].value(store.get("description", ""))
    except ValueError as reason:
        yield draft.error(
            "glance.store-description",
            (*path, "description"),
            f"is {shown(store['description'])}, which {reason}.",
            "Say it without that.",
        )


@rule
def system_directories(draft: Draft) -> Iterator[Finding]:
    """Images are kept neither among the system's files nor where files do not last, nor with another service's."""
    servers = draft.group("glance_api")
    for index, store in entries(draft.variables.get(STORES)):
        path = posixpath.normpath(store["path"]) if "path" in store and servers else ""
        taken = path and (why_taken(draft.domain, path, "glance") or named_shares.served(draft, path, servers))
        if path and (taken or _OWN.fullmatch(path)):
            yield draft.error(
                "glance.store-system",
                (STORES, index, "path"),
                f"is {path!r}, {taken or 'where glance has other things'}.",
                "Give a directory of its own, such as /var/lib/glance/images.",
            )


@rule
def default_store(draft: Draft) -> Iterator[Finding]:
    """The default store is one of the stores."""
    name = draft.variables.get("glance_default_store")
    names = [store["name"] for _, store in entries(draft.variables.get(STORES)) if "name" in store]
    if name is None or name in names or draft.was_refused((STORES,)) or not draft.group("glance_api"):
        return
    hint = did_you_mean(name, names)
    yield draft.error(
        "glance.store-unknown",
        ("glance_default_store",),
        f"is {name!r}, which is no store.",
        f"{hint}Stores: {', '.join(names)}.",
    )


@rule
def directories(draft: Draft) -> Iterator[Finding]:
    """File stores do not lie in one another: one's clean-up would take the other's images."""
    if not draft.group("glance_api"):
        return
    paths = [
        (index, posixpath.normpath(store["path"]))
        for index, store in entries(draft.variables.get(STORES))
        if "path" in store
    ]
    for (one, upper), (two, lower) in combinations(paths, 2):
        if overlap(upper, lower):
            yield draft.error(
                "glance.store-directory",
                (STORES, two, "path"),
                f"is {lower!r}, which {'is also' if upper == lower else 'overlaps'} {upper!r} of {STORES}[{one}].",
                "Give each store a directory of its own.",
            )


@rule
def mounts(draft: Draft) -> Iterator[Finding]:
    """The API's hosts can mount a store's share."""
    for use in shares(draft):
        for host in draft.group("glance_api"):
            if host.is_container:
                yield draft.error(
                    "nfs.client-container",
                    use.path,
                    f"is {use.text!r}, which {host.name} of glance_api would have to mount, and it is a container.",
                    "Put glance_api on hosts with a kernel of their own, or use another store.",
                )


def shares(draft: Draft) -> Iterator[Use]:
    """The shares of stores."""
    for index, store in entries(draft.variables.get(STORES) if draft.group("glance_api") else ()):
        if "nfs" in store:
            yield Use(store["nfs"], (STORES, index, "nfs"), "glance", f"{STORES}[{index}]")
