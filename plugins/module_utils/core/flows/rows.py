# SPDX-License-Identifier: Apache-2.0
"""The table of flows: who talks to whom, on which network. A new service is new rows here, and nothing else.

A row names the groups of its own service only. What it offers to others has a name, and those who use that say so in
their descriptions (``roles/<service>/service.yml``, ``uses``): ``flows.complete`` joins them in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ANY = "any"
ALL = "all"
FRONTEND = "_frontend"
BALANCER = "haproxy"

Protocol = Literal["tcp", "udp", "icmp", "vrrp"]


@dataclass(frozen=True)
class Flow:
    """One kind of traffic.

    Attributes:
        id: its name, and that of its counter in the firewall.
        realm: the part of the domain that it serves: base, identity, object, image, ...
        network: the only network where it is allowed: mgmt, storage or repl.
        protocol: tcp, udp, icmp (echo), or vrrp (who has an address that moves).
        ports: where the servers listen, each a number, or a text ``first-last``; empty for icmp and vrrp.
        servers: the group that answers; ``all`` is every host on the network.
        clients: the groups that ask; ``all`` as above, ``any`` is everybody who can reach the network.
        service: what listens there.
        balanced: reached through the load balancer: its clients are the members of ``haproxy``.
        description: one line for the report.
        offers: what it is to those who use it: more clients are the groups whose descriptions say so.
        optional: who uses it can do without; rules of their own say when not.
        more_addresses: its servers listen on what ``Host.more_addresses`` has for the network, too.
        moving_addresses: its servers are asked on what ``Host.moving_addresses`` has for the network, and nowhere else.
        outside: the variable that lists networks of further clients, which are no hosts of the inventory.
        where_connected: its servers listen on ``Host.connect_ports`` where they have some, in place of ``ports``.
        tls: whose certificates of this deployment are shown: the servers' or those of ``both`` ends.
        users: the only users of the system, beside root, that a client's process may be of; anybody when empty. For
            servers that know their clients by nothing but the address.
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
    offers: str = ""
    optional: bool = False
    more_addresses: bool = False
    moving_addresses: bool = False
    outside: str = ""
    where_connected: bool = False
    tls: Literal["", "servers", "both"] = ""
    users: tuple[str, ...] = ()

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
    offers: str = "",
    optional: bool = False,
) -> tuple[Flow, Flow]:
    """Both rows of an API behind the load balancer. Its group of servers has the name of the flow unless it is told.

    ``clients`` are those of the load balancer: an API that is not for everybody has none but who uses what it offers.
    """
    front = Flow(
        f"{id}{FRONTEND}",
        realm,
        "mgmt",
        "tcp",
        (port,),
        BALANCER,
        clients,
        "haproxy",
        description=f"{title}: clients to the load balancer, by TLS",
        offers=offers,
        optional=optional,
        tls="servers",
    )
    back = Flow(
        id,
        realm,
        "mgmt",
        "tcp",
        (port,),
        servers or id,
        (BALANCER,),
        service,
        balanced=True,
        description=f"{title}: the load balancer to the API servers",
    )
    return front, back


# Ceph's own: its daemons, hosts that the inventory lets use it, and those that administer another's.
_CEPH = ("ceph_mon", "ceph_mgr", "ceph_osd", "ceph_mds", "ceph_client", "ceph_admin")

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
        description="Administration, from firewall_admin_sources; on the port of ansible_port where that is given",
        where_connected=True,
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
        (),
        "mariadb",
        description="Services to their database",
        offers="database",
        tls="servers",
    ),
    Flow(
        "rabbitmq",
        "base",
        "mgmt",
        "tcp",
        (5671,),
        "rabbitmq",
        (),
        "rabbitmq-server",
        description="Services to the message queue, by TLS",
        offers="message_queue",
        tls="servers",
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
        (),
        "memcached",
        description="Services to what they keep at hand, by TLS at both ends",
        offers="cache",
        tls="servers",
    ),
    Flow(
        "etcd",
        "base",
        "mgmt",
        "tcp",
        (2379,),
        "etcd",
        (),
        "etcd",
        description="Services to their lock manager, by TLS at both ends",
        offers="lock",
        optional=True,
        tls="both",
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
        optional=True,
        tls="both",
    ),
    *_balanced("keystone", "identity", 5000, "keystone", "Identity API", offers="identity"),
    *_balanced("glance_api", "image", 9292, "glance-api", "Image API"),
    # Tells where images are kept, and so is for nobody else.
    *_balanced(
        "glance_api_internal",
        "image",
        9293,
        "holdfast-glance-internal",
        "Image API with locations",
        servers="glance_api",
        clients=(),
        offers="image_locations",
        optional=True,
    ),
    *_balanced("placement_api", "placement", 8778, "placement-api", "Placement API"),
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
        users=("swift",),
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
        users=("swift",),
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
        users=("swift",),
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
        users=("swift",),
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
        users=("swift",),
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
        users=("swift",),
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
        users=("swift",),
    ),
    Flow(
        "ceph_mon",
        "ceph",
        "storage",
        "tcp",
        (3300,),
        "ceph_mon",
        _CEPH,
        "ceph-mon",
        description="Everything of Ceph to its monitors, by the second protocol",
        offers="ceph",
        optional=True,
        outside="manila_cephfs_networks",
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
        _CEPH,
        "ceph-osd",
        description="Data: clients to the disks",
        offers="ceph",
        optional=True,
        outside="manila_cephfs_networks",
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
        optional=True,
    ),
    Flow(
        "ceph_mgr",
        "ceph",
        "storage",
        "tcp",
        ("7300-7319",),
        "ceph_mgr",
        _CEPH,
        "ceph-mgr",
        description="Statistics and orders to Ceph's manager",
        offers="ceph",
        optional=True,
    ),
    Flow(
        "ceph_mds",
        "ceph",
        "storage",
        "tcp",
        ("7320-7339",),
        "ceph_mds",
        ("ceph_mon", "ceph_mgr", "ceph_mds", "ceph_client", "ceph_admin"),
        "ceph-mds",
        description="Names of files to the metadata servers",
        offers="ceph_files",
        optional=True,
        outside="manila_cephfs_networks",
    ),
    # Those who serve these are not listed in the inventory: their back ends say who they are (`serves`).
    Flow(
        "iscsi",
        "block",
        "storage",
        "tcp",
        (3260,),
        "cinder_iscsi",
        (),
        "LIO",
        description="Volumes of a volume group to those who attach them, by iSCSI with CHAP",
        offers="volumes",
        optional=True,
        more_addresses=True,
    ),
    Flow(
        "nvme",
        "block",
        "storage",
        "tcp",
        (4420,),
        "cinder_nvme",
        (),
        "nvmet",
        description="Volumes of a volume group to those who attach them, by NVMe over TCP",
        offers="volumes",
        optional=True,
        more_addresses=True,
    ),
    Flow(
        "nfs",
        "file",
        "storage",
        "tcp",
        (2049,),
        "nfs_server",
        (),
        "nfsd",
        description="Files of volumes, images and instances, by NFS version 4",
        offers="share",
        optional=True,
    ),
    *_balanced("manila_api", "file", 8786, "manila-api", "API of shared file systems"),
    Flow(
        "ganesha",
        "file",
        "storage",
        "tcp",
        (2049,),
        "ganesha",
        (),
        "ganesha.nfsd",
        description="Shares of CephFS to those who mount them, by NFS version 4",
        offers="shares",
        optional=True,
        moving_addresses=True,
        outside="manila_client_networks",
    ),
    Flow(
        "ganesha_address",
        "file",
        "storage",
        "vrrp",
        (),
        "ganesha",
        ("ganesha",),
        "keepalived",
        description="Which host has the address of an NFS server",
        optional=True,
    ),
    # Back ends say who they are, as for iSCSI.
    Flow(
        "manila_nfs",
        "file",
        "storage",
        "tcp",
        (2049,),
        "manila_nfs",
        (),
        "nfsd",
        description="Shares of a volume group to those who mount them, by NFS version 4",
        offers="shares",
        optional=True,
        outside="manila_client_networks",
    ),
    Flow(
        "manila_cifs",
        "file",
        "storage",
        "tcp",
        (445,),
        "manila_cifs",
        (),
        "smbd",
        description="Shares of a volume group to those who mount them, by SMB version 3",
        offers="shares",
        optional=True,
        outside="manila_client_networks",
    ),
    *_balanced("ceph_rgw", "object", 7480, "ceph-radosgw", "Object API of Ceph"),
)
