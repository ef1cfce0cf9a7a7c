# SPDX-License-Identifier: Apache-2.0
"""Steps: the kinds that are applied in each phase, in order, with what the subjects want of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..description.services import Services
from ..errors import HoldfastError
from ..kind import Kind
from ..model import Host, Model
from ..subject import Subject, Wants


@dataclass(frozen=True)
class Phase:
    """A part of a run: its name in groups and plans, its title for people, and the kinds that it applies, in order."""

    name: str
    title: str
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One kind in one phase. ``name`` identifies it in questions, answers and plans."""

    phase: str
    kind: str
    module: Kind
    wants: tuple[Wants, ...]

    @property
    def name(self) -> str:
        return f"{self.phase}/{self.kind}"

    def wanted(self, model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
        """What all subjects want of the kind on a host: lists one after another, and everything else once."""
        joined: dict[str, Any] = {}
        for wants in self.wants:
            for name, value in wants(model, host, services, secrets).items():
                if isinstance(value, list):
                    joined[name] = [*joined.get(name, ()), *value]
                elif joined.setdefault(name, value) != value:
                    raise HoldfastError(f"{host.name}: two subjects want different things of {self.kind}: {name}.")
        return joined


@dataclass(frozen=True)
class Order:
    """The steps in their order.

    Attributes:
        steps: all of them.
        unsettling: phases whose changes have later ones looked at again.
        unsettled: the kinds that are looked at again then.
        told_by_plan: kinds of which in check mode only the plan can tell.
    """

    steps: tuple[Step, ...]
    unsettling: frozenset[str]
    unsettled: frozenset[str]
    told_by_plan: frozenset[str]

    @classmethod
    def of(cls, phases: Iterable[Phase], subjects: Iterable[Subject], **traits: frozenset[str]) -> Order:
        """The order of phases, with the kinds as the subjects hand them in."""
        subjects = tuple(subjects)
        modules = kinds(subjects)
        steps = (
            Step(phase.name, kind, modules[kind], tuple(s.wants[kind] for s in subjects if kind in s.wants))
            for phase in phases
            for kind in phase.kinds
        )
        return cls(tuple(steps), **traits)

    @property
    def applied(self) -> dict[str, list[str]]:
        """The kinds that each phase applies."""
        found: dict[str, list[str]] = {}
        for step in self.steps:
            found.setdefault(step.phase, []).append(step.kind)
        return found

    @property
    def phases(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(step.phase for step in self.steps))

    def of_phase(self, phase: str) -> Iterator[Step]:
        """The steps of a phase, in order."""
        return (step for step in self.steps if step.phase == phase)


def kinds(subjects: Iterable[Subject]) -> dict[str, Kind]:
    """The kinds by name: that of their modules in plugins/modules."""
    return {kind.__name__.rpartition(".")[2]: kind for subject in subjects for kind in subject.kinds}
