# SPDX-License-Identifier: Apache-2.0
"""The subjects, and the order of things: the only place that names them all."""

from __future__ import annotations

from .attach.subject import SUBJECT as ATTACH
from .base.subject import SUBJECT as BASE
from .ceph.subject import SUBJECT as CEPH
from .cinder.subject import SUBJECT as CINDER
from .foundations.subject import SUBJECT as FOUNDATIONS
from .ganesha.subject import SUBJECT as GANESHA
from .glance.subject import SUBJECT as GLANCE
from .hardening.subject import SUBJECT as HARDENING
from .inventory.rules import disks
from .inventory.secrets import FORMS
from .keystone.subject import SUBJECT as KEYSTONE
from .lab.subject import SUBJECT as LAB
from .manila.subject import SUBJECT as MANILA
from .networks.subject import SUBJECT as NETWORKS
from .nfs import named_shares
from .nfs.subject import SUBJECT as NFS
from .placement.subject import SUBJECT as PLACEMENT
from .plan.registry import Order, Phase
from .subject import Subject
from .swift.subject import SUBJECT as SWIFT

SUBJECTS: tuple[Subject, ...] = (
    BASE,
    NETWORKS,
    HARDENING,
    FOUNDATIONS,
    KEYSTONE,
    SWIFT,
    CEPH,
    NFS,
    GLANCE,
    CINDER,
    ATTACH,
    PLACEMENT,
    GANESHA,
    MANILA,
    LAB,
)

MOUNTS = tuple(item for subject in SUBJECTS for item in subject.mounts.items())

LEFT = tuple(path for subject in SUBJECTS for path in subject.leaves)

DISKS = tuple(subject.disks for subject in SUBJECTS if subject.disks)

SHARES = tuple(subject.shares for subject in SUBJECTS if subject.shares)

RULES = (*(rule for subject in SUBJECTS for rule in subject.rules), disks.about(DISKS), named_shares.about(SHARES))
NAMED_SECRETS = tuple(subject.secrets for subject in SUBJECTS if subject.secrets)

ADDRESSES = tuple(subject.addresses for subject in SUBJECTS if subject.addresses)
MOVING = tuple(subject.moving for subject in SUBJECTS if subject.moving)
OUTSIDERS = tuple(subject.outsiders for subject in SUBJECTS if subject.outsiders)

EXPRESSIONS = tuple(subject.expressions for subject in SUBJECTS if subject.expressions)

SECRET_FORMS = {**FORMS, **{name: form for subject in SUBJECTS for name, form in subject.secret_forms.items()}}

CHAPTERS = {subject.name: subject.chapter for subject in SUBJECTS if subject.chapter}

# The phases in their order; playbooks/site.yml has a play for each that changes something.
PHASES = (
    Phase("preflight", "Preflight", ("platform",)),
    Phase("networks", "Networks", ("network",)),
    Phase("packages", "Packages", ("package",)),
    Phase("firewall", "Firewall", ("firewall", "hardening")),
    Phase("devices", "Devices", ("disk", "volume_group", "nfs_export")),
    Phase("certificates", "Certificates", ("certificate",)),
    Phase(
        "foundations",
        "Foundations, database, queue, cache, load balancer",
        ("file", "unit", "database", "message_queue"),
    ),
    Phase("identity", "Identity", ("file", "fernet_repository", "migration", "unit", "catalog")),
    Phase("rings", "Rings", ("swift_ring",)),
    Phase("ring_copies", "Copies of the rings", ("swift_ring_copy",)),
    Phase("ceph_mon", "Monitors of Ceph", ("file", "ceph_mon", "unit")),
    Phase("ceph_cluster", "Cluster of Ceph, its options, keys and pools", ("ceph_cluster",)),
    Phase("ceph_daemons", "Daemons and clients of Ceph", ("file", "ceph_mgr", "unit", "ceph_osd")),
    Phase("ceph_access", "Clients of another's Ceph", ("ceph_access",)),
    Phase("services", "Services", ("driver_option", "file", "migration", "unit")),
    Phase("volume_types", "Volume types", ("volume_type",)),
    Phase("share_types", "Share types", ("share_type",)),
    Phase("finish", "Finish", ("migration",)),
)

ORDER = Order.of(
    PHASES,
    SUBJECTS,
    # What these change on a host alters what later units were started with, in ways that only the host can tell.
    unsettling=frozenset({"packages", "certificates", "ceph_daemons"}),
    # What then has to be looked at again: how units were started, and what installed packages turn out to be.
    unsettled=frozenset({"unit", "ceph_mgr"}),
    # What these need is made in the same run, by the role pki or on another host: in check mode only the plan can tell.
    told_by_plan=frozenset({"certificate", "swift_ring_copy"}),
)
