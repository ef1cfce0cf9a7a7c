# SPDX-License-Identifier: Apache-2.0
"""Volumes that hosts attach: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..subject import Subject
from ..verify.chapter import Chapter
from . import rules, stories

SUBJECT = Subject(
    name="attach",
    rules=rules_of(rules),
    shares=rules.shares,
    chapter=Chapter(group="cinder_api", stories=lambda facts: stories.STORIES, facts=stories.facts),
)
