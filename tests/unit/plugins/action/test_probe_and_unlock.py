# SPDX-License-Identifier: Apache-2.0
"""The actions ``probe`` and ``unlock``, by real commands: a program in the place of the host's Python answers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller import deployment
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import lock

from .conftest import HOLDER


@pytest.fixture
def asked(controller: Any) -> Any:
    """A run that has come to the probe of control1, which keeps the lock."""
    controller.begin()
    controller.run_directory.write("bundles/0.json", "the bundle")
    questions = {"bundle": "bundles/0.json", "kinds": {"networks/network": "core.x"}, "asked": {"networks/network": {}}}
    controller.run_directory.write("questions/control1.json", questions)
    return controller


def answering(controller: Any, *answers: str, status: int = 0) -> Path:
    """What the host answers, one after the other. Gives the directory where what it was sent is kept."""
    place: Path = controller.directory / "host"
    place.mkdir()
    for number, answer in enumerate(answers, 1):
        (place / f"answer{number}").write_text(answer)
    program = place / "python3"
    program.write_text(
        "#!/bin/sh\n"
        f"cd {place}\n"
        "number=$(($(ls sent* 2>/dev/null | wc -l) + 1))\n"
        "cat > sent$number\n"
        'echo "$@" > arguments\n'
        f"cat answer$number\nexit {status}\n"
    )
    program.chmod(0o755)
    controller.variables["ansible_python_interpreter"] = str(program)
    return place


def lock_of(sent: str) -> Any:
    """The request for the lock in a script that was sent."""
    line = next(line for line in sent.splitlines() if line.startswith("kinds, questions, lock = "))
    namespace: dict[str, Any] = {"json": json}
    exec(line, namespace)
    return namespace["lock"]


def test_the_answer_is_kept_and_a_banner_passed_over(asked: Any) -> None:
    place = answering(asked, 'Welcome!\n{"networks/network": {"links": {}}}\n')
    assert asked.act("probe") == {"changed": False}
    assert asked.run_directory.read("probe/control1.json") == {"networks/network": {"links": {}}}
    assert (place / "arguments").read_text() == "-I -S -\n"
    assert lock_of((place / "sent1").read_text()) is None, "nobody asked for it"


@pytest.mark.parametrize(
    ("host", "options", "check", "wanted"),
    [
        ("control1", {"lock": True}, False, {"holder": HOLDER}),
        ("control1", {"lock": True}, True, None),
        ("control1", {"lock": False}, False, None),
        ("storage1", {"lock": True}, False, None),
    ],
)
def test_the_lock_is_asked_of_the_host_that_keeps_it_in_runs_that_change_things(
    asked: Any, host: str, options: dict[str, Any], check: bool, wanted: Any
) -> None:
    asked.run_directory.write(f"questions/{host}.json", asked.run_directory.read("questions/control1.json"))
    place = answering(asked, "{}")
    assert not asked.act("probe", host, check=check, **options).get("failed")
    assert lock_of((place / "sent1").read_text()) == wanted


def test_another_run_is_named_and_nothing_is_kept(asked: Any) -> None:
    answering(asked, json.dumps({"lock": HOLDER}))
    result = asked.act("probe", lock=True)
    assert result["failed"]
    assert "anna on desk (process 1, site.yml, since 2026-01-01T00:00:00+00:00)" in result["msg"]
    assert f"remove {lock.PATH} on control1" in result["msg"]
    assert not (asked.run_directory.path / "probe/control1.json").exists()


def test_a_dead_runs_lock_is_taken_from_that_one_only(asked: Any) -> None:
    dead = {**deployment.holder("site.yml"), "started": "1"}
    place = answering(asked, json.dumps({"lock": dead}), '{"networks/network": {}}')
    assert asked.act("probe", lock=True) == {"changed": False}
    assert lock_of((place / "sent2").read_text()) == {"holder": HOLDER, "stale": dead}


def test_a_living_run_that_came_in_between_keeps_it(asked: Any) -> None:
    dead = {**deployment.holder("site.yml"), "started": "1"}
    answering(asked, json.dumps({"lock": dead}), json.dumps({"lock": HOLDER}))
    assert "anna on desk" in asked.act("probe", lock=True)["msg"]


def test_what_is_no_answer_is_shown_with_what_a_host_needs(asked: Any) -> None:
    answering(asked, "sudo: a password is required\n", status=1)
    result = asked.act("probe")
    assert result["failed"]
    assert "control1: the probe gave no answer (exit status 1): sudo: a password is required" in result["msg"]
    assert "sudo without a password" in result["msg"]


@pytest.mark.parametrize(("off", "low", "high"), [(0, 0, 0), (3600, 3500, 3601), (-3600, -3601, -3500)])
def test_how_far_the_clock_is_off_is_told(asked: Any, off: int, low: int, high: int) -> None:
    answering(asked, json.dumps({"preflight/platform": {"time": time.time() + 30 * (off == 0) + off}}))
    if off == 0:
        # The answer came from within the time of the question.
        asked.variables["ansible_python_interpreter"] = f"{asked.directory}/now"
        now = asked.directory / "now"
        now.write_text('#!/bin/sh\ncat > /dev/null\necho "{\\"preflight/platform\\": {\\"time\\": $(date +%s.%N)}}"\n')
        now.chmod(0o755)
    asked.act("probe")
    skew = asked.run_directory.read("probe/control1.json")["preflight/platform"]["skew_seconds"]
    assert low <= skew <= high


def test_without_questions_the_playbook_has_to_begin_at_its_start(controller: Any) -> None:
    controller.begin()
    assert "an earlier phase has not run" in controller.act("probe")["msg"]


@pytest.mark.parametrize("kept", ["ours", "another's"])
def test_only_the_runs_own_lock_is_removed(controller: Any, monkeypatch: pytest.MonkeyPatch, kept: str) -> None:
    controller.begin()
    path = controller.directory / "lock.json"
    monkeypatch.setattr(lock, "PATH", str(path))
    path.write_text(json.dumps(HOLDER if kept == "ours" else {**HOLDER, "pid": 2}))
    assert controller.act("unlock") == {"changed": False}
    assert path.exists() == (kept == "another's")
    assert controller.run_directory.read("lock.json") == {"host": "control1", "holder": None}
