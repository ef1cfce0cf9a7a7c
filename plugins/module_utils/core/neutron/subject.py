# SPDX-License-Identifier: Apache-2.0
"""Networks of instances: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..subject import Subject
from ..verify.chapter import Chapter
from . import chassis, expressions, stories, wants
from .kinds import cloud_network, virtual_switch
from .rules import cloud, hosts

SUBJECT = Subject(
    name="neutron",
    kinds=(cloud_network, virtual_switch),
    wants={
        "network": wants.network,
        "virtual_switch": wants.virtual_switch,
        "cloud_network": wants.cloud_network,
    },
    switched=chassis.switched,
    expressions=expressions.names,
    rules=rules_of(hosts, cloud),
    chapter=Chapter(
        group="neutron_api",
        stories=stories.told,
        facts=stories.facts,
        ask=stories.ask,
        sweep=stories.sweep,
    ),
)
