# SPDX-License-Identifier: Apache-2.0
"""Placement: what the subject hands in."""

from __future__ import annotations

from ..subject import Subject
from ..verify.chapter import Chapter
from . import stories

SUBJECT = Subject(
    name="placement",
    chapter=Chapter(group="placement_api", stories=lambda facts: stories.STORIES, sweep=stories.sweep),
)
