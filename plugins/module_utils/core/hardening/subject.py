# SPDX-License-Identifier: Apache-2.0
"""Hardened hosts: what the subject hands in."""

from __future__ import annotations

from ..subject import Subject
from . import wants
from .kinds import hardening

SUBJECT = Subject(name="hardening", kinds=(hardening,), wants={"hardening": wants.hardening})
