# SPDX-License-Identifier: Apache-2.0
"""A plan is a list of changes. What --check shows, what apply does and what drift means are this value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import Finding

WAIT = "wait for"


@dataclass(frozen=True)
class Change:
    """One step from what stands to what is wanted.

    Attributes:
        subject: the thing, by its own name: ``br-mgmt``, ``/etc/swift/swift.conf``, ``glance-api.service``.
        action: a verb: ``create``, ``update``, ``delete``, ``start``, ``restart``, ``format``, ``mount``, ...
        before: what stands, as lines for a diff, without secrets; empty when there is nothing.
        after: what will stand, likewise.
        data: what apply() needs to do it. Never shown, may hold secrets.
    """

    subject: str
    action: str
    before: str = ""
    after: str = ""
    data: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def as_dict(self) -> dict[str, str]:
        return {"subject": self.subject, "action": self.action, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class Plan:
    """The changes of one kind on one host, in the order in which they are applied, and what forbids them."""

    changes: Sequence[Change] = ()
    findings: Sequence[Finding] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def diff(self) -> list[dict[str, str]]:
        """The plan in Ansible's diff form, one entry a change."""
        return [
            {
                "before_header": f"{change.subject} ({change.action})",
                "after_header": f"{change.subject} ({change.action})",
                "before": _lines(change.before),
                "after": _lines(change.after or (change.action if not change.before else "")),
            }
            for change in self.changes
        ]

    def summary(self) -> list[str]:
        return [f"{change.action} {change.subject}" for change in self.changes]


def wait_for(subject: str, reason: str, **data: Any) -> Change:
    """What is planned of a service that was filled before and does not answer: nobody knows what it lacks.

    It is waited for, and what remains is planned when it answers.
    """
    return Change(subject, WAIT, "", f"its answer: {reason}", data)


def is_wait(plan: Plan) -> bool:
    """Whether a plan is but to wait for an answer."""
    return [change.action for change in plan] == [WAIT]


def _lines(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
