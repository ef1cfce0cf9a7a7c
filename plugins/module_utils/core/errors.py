# SPDX-License-Identifier: Apache-2.0
"""What Holdfast says when it refuses: findings, and the one exception that carries them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "advice"]


def counted(number: int, noun: str) -> str:
    """A number with its noun, as a sentence has them: ``1 disk``, ``2 disks``, ``3 entries``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{number} {noun}s"


@dataclass(frozen=True, order=True)
class Finding:
    """One problem in the input or on a host, with its remedy.

    Attributes:
        severity: ``error`` stops the run before anything is changed; ``advice`` is shown and passes.
        code: stable dotted name of the rule, such as ``networks.overlap``.
        where: the file or host, and the key: ``storage1: networks_ports.storage``.
        what: the value and why it is refused.
        fix: what the operator does about it.
    """

    severity: Severity
    code: str
    where: str
    what: str
    fix: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.what} Fix: {self.fix} [{self.code}]"


class HoldfastError(Exception):
    """A refusal or a failure that a person can act on. Modules turn it into fail_json, once, in main()."""

    def __init__(self, message: str, findings: Iterable[Finding] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.findings = tuple(findings)

    def as_result(self) -> dict[str, Any]:
        return {"msg": self.message, "findings": [finding.as_dict() for finding in self.findings]}


def refused_by_system(error: OSError) -> HoldfastError:
    """What the system says against a change (a full disk, a directory in the place of a file), for a person."""
    return HoldfastError(f"The host does not let it happen: {error}. Fix: see to what that says, and run again.")


class RefusedError(HoldfastError):
    """The cluster answers, and does not take the key."""
