# SPDX-License-Identifier: Apache-2.0
"""Instances: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..subject import Subject
from ..verify.chapter import Chapter
from . import expressions, rules, secrets, stories, wants
from .kinds import compute_node, flavor, nova_cell

SUBJECT = Subject(
    name="nova",
    kinds=(nova_cell, compute_node, flavor),
    wants={"nova_cell": wants.nova_cell, "compute_node": wants.compute_node, "flavor": wants.flavor},
    rules=rules_of(rules),
    expressions=expressions.names,
    secret_forms=secrets.FORMS,
    chapter=Chapter(
        group="nova_api",
        stories=stories.told,
        facts=stories.facts,
        ask=stories.ask,
        sweep=stories.sweep,
    ),
)
