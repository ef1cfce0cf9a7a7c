# SPDX-License-Identifier: Apache-2.0
"""Volumes: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..subject import Subject
from ..verify.chapter import Chapter
from . import expressions, roles, shares, stories, tempest, wants
from .backends import portal_addresses, secrets
from .disks import disks
from .kinds import driver_option, volume_takeover, volume_type
from .rules import backends, nfs, volume_groups

SUBJECT = Subject(
    name="cinder",
    kinds=(
        driver_option,
        volume_takeover,
        volume_type,
    ),
    wants={
        "volume_group": wants.volume_group,
        "driver_option": wants.driver_option,
        "volume_type": wants.volume_type,
    },
    expressions=expressions.names,
    rules=rules_of(backends, nfs, volume_groups),
    shares=nfs.shares,
    chapter=Chapter(
        group="cinder_api",
        stories=lambda facts: (*stories.STORIES, *roles.STORIES),
        facts=stories.facts,
        sweep=stories.sweep,
        degraded=stories.degraded,
        tests=tempest.TESTS,
    ),
    disks=disks,
    mounts={"services": shares.mounts},
    addresses=portal_addresses,
    secrets=secrets,
)
