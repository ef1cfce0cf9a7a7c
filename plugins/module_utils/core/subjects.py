# SPDX-License-Identifier: Apache-2.0
"""The subjects, and the order of things: the only place that names them all."""

from __future__ import annotations

from .base.subject import SUBJECT as BASE
from .ceph.subject import SUBJECT as CEPH
from .cinder.subject import SUBJECT as CINDER
from .foundations.subject import SUBJECT as FOUNDATIONS
from .glance.subject import SUBJECT as GLANCE
from .inventory.secrets import FORMS
from .inventory.rules import disks
from .keystone.subject import SUBJECT as KEYSTONE
from .lab.subject import SUBJECT as LAB
from .networks.subject import SUBJECT as NETWORKS
from .nfs.subject import SUBJECT as NFS
from .plan.registry import Order
from .subject import Subject
from .swift.subject import SUBJECT as SWIFT

SUBJECTS: tuple[Subject, ...] = (BASE, NETWORKS, FOUNDATIONS, KEYSTONE, SWIFT, CEPH, NFS, GLANCE, CINDER, LAB)

MOUNTS = tuple(item for subject in SUBJECTS for item in subject.mounts.items())

DISKS = tuple(subject.disks for subject in SUBJECTS if subject.disks)

RULES = (*(rule for subject in SUBJECTS for rule in subject.rules), disks.about(DISKS))

EXPRESSIONS = tuple(subject.expressions for subject in SUBJECTS if subject.expressions)

SECRET_FORMS = {**FORMS, **{name: form for subject in SUBJECTS for name, form in subject.secret_forms.items()}}

# The phases in their order, and the kinds that each applies.
_PHASES = {
    "preflight": ("platform",),
    "networks": ("network",),
    "packages": ("package",),
    "firewall": ("firewall",),
    "devices": ("disk", "volume_group", "nfs_export"),
    "certificates": ("certificate",),
    "foundations": ("file", "unit", "database", "message_queue"),
    "identity": ("file", "fernet_repository", "migration", "unit", "catalog"),
    "rings": ("swift_ring",),
    "ring_copies": ("swift_ring_copy",),
    "ceph_mon": ("file", "ceph_mon", "unit"),
    "ceph_cluster": ("ceph_cluster",),
    "ceph_daemons": ("file", "ceph_mgr", "unit", "ceph_osd"),
    "ceph_access": ("ceph_access",),
    "services": ("driver_option", "file", "migration", "unit"),
    "volume_types": ("volume_type",),
    "finish": ("migration",),
}

ORDER = Order.of(
    _PHASES,
    SUBJECTS,
    # What these change on a host alters what later units were started with, in ways that only the host can tell.
    unsettling=frozenset({"packages", "certificates", "ceph_daemons"}),
    # What then has to be looked at again: how units were started, and what installed packages turn out to be.
    unsettled=frozenset({"unit", "ceph_mgr"}),
    # What these need is made in the same run, by the role pki or on another host: in check mode only the plan can tell.
    told_by_plan=frozenset({"certificate", "swift_ring_copy"}),
)
