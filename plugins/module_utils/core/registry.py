# SPDX-License-Identifier: Apache-2.0
"""The order of things: phases, and the kinds that each applies. The one place that says it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Step:
    """One kind in one phase. ``name`` identifies it in questions, answers and plans."""

    phase: str
    kind: str

    @property
    def name(self) -> str:
        return f"{self.phase}/{self.kind}"

    @property
    def module(self) -> ModuleType:
        """The kind's functions, imported when they are needed."""
        return kind(self.kind)


def kind(name: str) -> ModuleType:
    """The functions of a kind."""
    return importlib.import_module(f"..kinds.{name}", __name__)


_STEPS = {
    "preflight": ("platform",),
    "networks": ("network",),
    "packages": ("package",),
    "firewall": ("firewall",),
    "devices": ("disk", "volume_group", "nfs_export"),
    "certificates": ("certificate",),
    "foundations": ("file", "unit", "database", "message_queue"),
    "identity": ("file", "fernet_repository", "migration", "unit", "catalog"),
    "rings": ("swift_ring",),
    "ring_copies": ("swift_ring_copy",),
    "ceph_mon": ("file", "ceph_mon", "unit"),
    "ceph_cluster": ("ceph_cluster",),
    "ceph_daemons": ("file", "ceph_mgr", "unit", "ceph_osd"),
    "ceph_access": ("ceph_access",),
    "services": ("driver_option", "file", "migration", "unit"),
    "volume_types": ("volume_type",),
}

PHASES = tuple(_STEPS)
STEPS = tuple(Step(phase, kind) for phase, kinds in _STEPS.items() for kind in kinds)

# What these change on a host alters what later units were started with, in ways that only the host can tell.
UNSETTLING = frozenset({"packages", "certificates", "ceph_daemons"})

# What then has to be looked at again: how units were started, and what installed packages turn out to be.
UNSETTLED = frozenset({"unit", "ceph_mgr"})

# What these need is made in the same run, by the role pki or on another host: in check mode only the plan can tell.
TOLD_BY_PLAN = frozenset({"certificate", "swift_ring_copy"})


def steps(phase: str) -> Iterator[Step]:
    """The steps of a phase, in order."""
    return (step for step in STEPS if step.phase == phase)
