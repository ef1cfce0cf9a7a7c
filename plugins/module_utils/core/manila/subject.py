# SPDX-License-Identifier: Apache-2.0
"""Shared file systems: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..subject import Subject
from . import backends, expressions, rules, wants
from .kinds import share_type

SUBJECT = Subject(
    name="manila",
    kinds=(share_type,),
    wants={
        "volume_group": wants.volume_group,
        "ceph_cluster": wants.ceph_cluster,
        "share_type": wants.share_type,
    },
    expressions=expressions.names,
    rules=rules_of(rules),
    disks=backends.disks,
    secrets=backends.secrets,
)
