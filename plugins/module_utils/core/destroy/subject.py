# SPDX-License-Identifier: Apache-2.0
"""What is given up by name: what the subject hands in."""

from __future__ import annotations

from ..subject import Subject
from .kinds import erasure

SUBJECT = Subject(
    name="destroy",
    kinds=(erasure,),
)
