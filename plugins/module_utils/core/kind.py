# SPDX-License-Identifier: Apache-2.0
"""The form of a kind: one sort of thing that Holdfast manages on a host, a module of functions on JSON values.

Kinds stand in ``core/<subject>/kinds/``. What a host should have of a kind is said by the subjects (``Subject.wants``),
and is exactly the options of the module in plugins/modules with the kind's name, which reads, plans, shows the diff,
applies, and reads again (``host.runner``); docs/architecture.md has the few that differ. A kind is sent to hosts, so it
imports nothing but the standard library, its like, and what stands below kinds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from .change import Plan
from .host_io import IO

ActedOn_contra = TypeVar("ActedOn_contra", bound=IO, contravariant=True)


class Planned(Protocol):
    """What a kind does without a host. Values are plain: what JSON can say."""

    __name__: str

    def question(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """On the controller. What ``read`` has to look at: names and paths, never contents or secrets."""

    def plan(self, current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
        """Anywhere. Pure. The changes in order, and findings for what must be refused (a disk that holds data)."""


class Kind(Planned, Protocol):
    """The functions that every kind has."""

    def read(self, io: IO, asked: dict[str, Any]) -> dict[str, Any]:
        """On the host, in the probe and in the module. What stands there: digests rather than contents.

        It answers on a bare host too: a missing tool or daemon means that nothing is there. One that is silent and was
        filled before is no empty one: see ``change.wait_for``.
        """


@runtime_checkable
class Joined(Kind, Protocol):
    """A kind of which no host can decide by itself."""

    def join(self, host: str, answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """On the controller. What ``plan`` gets, from the answers of all hosts by host and step."""


@runtime_checkable
class Rendered(Kind, Protocol):
    """A kind whose files can be told without the host."""

    def rendered(self, wanted: dict[str, Any]) -> dict[str, str]:
        """Anywhere. The text of each file that will stand on the host, by path."""


class Applied(Planned, Protocol[ActedOn_contra]):
    """A kind whose module changes the host. Without ``apply`` a role does it, as the plan says.

    ``ActedOn_contra`` is ``IO``, or more than that for a kind that no probe reads.
    """

    def read(self, io: ActedOn_contra, asked: dict[str, Any]) -> dict[str, Any]:
        """As that of ``Kind``, in the module."""

    def apply(self, io: ActedOn_contra, plan: Plan) -> None:
        """On the host, in the module. Does each change; may be killed at any point and run again."""


@runtime_checkable
class Told(Kind, Protocol):
    """A kind whose module returns more than the plan."""

    def result(self, current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
        """On the host. What the module returns beside the plan."""


class Arm(Protocol):
    """Keeps what stands, and has the host bring it back unless the change is confirmed in time."""

    def __call__(self, *, paths: Sequence[str], undo: Sequence[str]) -> None:
        """``paths``: the files that will change. ``undo``: shell commands that run when they are back."""


class Guarded(Kind, Protocol):
    """A kind whose change may cut the host off, and which the host undoes unless it is confirmed: ``host.guard``."""

    NAME: str

    def apply(self, io: IO, plan: Plan, arm: Arm) -> None:
        """On the host, in the module. Begins the change, after it has called ``arm``."""
