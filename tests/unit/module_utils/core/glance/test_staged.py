# SPDX-License-Identifier: Apache-2.0
"""An import that fails is told to its user: the story, and the step of glance's imports that undoes."""

from __future__ import annotations

import json
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.glance import stories
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Answer, Scene
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

SOURCE = Path(__file__).resolve().parents[5] / "roles/glance/templates/holdfast_glance.py.j2"
SCENE = Scene(run="r")


class Cloud:
    """Images that are imported for two questions, and then end as ``end`` says."""

    def __init__(self, end: dict[str, Any], questions: int = 2) -> None:
        self.end, self.questions, self.asked = end, questions, []  # type: ignore[var-annotated]

    def endpoint(self, service: str) -> str:
        return "https://api:9292"

    def request(self, method: str, url: str, body: bytes | None = None, headers: Any = None) -> Answer:
        self.asked.append(f"{method} {url.removeprefix('https://api:9292/v2/images')}")
        if method == "POST":
            return Answer(202 if url.endswith("/import") else 201, {}, b'{"id": "i1"}')
        if method == "PUT":
            return Answer(204, {}, b"")
        self.questions -= 1
        return Answer(200, {}, json.dumps(self.end if self.questions < 0 else {"status": "importing"}).encode())


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stories.time, "sleep", lambda _: None)


def test_the_story_waits_for_the_end() -> None:
    cloud = Cloud({"status": "queued", "os_glance_failed_import": "swift"})
    assert stories.staged(cloud, SCENE) == {"image": "queued", "refused by": "swift"}
    assert cloud.asked[:3] == ["POST ", "PUT /i1/stage", "POST /i1/import"]


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ({"status": "active"}, "is active and not queued"),
        ({"status": "queued", "os_glance_failed_import": ""}, "does not tell which store"),
    ],
)
def test_an_import_that_is_taken_or_says_nothing_is_noticed(end: dict[str, Any], said: str) -> None:
    with pytest.raises(HoldfastError, match=said):
        stories.staged(Cloud(end), SCENE)


def test_an_import_that_never_ends_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10000, 50))
    monkeypatch.setattr(stories.time, "monotonic", lambda: next(clock))
    with pytest.raises(HoldfastError, match="is importing after 120 s"):
        stories.staged(Cloud({}, questions=1000), SCENE)


class Image:
    """What glance gives its steps."""

    def __init__(self, status: str) -> None:
        self.image_status = status

    def set_image_attribute(self, status: str) -> None:
        self.image_status = status


class Wrapper:
    def __init__(self, status: str) -> None:
        self.image = Image(status)

    def __enter__(self) -> Image:
        return self.image

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize(("before", "after"), [("importing", "queued"), ("active", "active"), ("deleted", "deleted")])
def test_the_step_undoes_what_glance_said_at_the_beginning(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    class Task:
        def __init__(self, name: str) -> None:
            self.name = name

    taskflow = types.ModuleType("taskflow")
    taskflow.task = types.SimpleNamespace(Task=Task)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "taskflow", taskflow)
    get_flow = runpy.run_path(str(SOURCE))["get_flow"]
    wrapper = Wrapper(before)
    step = get_flow(
        task_id="t", task_type="api_image_import", action_wrapper=wrapper, task_repo=None, backend=["swift"]
    )
    assert step.name == "api_image_import-Again-t"
    assert step.execute() is None
    assert wrapper.image.image_status == before
    step.revert(None, flow_failures={})
    assert wrapper.image.image_status == after


def test_glance_knows_the_step_by_the_name_in_its_configuration() -> None:
    services = cases.deployed(cases.good("lab"))
    host = services.model.group("glance_api")[0]
    files = {entry["path"]: entry["content"] for part in services.components(host) for entry in part["files"]}
    (known,) = (content for path, content in files.items() if path.endswith("/entry_points.txt"))
    assert "[glance.image_import.plugins]\nholdfast_again = holdfast_glance:get_flow\n" in known
    assert "image_import_plugins = [holdfast_again]" in files["/etc/glance/glance-api.conf"]
    compile(files["/usr/local/lib/python3.13/dist-packages/holdfast_glance.py"], "holdfast_glance.py", "exec")
