# SPDX-License-Identifier: Apache-2.0
"""Instances: what the subject hands in."""

from __future__ import annotations

from ..subject import Subject
from . import expressions, secrets

SUBJECT = Subject(
    name="nova",
    expressions=expressions.names,
    secret_forms=secrets.FORMS,
)
