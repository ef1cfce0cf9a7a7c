# SPDX-License-Identifier: Apache-2.0
"""Chapters: which are told, in which order, with which facts, and what is swept when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import CHAPTERS
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import chapter, proof
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Story

ROOT = Path(__file__).resolve().parents[5]
MODEL = Model(
    "lab",
    {},
    {
        "a": Host("a", frozenset({"letters", "stamps"}), {}, {}, {}),
        "b": Host("b", frozenset({"letters"}), {}, {}, {}),
    },
    {},
)


def a_chapter(name: str, group: str, swept: list[str] | None = None, **more: Any) -> chapter.Chapter:
    def sweep(cloud: Any) -> int:
        (swept if swept is not None else []).append(name)
        return 2

    stories = (Story(f"{name}.sent", "Sent", print), Story(f"{name}.read", "Read", print))
    return chapter.Chapter(group=group, stories=lambda facts: stories, sweep=sweep, **more)


def test_what_nobody_serves_is_not_told() -> None:
    chapters = {"post": a_chapter("post", "letters"), "wire": a_chapter("wire", "telegraphs")}
    assert list(chapter.told(chapters, MODEL)) == ["post"]


def test_facts_come_from_the_model_first_and_from_the_apis_afterwards() -> None:
    def ask(cloud: Any, known: Any) -> dict[str, Any]:
        return {"account": f"{cloud} of {known['servers']}"}

    chapters = {
        "post": a_chapter("post", "letters", facts=lambda model, _: {"servers": len(model.hosts)}, ask=ask),
        "stamps": a_chapter("stamps", "stamps"),
    }
    services = Services((), MODEL, {})
    found = chapter.facts(chapters, services, "cloud")  # type: ignore[arg-type]
    assert found == {"post": {"servers": 2, "account": "cloud of 2"}, "stamps": {}}


def test_a_host_is_lost_only_where_it_may_be_and_where_the_subject_has_stories_of_it() -> None:
    chapters = {
        "post": a_chapter("post", "letters", degraded=lambda facts: facts["servers"] > 1),
        "stamps": a_chapter("stamps", "stamps"),
    }

    def files(servers: int, disruptive: bool) -> list[str]:
        known = {"post": {"servers": servers}, "stamps": {}}
        return [f"{part['role']}/{part['tasks']}" for part in chapter.parts(chapters, known, disruptive=disruptive)]

    assert files(2, True) == ["post/verify", "post/verify_degraded", "stamps/verify"]
    assert files(1, True) == files(2, False) == ["post/verify", "stamps/verify"]


def test_what_is_told_later_is_swept_first() -> None:
    swept: list[str] = []
    chapters = {name: a_chapter(name, "letters", swept) for name in ("paper", "post")}
    chapters["stamps"] = chapter.Chapter(group="letters", stories=lambda facts: ())
    assert chapter.sweep(chapters, None) == 4  # type: ignore[arg-type]
    assert swept == ["post", "paper"]


def test_volumes_go_before_the_images_that_they_are_made_from() -> None:
    order = [name for name, one in CHAPTERS.items() if one.sweep]
    assert order.index("cinder") > order.index("glance")


def test_a_story_is_its_subjects_and_is_proved_as_it_says() -> None:
    chapters = {"post": a_chapter("post", "letters"), "wire": a_chapter("wire", "telegraphs")}
    known: dict[str, Any] = {"post": {}}
    assert chapter.teller(chapters, known, "post.read") == "post"
    with pytest.raises(HoldfastError, match=r"no story 'wire\.sent'. Fix: use one of post\.sent, post\.read\."):
        chapter.teller(chapters, known, "wire.sent")
    told = {"post.read": {"problem": "", "evidence": {"letter": 1}, "seconds": 1.0}}
    (entry,) = proof.prove({}, told, chapter.catalogue(chapters, known), MODEL, alone=True)
    assert (entry["id"], entry["realm"], entry["ok"]) == ("post.read", "post", True)


def test_the_stories_stand_in_the_order_in_which_verify_json_has_always_had_them() -> None:
    found = list(chapter.catalogue(CHAPTERS, {name: {} for name in CHAPTERS}))
    assert len(set(found)) == len(found) == sum(len(one.stories({})) for one in CHAPTERS.values())
    realms = [name.partition(".")[0] for name in found]
    told = [next(iter(one.stories({}))).id.partition(".")[0] for one in CHAPTERS.values()]
    assert list(dict.fromkeys(realms)) == list(dict.fromkeys(told))
    assert realms == sorted(realms, key=list(dict.fromkeys(realms)).index)


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_story_is_told_by_the_tasks_of_its_subject(name: str) -> None:
    one, tasks = CHAPTERS[name], ROOT / "roles" / name / "tasks"
    assert (tasks / "verify.yml").exists()
    assert (tasks / "verify_degraded.yml").exists() == (one.degraded is not None)
    text = "".join(path.read_text() for path in tasks.glob("verify*.yml"))
    for protocol in ("iscsi", "nvme", "nfs") if name == "attach" else ():
        text += text.replace("{{ attach_protocol }}", protocol)
    for story in one.stories({}):
        assert f"story: {story.id}" in text.replace('"', ""), story.id
        assert f"after: {story.id}" in text.replace('"', ""), story.id
