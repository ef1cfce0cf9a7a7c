# SPDX-License-Identifier: Apache-2.0
"""The networks and their firewalls: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..subject import Subject
from . import wants
from .kinds import firewall, network
from .rules import networks, ports

SUBJECT = Subject(
    name="networks",
    kinds=(
        firewall,
        network,
    ),
    wants={
        "network": wants.network,
        "firewall": wants.firewall,
    },
    outsiders=networks.outsiders,
    rules=rules_of(networks, ports),
)
