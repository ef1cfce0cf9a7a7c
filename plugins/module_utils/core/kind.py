# SPDX-License-Identifier: Apache-2.0
"""The form of a kind: one sort of thing that Holdfast manages on a host, a module of functions on JSON values.

Kinds stand in ``core/<subject>/kinds/``. What a host should have of a kind is said by the subjects (``Subject.wants``),
and is exactly the options of the module in plugins/modules with the kind's name, which reads, plans, shows the diff,
applies, and reads again (``host.runner``). A kind is sent to hosts, so it imports nothing but the standard library, its
like, and what stands below kinds.

Beside the functions of ``Kind`` a module may have:

``join(host, answers) -> current``
    On the controller. What ``plan`` gets, from the answers of all hosts by host and step; for what no host can decide
    by itself.
``rendered(wanted) -> {path: text}``
    Anywhere. The files that will stand on the host, as far as they can be told without it.
``result(current, wanted) -> dict``
    On the host. What the module returns beyond the plan.
"""

from __future__ import annotations

from typing import Any, Protocol

from .change import Plan
from .host_io import IO


class Kind(Protocol):
    """The functions that every kind has. Values are plain: what JSON can say."""

    __name__: str

    def question(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """On the controller. What ``read`` has to look at: names and paths, never contents or secrets."""

    def read(self, io: IO, asked: dict[str, Any]) -> dict[str, Any]:
        """On the host, in the probe and in the module. What stands there: digests rather than contents.

        It answers on a bare host too: a missing tool or daemon means that nothing is there. One that is silent and was
        filled before is no empty one: see ``change.wait_for``.
        """

    def plan(self, current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
        """Anywhere. Pure. The changes in order, and findings for what must be refused (a disk that holds data)."""


class Applied(Kind, Protocol):
    """A kind whose module changes the host. Without ``apply`` a role does it, as the plan says."""

    def apply(self, io: IO, plan: Plan) -> None:
        """On the host, in the module. Does each change; may be killed at any point and run again."""
