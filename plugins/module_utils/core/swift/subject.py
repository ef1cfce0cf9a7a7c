# SPDX-License-Identifier: Apache-2.0
"""Object storage: what the subject hands in."""

from __future__ import annotations

from functools import partial

from ..inventory.disks import labelled
from ..inventory.draft import rules_of
from ..subject import Subject
from . import rules, wants
from .kinds import swift_ring, swift_ring_copy

SUBJECT = Subject(
    name="swift",
    kinds=(
        swift_ring,
        swift_ring_copy,
    ),
    wants={
        "disk": wants.disk,
        "swift_ring": wants.swift_ring,
        "swift_ring_copy": wants.swift_ring_copy,
    },
    rules=rules_of(rules),
    disks=partial(labelled, variable=rules.DISKS, subject="swift", group="swift_storage"),
)
