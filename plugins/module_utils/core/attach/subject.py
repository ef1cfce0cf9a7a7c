# SPDX-License-Identifier: Apache-2.0
"""Volumes that hosts attach: what the subject hands in."""

from __future__ import annotations

from ..subject import Subject
from ..verify.chapter import Chapter
from . import stories

SUBJECT = Subject(
    name="attach",
    chapter=Chapter(group="cinder_api", stories=lambda facts: stories.STORIES, facts=stories.facts),
)
