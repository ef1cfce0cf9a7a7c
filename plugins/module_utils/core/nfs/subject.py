# SPDX-License-Identifier: Apache-2.0
"""Files over NFS: what the subject hands in."""

from __future__ import annotations

from functools import partial

from ..inventory.disks import labelled
from ..inventory.draft import rules_of
from ..subject import Subject
from . import expressions, rules, wants
from .kinds import nfs_export

SUBJECT = Subject(
    name="nfs",
    kinds=(nfs_export,),
    wants={
        "disk": wants.disk,
        "nfs_export": wants.nfs_export,
    },
    expressions=expressions.names,
    rules=rules_of(rules),
    disks=partial(labelled, variable=rules.DISKS, subject="nfs", group="nfs_server"),
)
