# SPDX-License-Identifier: Apache-2.0
"""NFS servers of CephFS: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..subject import Subject
from . import expressions, nodes, rules

SUBJECT = Subject(
    name="ganesha",
    rules=rules_of(rules),
    expressions=expressions.names,
    moving=nodes.moving,
    outsiders=nodes.outsiders,
)
