# SPDX-License-Identifier: Apache-2.0
"""Rules about who uses Ceph: clients' names, rights and hosts, and clusters that others administer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import Finding
from ...inventory.draft import Draft, address_of, entries, listed, rule
from ...inventory.schema import KeyPath, did_you_mean, ipv4_network
from .. import values as ceph
from ..clients import block_pools
from ..clients import clients as clients_of
from ..cluster import secret_name
from .cluster import CLIENTS, DAEMONS, EXTERNAL, POOLS, known_pools

# Ceph's own.
_RESERVED_CLIENTS = re.compile(r"admin|bootstrap-.*|rgw.*|crash")

# The site's own clients, and those that administer a cluster.
_OWN_GROUPS = ("ceph_client", "ceph_admin")


@rule
def clients(draft: Draft) -> Iterator[Finding]:
    """Clients have names of their own, and only rights that Ceph understands, on pools that are there."""
    names: dict[str, int] = {}
    known = known_pools(draft)
    services = {secret_name(name): name for name in sorted(_services(draft))}
    for user in sorted(_services(draft)):
        if reason := _taken(user, 0, {secret: other for secret, other in services.items() if other != user}, {}):
            what, fix = f"A service is the client {user!r}, {reason}.", "Give its user another name."
            yield draft.error("ceph.client-name", (), what, fix)
    for index, client in entries(draft.variables.get(CLIENTS)):
        path: KeyPath = (CLIENTS, index)
        if (name := client.get("name")) and (reason := _taken(name, index, services, names)):
            yield draft.error(
                "ceph.client-name", (*path, "name"), f"is {name!r}, {reason}.", "Give the client another name."
            )
        for service, text in (client.get("caps") or {}).items():
            where = (*path, "caps", service)
            if problem := ceph.caps_problem(service, text):
                yield draft.error(
                    "ceph.caps",
                    where,
                    f"is {text!r}: {problem}.",
                    "Give the rights that it needs, such as 'profile rbd pool=NAME'.",
                )
                continue
            for pool in ceph.pools_in(text):
                if known is not None and pool not in known:
                    hint = did_you_mean(pool, known)
                    yield draft.error(
                        "ceph.caps-pool",
                        where,
                        f"names the pool {pool!r}, which is not in {POOLS}.",
                        f"{hint}Pools: {', '.join(known) or 'none'}.",
                    )


def _taken(name: str, index: int, services: Mapping[str, str], names: dict[str, int]) -> str:
    """Why a client may not have a name, or empty. Names with one secret are one: it would be the key of both."""
    secret = secret_name(name)
    if _RESERVED_CLIENTS.fullmatch(name):
        return "which Holdfast or Ceph has for itself"
    if secret in services:
        return f"the client {services[secret]} of a service, which has rights of its own"
    first = names.setdefault(secret, index)
    return f"as in {CLIENTS}[{first}]" if first != index else ""


@rule
def clients_hosts(draft: Draft) -> Iterator[Finding]:
    """The hosts that get a client's keyring are there, and may talk to Ceph."""
    talking = {group for flow in draft.domain.flows if flow.id == "ceph_mon" for group in flow.clients}
    for index, client in entries(draft.variables.get(CLIENTS)):
        for place, name in enumerate(client.get("hosts") or ()):
            path: KeyPath = (CLIENTS, index, "hosts", place)
            hosts = [draft.hosts[name]] if name in draft.hosts else draft.group(name)
            if not hosts:
                hint = did_you_mean(name, [*draft.hosts, *draft.groups])
                yield draft.error(
                    "ceph.client-host",
                    path,
                    f"is {name!r}, which is no host, and no group that has one.",
                    f"{hint}Name a host or a group of the inventory.",
                )
            elif outside := [host.name for host in hosts if not host.groups.intersection(talking)]:
                yield draft.error(
                    "ceph.client-host",
                    path,
                    f"has {listed(outside)}, in no group that the firewalls let talk to Ceph.",
                    "Put them into the group ceph_client.",
                )


# -- a cluster of others --------------------------------------------------------------------------------------------


@rule
def external(draft: Draft) -> Iterator[Finding]:
    """Of another's cluster the keys are known, and its monitors are where clients can reach them."""
    found = draft.variables.get(EXTERNAL)
    if not isinstance(found, Mapping):
        return
    manage = [what for what in found.get("manage") or () if what]
    if manage and not draft.group("ceph_admin"):
        yield draft.error(
            "ceph.external-admin",
            (EXTERNAL, "manage"),
            f"is {', '.join(manage)}, and no host is in ceph_admin to do it.",
            "Put a host on br-storage into the group ceph_admin, or leave manage out.",
        )
    elif draft.group("ceph_admin") and not draft.secrets.get("ceph_admin_key"):
        yield draft.error(
            "ceph.external-key",
            (EXTERNAL, "manage") if manage else (EXTERNAL,),
            "needs the secret ceph_admin_key for the hosts of ceph_admin.",
            "Put the key of client.admin into the vault file by that name.",
        )
    if "clients" not in manage:
        for user in sorted({*_services(draft), *_other_users(draft)}):
            name = secret_name(user)
            if not draft.secrets.get(name):
                yield draft.error(
                    "ceph.external-key",
                    (EXTERNAL,),
                    f"is another's cluster, and the secret {name}, the key of client.{user} there, is missing.",
                    "Put the key into the vault file by that name, or let Holdfast make it: manage: [clients].",
                )
    network = draft.networks.get("storage")
    routed = [
        ipv4_network(route["to"])
        for _, route in entries(network.content.get("routes") if network else ())
        if "to" in route
    ]
    for index, monitor in enumerate(found.get("monitors") or ()):
        address = address_of(str(monitor))
        if not network or not address:
            continue
        if address in (network.cidr.network_address, network.cidr.broadcast_address):
            yield draft.error(
                "ceph.external-monitors",
                (EXTERNAL, "monitors", index),
                f"is {monitor}, an end of {network.cidr}, which no host has.",
                "Give the address of a monitor.",
            )
        elif address not in network.cidr and not any(address in to for to in routed):
            yield draft.error(
                "ceph.external-monitors",
                (EXTERNAL, "monitors", index),
                f"is {monitor}, outside br-storage ({network.cidr}), which has no route to it.",
                "Give the address on br-storage, or networks_bridges.storage.routes to it.",
            )


def outsiders(variables: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    """Monitors of another's cluster."""
    found = variables.get(EXTERNAL)
    for index, monitor in enumerate((found.get("monitors") or ()) if isinstance(found, Mapping) else ()):
        yield (EXTERNAL, "monitors", index), monitor


@rule
def external_network(draft: Draft) -> Iterator[Finding]:
    """Who uses another's cluster is on br-storage: no host of this deployment serves there, so nothing else says it."""
    if not draft.variables.get(EXTERNAL):
        return
    for host in draft.group(*draft.domain.uses.get("ceph", ()), *_OWN_GROUPS):
        uses = host.groups.intersection(_OWN_GROUPS) or _services(draft)
        if not uses or "networks_ports" not in host.variables or "storage" in host.ports:
            continue
        if not draft.was_refused(("networks_ports", "storage"), host):
            yield draft.error(
                "ceph.external-network",
                ("networks_ports", "storage"),
                f"is missing: {EXTERNAL} is reached over br-storage.",
                "Give networks_ports.storage.",
                host,
            )


def _other_users(draft: Draft) -> set[str]:
    return {
        client["name"]
        for _, client in entries(draft.variables.get(CLIENTS))
        if "name" in client and client.get("hosts")
    }


def _services(draft: Draft) -> set[str]:
    """The clients of services."""
    return set(clients_of(draft.claims, lambda group: bool(draft.group(group))))


@rule
def pools_of_users(draft: Draft) -> Iterator[Finding]:
    """Images, volumes and backups are in pools for RBD."""
    applications = {
        pool["name"]: (index, pool["application"])
        for index, pool in entries(draft.variables.get(POOLS))
        if "name" in pool and "application" in pool
    }
    for pool in sorted(block_pools(draft.claims)):
        index, application = applications.get(pool, (0, "rbd"))
        if application != "rbd":
            yield draft.error(
                "ceph.pool-application",
                (POOLS, index, "application"),
                f"is {application!r}, and images, volumes or backups are kept in {pool}.",
                "Set it to rbd, or give them a pool of their own.",
            )


@rule
def object_gateway(draft: Draft) -> Iterator[Finding]:
    """Two object storages are two regions, or clients would find either."""
    region = draft.variables.get("rgw_region")
    both = draft.group("ceph_rgw") and draft.group("swift_proxy")
    if both and region and region == draft.variables.get("holdfast_region"):
        yield draft.error(
            "ceph.rgw-region",
            ("rgw_region",),
            f"is {region!r}, the region of Swift: clients would find one or the other.",
            "Give it a name of its own, or leave it empty.",
        )


@rule
def somewhere(draft: Draft) -> Iterator[Finding]:
    """Who keeps data in Ceph has one."""
    if draft.group("ceph_mon", *DAEMONS) or draft.variables.get(EXTERNAL) or draft.was_refused((EXTERNAL,)):
        return
    if users := sorted({*_services(draft), *_other_users(draft)}):
        yield draft.error(
            "ceph.missing",
            ("ceph_mon",),
            f"The group ceph_mon has no host, {EXTERNAL} is not set, and {listed(users)} "
            f"keep{'s' if len(users) == 1 else ''} data in Ceph.",
            f"Put hosts into ceph_mon, ceph_mgr and ceph_osd, or set {EXTERNAL}.",
        )
