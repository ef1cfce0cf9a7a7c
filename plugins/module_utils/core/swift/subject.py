# SPDX-License-Identifier: Apache-2.0
"""Object storage: what the subject hands in."""

from __future__ import annotations

from functools import partial

from ..inventory.disks import labelled
from ..inventory.draft import rules_of
from ..subject import Subject
from ..verify.chapter import Chapter
from . import expressions, pipeline, rules, stories, tempest, wants
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
    expressions=expressions.names,
    rules=rules_of(rules, pipeline),
    chapter=Chapter(
        group="swift_proxy",
        stories=lambda facts: stories.STORIES,
        facts=stories.facts,
        ask=stories.ask,
        sweep=stories.sweep,
        degraded=lambda facts: True,
        tests=tempest.TESTS,
    ),
    disks=partial(labelled, variable=rules.DISKS, subject="swift", group="swift_storage"),
)
