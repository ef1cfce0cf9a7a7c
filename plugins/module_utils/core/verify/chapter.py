# SPDX-License-Identifier: Apache-2.0
"""Chapters: what each subject has told of itself by verify.yml, and what the tellers have to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..description.services import Services
from ..errors import HoldfastError
from ..model import Model
from .story import Cloud, Story
from .tempest import RealmTests

Facts = Mapping[str, Any]


def _none(*_: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Chapter:
    """What is told of one subject, by ``roles/<subject>/tasks/verify.yml``.

    Attributes:
        group: it is told where the group has members.
        stories: the stories, in the order of verify.json, from the subject's facts.
        facts: what its stories and tasks have to know of a deployment, as plain values.
        ask: the same, where only the APIs know it. They are asked once, before the first story, with the facts so far.
        sweep: removes all that its stories made, also in verifications that were killed. Returns how many things.
        degraded: from its facts, whether ``tasks/verify_degraded.yml`` can tell stories while a host is lost.
        tests: which of OpenStack's own tests are about the subject.
    """

    group: str
    stories: Callable[[Facts], tuple[Story, ...]]
    facts: Callable[[Model, Services], dict[str, Any]] = _none
    ask: Callable[[Cloud, Facts], dict[str, Any]] = _none
    sweep: Callable[[Cloud], int] | None = None
    degraded: Callable[[Facts], bool] | None = None
    tests: RealmTests | None = None


Chapters = Mapping[str, Chapter]
"""By subject, in the order in which they are told."""


def told(chapters: Chapters, model: Model) -> dict[str, Chapter]:
    """The chapters that a deployment has told."""
    return {name: chapter for name, chapter in chapters.items() if model.group(chapter.group)}


def facts(chapters: Chapters, services: Services, cloud: Cloud) -> dict[str, dict[str, Any]]:
    """What the stories and tasks of each chapter have to know, by subject."""
    known = {name: chapter.facts(services.model, services) for name, chapter in chapters.items()}
    return {name: {**known[name], **chapter.ask(cloud, known[name])} for name, chapter in chapters.items()}


def parts(chapters: Chapters, known: Mapping[str, Facts], *, disruptive: bool) -> list[dict[str, str]]:
    """The files of tasks that tell the stories, in their order: ``{name, role, tasks}``, ``name`` for people."""
    found = []
    for name, chapter in chapters.items():
        found.append({"name": f"Stories of {name}", "role": name, "tasks": "verify"})
        if disruptive and chapter.degraded and chapter.degraded(known[name]):
            found.append({"name": f"Stories of {name} without a host", "role": name, "tasks": "verify_degraded"})
    return found


def catalogue(chapters: Chapters, known: Mapping[str, Facts]) -> dict[str, Story]:
    """The stories of the subjects of which there are facts, by id, in the order of verify.json."""
    return {
        story.id: story for name, chapter in chapters.items() if name in known for story in chapter.stories(known[name])
    }


def teller(chapters: Chapters, known: Mapping[str, Facts], story: str) -> str:
    """The subject that has the story told. Raises HoldfastError when none has."""
    for name, chapter in chapters.items():
        if name in known and any(story == one.id for one in chapter.stories(known[name])):
            return name
    raise HoldfastError(f"There is no story {story!r}. Fix: use one of {', '.join(catalogue(chapters, known))}.")


def sweep(chapters: Chapters, cloud: Cloud) -> int:
    """Remove what the stories made. What is told later may stand on what was told before, and so goes first."""
    return sum(chapter.sweep(cloud) for chapter in reversed(tuple(chapters.values())) if chapter.sweep)
