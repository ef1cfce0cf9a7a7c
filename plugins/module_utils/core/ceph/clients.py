# SPDX-License-Identifier: Apache-2.0
"""Who is a client of Ceph for the services, as their claims say: pools, rights, and the hosts that have its key.

A claim (``uses: {ceph: ...}``, see ``description.claims``) has:

``user``
    the client's name; claims of one name are one client.
``writes``, ``reads``
    pools for block devices; an empty name is none.
``reads_of``
    groups: the pools that their own claims write are read.
``may_write``
    pools that hosts of a group write, by pool: the right is there before that group has a host.
``caps``
    rights by Ceph's service, for what is no block device.
``groups``
    the groups whose hosts are that client, with the system's group that reads the keyring there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..flows import Claims
from . import values as ceph

CEPH = "ceph"
_SERVICES = ("mon", "osd", "mgr", "mds")


@dataclass
class Client:
    """One client.

    Attributes:
        writes, reads: pools for block devices, in order.
        later: those of ``writes`` that nobody uses yet.
        rights: of other kinds, by Ceph's service.
        groups: whose hosts are that client, with the system's group that reads the keyring.
    """

    writes: dict[str, None] = field(default_factory=dict)
    reads: dict[str, None] = field(default_factory=dict)
    later: set[str] = field(default_factory=set)
    rights: dict[str, list[str]] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)

    @property
    def caps(self) -> dict[str, str]:
        """The least with which it can work."""
        found = {service: list(self.rights.get(service, ())) for service in _SERVICES}
        if self.writes or self.reads:
            writes = [f"profile rbd pool={pool}" for pool in self.writes]
            found["mon"].insert(0, "profile rbd")
            found["osd"] = [*writes, *(f"profile rbd-read-only pool={pool}" for pool in self.reads), *found["osd"]]
            found["mgr"] = [*writes, *found["mgr"]]
        return {service: ", ".join(rights) for service, rights in found.items() if rights}

    @property
    def tried(self) -> tuple[list[str], list[str]]:
        """The pools that it has to be able to write, and to read."""
        writes, reads = ceph.pools_tried(", ".join(self.rights.get("osd", ())))
        return [*(pool for pool in self.writes if pool not in self.later), *writes], [*self.reads, *reads]


def clients(claims: Claims, has_host: Callable[[str], bool]) -> dict[str, Client]:
    """The services' clients by name: those first whose pools others read. ``has_host`` says it of a group."""
    given = [claim for claim in claims.get(CEPH, ()) if claim.get("user")]
    found: dict[str, Client] = {}
    for claim in sorted(given, key=lambda claim: not _is_read(claim, given)):
        client = found.setdefault(claim["user"], Client())
        client.writes |= dict.fromkeys(_named(claim, "writes"))
        client.reads |= dict.fromkeys([*_named(claim, "reads"), *_pools_of(claim.get("reads_of", ()), given)])
        client.groups |= {group: own for group, own in claim["groups"].items() if group not in client.groups}
        for service, right in claim.get("caps", {}).items():
            rights = client.rights.setdefault(service, [])
            rights += [right] if right not in rights else []
    for claim in given:
        client = found[claim["user"]]
        for pool, group in claim.get("may_write", {}).items():
            if pool not in client.writes and not has_host(group):
                client.later.add(pool)
            client.writes[pool] = None
    for client in found.values():
        client.reads = {pool: None for pool in client.reads if pool not in client.writes}
    return found


def block_pools(claims: Claims) -> set[str]:
    """The pools that services use for block devices."""
    return {pool for claim in claims.get(CEPH, ()) for key in ("writes", "reads") for pool in _named(claim, key)}


def named_pools(claim: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The pools that a claim needs, each with the key of the claim that names it."""
    for key in ("writes", "reads"):
        yield from ((key, pool) for pool in _named(claim, key))
    for text in claim.get("caps", {}).values():
        yield from (("caps", pool) for pool in ceph.pools_in(str(text)))


def with_data_pools(found: Mapping[str, Client], data_pools: Callable[[str], Iterable[str]]) -> None:
    """Give clients the pools in which their images' data is made, and those who read the images that data.

    ``data_pools`` says them of a client, by name.
    """
    written = {name: dict.fromkeys(client.writes) for name, client in found.items()}
    for name, client in found.items():
        more = dict.fromkeys(data_pools(name)) if written[name] else {}
        client.writes |= more
        for other in found.values():
            if written[name].keys() & other.reads.keys():
                other.reads |= {pool: None for pool in more if pool not in other.writes}


def _is_read(claim: Mapping[str, Any], claims: Iterable[Mapping[str, Any]]) -> bool:
    return any(group in claim["groups"] for other in claims for group in other.get("reads_of", ()))


def _pools_of(groups: Iterable[str], claims: Iterable[Mapping[str, Any]]) -> list[str]:
    wanted = set(groups)
    return [pool for claim in claims if not wanted.isdisjoint(claim["groups"]) for pool in _named(claim, "writes")]


def _named(claim: Mapping[str, Any], key: str) -> list[str]:
    return [str(pool) for pool in claim.get(key, ()) if pool]
