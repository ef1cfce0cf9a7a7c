# SPDX-License-Identifier: Apache-2.0
"""Images: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..subject import Subject
from ..verify.chapter import Chapter
from . import rules, stories, tempest

SUBJECT = Subject(
    name="glance",
    rules=rules_of(rules),
    shares=rules.shares,
    chapter=Chapter(
        group="glance_api",
        stories=stories.stories,
        facts=stories.facts,
        ask=stories.ask,
        sweep=stories.sweep,
        tests=tempest.TESTS,
    ),
)
