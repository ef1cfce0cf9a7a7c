# SPDX-License-Identifier: Apache-2.0
"""Who talks to whom, on which network: the one table from which everything about networks is derived.

Firewalls, the reachability matrix, the addresses that services bind to and dial, the proof in verify and the picture in
the report read it. A new service is new rows here, and nothing else about networks.

A balanced flow stands for two: ``glance_api`` is what the load balancer sends to the members of the group, on their own
addresses; ``glance_api_frontend`` is what clients send to the load balancer, on ``haproxy_address``. Services bind to
the first and dial the second, and both have the same port.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .errors import HoldfastError
from .model import Host, Model

ANY = "any"
ALL = "all"
FRONTEND = "_frontend"

Protocol = Literal["tcp", "udp", "icmp"]
Role = Literal["server", "client", "both"]


@dataclass(frozen=True)
class Flow:
    """One kind of traffic.

    Attributes:
        id: its name, and that of its counter in the firewall.
        realm: the part of the domain that it serves: base, identity, object, image, ...
        network: the only network where it is allowed: mgmt, storage or repl.
        protocol: tcp, udp or icmp (echo).
        ports: where the servers listen, each a number, or a text ``first-last``; empty for icmp.
        servers: the group that answers; ``all`` is every host on the network.
        clients: the groups that ask; ``all`` as above, ``any`` is everybody who can reach the network.
        service: what listens there.
        balanced: reached through the load balancer: its clients are the members of ``haproxy``.
        description: one line for the report.
    """

    id: str
    realm: str
    network: str
    protocol: Protocol
    ports: tuple[int | str, ...]
    servers: str
    clients: tuple[str, ...]
    service: str
    balanced: bool = False
    description: str = ""

    @property
    def is_frontend(self) -> bool:
        """Whether the load balancer answers it, on its own address."""
        return self.id.endswith(FRONTEND)


def _balanced(
    id: str,
    realm: str,
    port: int,
    service: str,
    title: str,
    servers: str | None = None,
    clients: tuple[str, ...] = (ANY,),
) -> tuple[Flow, Flow]:
    """Both rows of an API behind the load balancer. Its group of servers has the name of the flow unless it is told.

    ``clients`` are those of the load balancer: an API that is not for everybody has other ones.
    """
    front = Flow(
        f"{id}{FRONTEND}",
        realm,
        "mgmt",
        "tcp",
        (port,),
        "haproxy",
        clients,
        "haproxy",
        description=f"{title}: clients to the load balancer, by TLS",
    )
    back = Flow(
        id,
        realm,
        "mgmt",
        "tcp",
        (port,),
        servers or id,
        ("haproxy",),
        service,
        balanced=True,
        description=f"{title}: the load balancer to the API servers",
    )
    return front, back


# What runs of cinder: any of them may ask the database, the queue, the lock manager.
CINDER = ("cinder_api", "cinder_scheduler", "cinder_volume", "cinder_backup")

# What reads and writes in Ceph.
CEPH_CLIENTS = ("glance_api", "cinder_volume", "cinder_backup", "nova_compute", "ceph_rgw", "ceph_admin")
CEPH = ("ceph_mon", "ceph_mgr", "ceph_osd", "ceph_mds", *CEPH_CLIENTS)

FLOWS: tuple[Flow, ...] = (
    Flow(
        "ssh",
        "base",
        "mgmt",
        "tcp",
        (22,),
        ALL,
        (ANY,),
        "sshd",
        description="Administration, from firewall_admin_sources",
    ),
    Flow("icmp_mgmt", "base", "mgmt", "icmp", (), ALL, (ALL,), "kernel", description="Echo among the hosts"),
    Flow("icmp_storage", "base", "storage", "icmp", (), ALL, (ALL,), "kernel", description="Echo among the hosts"),
    Flow("icmp_repl", "base", "repl", "icmp", (), ALL, (ALL,), "kernel", description="Echo among the hosts"),
    Flow(
        "mariadb",
        "base",
        "mgmt",
        "tcp",
        (3306,),
        "mariadb",
        ("keystone", "glance_api", *CINDER),
        "mariadb",
        description="Services to their database",
    ),
    Flow(
        "rabbitmq",
        "base",
        "mgmt",
        "tcp",
        (5671,),
        "rabbitmq",
        ("keystone", "glance_api", *CINDER),
        "rabbitmq-server",
        description="Services to the message queue, by TLS",
    ),
    Flow(
        "rabbitmq_cluster",
        "base",
        "mgmt",
        "tcp",
        (4369, 25672),
        "rabbitmq",
        ("rabbitmq",),
        "rabbitmq-server",
        description="Members of the message queue among themselves",
    ),
    Flow(
        "memcached",
        "base",
        "mgmt",
        "tcp",
        (11211,),
        "memcached",
        ("keystone", "glance_api", "swift_proxy", "cinder_api"),
        "memcached",
        description="Services to their cache of tokens",
    ),
    Flow(
        "etcd",
        "base",
        "mgmt",
        "tcp",
        (2379,),
        "etcd",
        CINDER,
        "etcd",
        description="Services to their lock manager, by TLS at both ends",
    ),
    Flow(
        "etcd_peer",
        "base",
        "mgmt",
        "tcp",
        (2380,),
        "etcd",
        ("etcd",),
        "etcd",
        description="Members of the lock manager among themselves, by TLS at both ends",
    ),
    *_balanced("keystone", "identity", 5000, "keystone", "Identity API"),
    *_balanced("glance_api", "image", 9292, "glance-api", "Image API"),
    # Tells where images are kept, and so is for nobody else.
    *_balanced(
        "glance_api_internal",
        "image",
        9293,
        "holdfast-glance-internal",
        "Image API with locations",
        servers="glance_api",
        clients=("cinder_api", "cinder_volume"),
    ),
    *_balanced("cinder_api", "block", 8776, "cinder-api", "Volume API"),
    *_balanced("swift_proxy", "object", 8080, "swift-proxy", "Object API"),
    Flow(
        "swift_object",
        "object",
        "storage",
        "tcp",
        (6200,),
        "swift_storage",
        ("swift_proxy", "swift_storage"),
        "swift-object",
        description="Object data, from the proxies and between the storage hosts' daemons",
    ),
    Flow(
        "swift_container",
        "object",
        "storage",
        "tcp",
        (6201,),
        "swift_storage",
        ("swift_proxy", "swift_storage"),
        "swift-container",
        description="Container listings and their updates",
    ),
    Flow(
        "swift_account",
        "object",
        "storage",
        "tcp",
        (6202,),
        "swift_storage",
        ("swift_proxy", "swift_storage"),
        "swift-account",
        description="Account listings and their updates",
    ),
    Flow(
        "swift_object_replication",
        "object",
        "repl",
        "tcp",
        (6210,),
        "swift_storage",
        ("swift_storage",),
        "swift-object-replication",
        description="Objects compared and rebuilt between storage hosts",
    ),
    Flow(
        "swift_container_replication",
        "object",
        "repl",
        "tcp",
        (6211,),
        "swift_storage",
        ("swift_storage",),
        "swift-container-replication",
        description="Container databases compared between storage hosts",
    ),
    Flow(
        "swift_account_replication",
        "object",
        "repl",
        "tcp",
        (6212,),
        "swift_storage",
        ("swift_storage",),
        "swift-account-replication",
        description="Account databases compared between storage hosts",
    ),
    Flow(
        "swift_rsync",
        "object",
        "repl",
        "tcp",
        (873,),
        "swift_storage",
        ("swift_storage",),
        "rsync",
        description="Copies of objects and databases between storage hosts",
    ),
    Flow(
        "ceph_mon",
        "ceph",
        "storage",
        "tcp",
        (3300,),
        "ceph_mon",
        CEPH,
        "ceph-mon",
        description="Everything of Ceph to its monitors, by the second protocol",
    ),
    # Each daemon takes its ports from a range. The ranges are apart, so that a host may have all of them, and a
    # client reaches none but those that it needs.
    Flow(
        "ceph_osd",
        "ceph",
        "storage",
        "tcp",
        ("6800-7299",),
        "ceph_osd",
        CEPH,
        "ceph-osd",
        description="Data: clients to the disks",
    ),
    Flow(
        "ceph_osd_replication",
        "ceph",
        "repl",
        "tcp",
        ("6800-7299",),
        "ceph_osd",
        ("ceph_osd",),
        "ceph-osd",
        description="Data: copies and recovery between the disks",
    ),
    Flow(
        "ceph_mgr",
        "ceph",
        "storage",
        "tcp",
        ("7300-7319",),
        "ceph_mgr",
        CEPH,
        "ceph-mgr",
        description="Statistics and orders to Ceph's manager",
    ),
    Flow(
        "ceph_mds",
        "ceph",
        "storage",
        "tcp",
        ("7320-7339",),
        "ceph_mds",
        ("ceph_mon", "ceph_mgr", "ceph_mds", "ceph_admin"),
        "ceph-mds",
        description="Names of files to the metadata servers",
    ),
    *_balanced("ceph_rgw", "object", 7480, "ceph-radosgw", "Object API of Ceph"),
)

_BY_ID: Mapping[str, Flow] = {row.id: row for row in FLOWS}


def flow(id: str) -> Flow:
    """The flow of that name. Raises HoldfastError when there is none."""
    try:
        return _BY_ID[id]
    except KeyError:
        raise HoldfastError(f"There is no flow {id!r}. Fix: use one of {', '.join(_BY_ID)}, or add a row.") from None


def port(id: str) -> int:
    """The (first) port of a flow. Raises HoldfastError for one that has none."""
    ports = flow(id).ports
    if not ports:
        raise HoldfastError(f"The flow {id!r} has no port: it is {flow(id).protocol}.")
    if isinstance(ports[0], str):
        raise HoldfastError(f"The flow {id!r} has no port of its own, but the range {ports[0]}.")
    return ports[0]


def port_range(id: str) -> tuple[int, int]:
    """The first and the last port of a flow whose servers choose theirs from a range."""
    first, _, last = str(flow(id).ports[0]).partition("-")
    return int(first), int(last or first)


def balancer_address(model: Model) -> str:
    """The address on br-mgmt where clients find every API. Raises HoldfastError when it is not set."""
    address = model.variables.get("haproxy_address")
    if not address:
        raise HoldfastError("haproxy_address is not set. Fix: give it a free address of the network mgmt.")
    return str(address)


def bind_address(model: Model, host: Host, id: str) -> str:
    """Where a server of the flow listens: its own address on the flow's network; a frontend's is the balancer's.

    Raises HoldfastError when the host is not on that network.
    """
    row = flow(id)
    if row.is_frontend:
        return balancer_address(model)
    try:
        return host.addresses[row.network]
    except KeyError:
        raise HoldfastError(
            f"{host.name} is not on the network {row.network}, where {row.service} listens ({id}). "
            f"Fix: give it a port in networks_ports.{row.network}, or take it out of the group {row.servers}."
        ) from None


def dial_addresses(model: Model, host: Host, id: str) -> list[str]:
    """Where ``host`` finds the flow: the balancer's address for a balanced flow, else those of all its servers.

    In the order of the servers' names, the same on every host: caches hash over this list.
    """
    row = flow(id)
    if row.balanced or row.is_frontend:
        return [balancer_address(model)]
    return [bind_address(model, server, id) for server in servers(model, row)]


def servers(model: Model, row: Flow) -> tuple[Host, ...]:
    """The hosts that answer, by name: members of the group that are on the flow's network.

    A frontend is there when it has somebody to ask, and somebody who may ask it.
    """
    return _members(model, row.network, (row.servers,)) if _is_offered(model, row) else ()


def clients(model: Model, row: Flow) -> tuple[Host, ...]:
    """The hosts that ask, by name. ``any`` gives those of the model that are on the network; others may ask as well."""
    return _members(model, row.network, row.clients)


def server_addresses(model: Model, row: Flow) -> tuple[str, ...]:
    """Where a flow's servers are on its network, in numeric order; a frontend's is the balancer's address."""
    return (balancer_address(model),) if row.is_frontend else _addresses(model, row.network, (row.servers,))


def client_addresses(model: Model, row: Flow) -> tuple[str, ...]:
    """Where a flow's clients are on its network, in numeric order."""
    return _addresses(model, row.network, row.clients)


def flows_of(model: Model, host: Host) -> list[tuple[Flow, Role]]:
    """The flows in which a host has a part, in the table's order. Flows that nobody serves are left out."""
    found: list[tuple[Flow, Role]] = []
    for row in FLOWS:
        serves, asks = _takes_part(host, row.network, (row.servers,)), _takes_part(host, row.network, row.clients)
        if serves and not _is_offered(model, row):
            continue
        if serves and asks:
            found.append((row, "both"))
        elif serves:
            found.append((row, "server"))
        elif asks and servers(model, row):
            found.append((row, "client"))
    return found


def table(model: Model | None = None) -> list[dict[str, Any]]:
    """The rows as plain values, for documentation; with a model also the names of the hosts at both ends."""
    rows = []
    for row in FLOWS:
        plain = {**asdict(row), "ports": list(row.ports), "clients": list(row.clients)}
        if model is not None:
            plain["server_hosts"] = [host.name for host in servers(model, row)]
            plain["client_hosts"] = [host.name for host in clients(model, row)]
        rows.append(plain)
    return rows


def parse_counters(listing: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Counters by name, ``{bytes, packets}``, from ``nft -j list counters table inet holdfast``."""
    return {
        entry["counter"]["name"]: {"bytes": entry["counter"]["bytes"], "packets": entry["counter"]["packets"]}
        for entry in listing.get("nftables", ())
        if "counter" in entry
    }


def difference(
    before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """What was counted between two readings of one host. A counter that began anew in between counts from nothing."""
    return {
        name: {unit: _grown(before.get(name, {}).get(unit, 0), value) for unit, value in now.items()}
        for name, now in after.items()
    }


def by_network(counters: Mapping[str, Mapping[str, int]], model: Model | None = None) -> dict[str, int]:
    """Bytes of the flows by bridge, ``br-<network>`` without a model. Counters that belong to no flow are left out."""
    sums: dict[str, int] = {}
    for row in FLOWS:
        bridge = model.networks[row.network].bridge if model else f"br-{row.network}"
        sums[bridge] = sums.get(bridge, 0) + counters.get(row.id, {}).get("bytes", 0)
    return sums


def _grown(old: int, new: int) -> int:
    return new - old if new >= old else new


def _is_offered(model: Model, row: Flow) -> bool:
    if not row.is_frontend:
        return True
    behind = flow(row.id.removesuffix(FRONTEND))
    return all(
        any(_takes_part(host, row.network, groups) for host in model.hosts.values())
        for groups in ((behind.servers,), row.clients)
    )


def _takes_part(host: Host, network: str, groups: tuple[str, ...]) -> bool:
    return network in host.addresses and (ANY in groups or ALL in groups or not host.groups.isdisjoint(groups))


def _members(model: Model, network: str, groups: tuple[str, ...]) -> tuple[Host, ...]:
    found: dict[tuple[str, ...], tuple[Host, ...]] = _known(model, "members")
    key = (network, *groups)
    if key not in found:
        found[key] = tuple(host for _, host in sorted(model.hosts.items()) if _takes_part(host, network, groups))
    return found[key]


def _addresses(model: Model, network: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    found: dict[tuple[str, ...], tuple[str, ...]] = _known(model, "addresses")
    key = (network, *groups)
    if key not in found:
        given = {host.addresses[network] for host in _members(model, network, groups)}
        found[key] = tuple(sorted(given, key=lambda address: ipaddress.ip_address(address).packed))
    return found[key]


def _known(model: Model, what: str) -> dict[tuple[str, ...], Any]:
    """What was found out about a model, kept with it: it never changes, and every host's plan asks the same."""
    found: dict[tuple[str, ...], Any] = model.__dict__.setdefault(f"_{what}", {})
    return found
