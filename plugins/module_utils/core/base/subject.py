# SPDX-License-Identifier: Apache-2.0
"""What every service is made of: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..inventory.rules import backends, deployment, groups, hosts, on_networks, overrides, secrets
from ..subject import Subject
from . import wants
from .kinds import disk, file, migration, package, platform, unit, volume_group

SUBJECT = Subject(
    name="base",
    kinds=(
        disk,
        file,
        migration,
        package,
        platform,
        unit,
        volume_group,
    ),
    wants={
        "file": wants.file,
        "unit": wants.unit,
        "package": wants.package,
        "migration": wants.migration,
        "platform": wants.platform,
    },
    rules=rules_of(deployment, hosts, overrides, groups, on_networks, backends, secrets),
)
