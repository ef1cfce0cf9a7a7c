# SPDX-License-Identifier: Apache-2.0
"""Ceph: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..subject import Subject
from ..verify.chapter import Chapter
from . import expressions, secrets, stories, wants
from .cluster import secrets_of_clients
from .disks import disks
from .kinds import ceph_access, ceph_cluster, ceph_mgr, ceph_mon, ceph_osd
from .rules import clients, cluster, options

SUBJECT = Subject(
    name="ceph",
    kinds=(
        ceph_access,
        ceph_cluster,
        ceph_mgr,
        ceph_mon,
        ceph_osd,
    ),
    wants={
        "ceph_access": wants.ceph_access,
        "ceph_cluster": wants.ceph_cluster,
        "ceph_mgr": wants.ceph_mgr,
        "ceph_mon": wants.ceph_mon,
        "ceph_osd": wants.ceph_osd,
    },
    expressions=expressions.names,
    secrets=secrets_of_clients,
    secret_forms=secrets.FORMS,
    chapter=Chapter(group="ceph_mon", stories=lambda facts: stories.STORIES, facts=stories.facts),
    rules=rules_of(cluster, options, clients),
    disks=disks,
    outsiders=clients.outsiders,
)
