# SPDX-License-Identifier: Apache-2.0
"""The lab: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..subject import Subject
from . import rules

SUBJECT = Subject(
    name="lab",
    rules=rules_of(rules),
)
