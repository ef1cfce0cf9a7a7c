# SPDX-License-Identifier: Apache-2.0
"""The plan of a deployment: every host, phase and kind, from the model and what the probe found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..change import Plan
from ..description.services import Services
from ..errors import Finding, HoldfastError
from ..kind import Joined
from ..model import Host, Model
from .registry import Order, Step


@dataclass(frozen=True)
class DeploymentPlan:
    """Plans by host and step name, steps in their order, and what forbids the run or is worth knowing."""

    order: Order
    hosts: Mapping[str, Mapping[str, Plan]]
    findings: tuple[Finding, ...] = field(default=())

    def phases(self, host: str) -> list[str]:
        """The phases in which the host has something to do, in order.

        A host whose packages or certificates change goes on to every phase that has units of its own, as only then
        can it be told whether they must be restarted.
        """
        plans = self.hosts[host]
        changed = {name.partition("/")[0] for name, plan in plans.items() if plan}
        if changed & self.order.unsettling:
            changed |= {name.partition("/")[0] for name in plans if name.endswith("/unit")}
        return [phase for phase in self.order.phases if phase in changed]

    def groups(self, host: str) -> list[str]:
        """The groups whose plays the host joins: ``phase_X``, or ``roll_X`` where it restarts what serves already.

        Plays over ``roll_X`` take one host at a time, so that a redundant service goes on being served.
        """
        return [f"{'roll' if self._rolls(host, phase) else 'phase'}_{phase}" for phase in self.phases(host)]

    def _rolls(self, host: str, phase: str) -> bool:
        plans = self.hosts[host]
        if f"{phase}/unit" not in plans:
            return False
        actions = {change.action for change in plans[f"{phase}/unit"]}
        unsettled = any(plan and name.partition("/")[0] in self.order.unsettling for name, plan in plans.items())
        return "restart" in actions or (unsettled and not actions & {"start", "adopt"})

    def as_dict(self) -> dict[str, Any]:
        """Without secrets: what plan.json holds and the report shows."""
        return {
            "hosts": {
                host: {
                    "phases": self.phases(host),
                    "steps": {name: [change.as_dict() for change in plan] for name, plan in plans.items() if plan},
                }
                for host, plans in self.hosts.items()
            },
            "findings": [finding.as_dict() for finding in self.findings],
        }


def wanted(
    model: Model, host: Host, services: Services, secrets: Mapping[str, str], steps: Iterable[Step]
) -> Iterator[tuple[Step, Any]]:
    """What the host should have, of each of the steps that concerns it."""
    for step in steps:
        value = step.wanted(model, host, _view(services, step), secrets)
        if value:
            yield step, value


def questions(
    order: Order, model: Model, host: Host, services: Services, secrets: Mapping[str, str]
) -> list[tuple[Step, dict[str, Any]]]:
    """What the probe asks the host, by step. Holds no secret and no content."""
    return [(step, step.module.question(value)) for step, value in wanted(model, host, services, secrets, order.steps)]


def plan(
    order: Order, model: Model, services: Services, secrets: Mapping[str, str], answers: Mapping[str, Mapping[str, Any]]
) -> DeploymentPlan:
    """The plan for the hosts that answered. ``answers``: by host and step name, what ``read`` gave or ``{"error"}``."""
    plans: dict[str, dict[str, Plan]] = {}
    findings: list[Finding] = []
    for name, answer in sorted(answers.items()):
        host = model.hosts[name]
        plans[name] = {}
        for step, value in wanted(model, host, services, secrets, order.steps):
            current = answer.get(step.name, {"error": "the probe gave no answer"})
            if "error" in current:
                findings.append(_unreadable(name, step, current["error"]))
                continue
            if isinstance(step.module, Joined):
                current = step.module.join(name, answers)
            planned = step.module.plan(current, value)
            plans[name][step.name] = planned
            findings += planned.findings
        findings += _shared_disks(name, answer)
    return DeploymentPlan(order, plans, tuple(findings))


def _shared_disks(host: str, answer: Mapping[str, Any]) -> Iterator[Finding]:
    """A disk that two kinds would have, by two names: each finds it empty until the other has written to it."""
    taken: dict[str, tuple[str, str]] = {}
    for step, told in answer.items():
        for device, disk in told.get("disks", {}).items() if isinstance(told, Mapping) else ():
            if disk["number"] is None:
                continue
            other, first = taken.setdefault(disk["number"], (step, device))
            if other != step:
                where, what = f"{host}: {device}", f"it is the same disk as {first}, which is for something else."
                yield Finding("error", "disk.twice", where, what, "Give each disk to one thing only.")


def _view(services: Services, step: Step) -> Services:
    """Files, units and migrations belong to the phase of their service; packages are everyone's at once."""
    return services.within(step.phase) if step.kind in ("file", "unit", "migration") else services


def _unreadable(host: str, step: Step, reason: str) -> Finding:
    return Finding(
        "error",
        f"{step.kind}.unreadable",
        host,
        f"The state of kind {step.kind} cannot be read: {reason}",
        "Make the host answer the question by hand, then run again.",
    )


def host_named(model: Model, name: str) -> Host:
    """A host of the model. Raises HoldfastError when it is not there."""
    try:
        return model.hosts[name]
    except KeyError:
        raise HoldfastError(f"{name} is not a host of the model; run the playbook from its first phase.") from None
