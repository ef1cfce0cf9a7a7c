# SPDX-License-Identifier: Apache-2.0
"""Images: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..subject import Subject
from . import rules

SUBJECT = Subject(
    name="glance",
    rules=rules_of(rules),
)
