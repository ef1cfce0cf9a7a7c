# SPDX-License-Identifier: Apache-2.0
"""The action of a change that may cut the host off: what proves that it may stay, and what is said when it may not."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.template import Templar

from ansible_collections.holdfast.storage.plugins.action import firewall, hardening, network
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.plugin_utils import guarded_action

APPLIED = {"changed": True, "unconfirmed": True, "actions": ["create br-mgmt"], "invocation": {}}
SECONDS = 45


class Clock:
    """Time passes when somebody sleeps, and a little with each look at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 0.01
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @staticmethod
    def time_ns() -> int:
        return 1234


class Connection:
    """A connection that remembers what was done with it. ``broken`` is what a reset raises."""

    transport = "ssh"
    broken: Exception | None = None
    _shell = SimpleNamespace(tmpdir=None)

    def __init__(self, told: list[str]) -> None:
        self.told = told
        self.options: dict[str, Any] = {"ssh_extra_args": "-o Compression=yes"}

    def reset(self) -> None:
        self.told.append("reset")
        if self.broken:
            raise self.broken

    def get_option(self, name: str) -> Any:
        return self.options.get(name)

    def set_option(self, name: str, value: Any) -> None:
        self.options[name] = value


class Case:
    """One run of the action. ``answers`` are what the module answers, in order; the last is repeated."""

    def __init__(self, action: Any = network) -> None:
        self.told: list[str] = []
        self.arguments: list[dict[str, Any]] = []
        self.clock = Clock()
        self.connection = Connection(self.told)
        task = Task()
        task.args = {"bridges": [], "rollback_seconds": SECONDS}
        loader = DataLoader()
        self.action = action.ActionModule(task, self.connection, PlayContext(), loader, Templar(loader=loader))

    def run(self, monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any] | Exception) -> dict[str, Any]:
        left: Iterator[dict[str, Any] | Exception] = iter(answers)

        def execute(*, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            self.told.append(module_args["stage"])
            self.arguments.append({**module_args, "module": module_name})
            answer = next(left, answers[-1])
            if isinstance(answer, Exception):
                raise answer
            return dict(answer)

        monkeypatch.setattr(guarded_action, "time", self.clock)
        monkeypatch.setattr(self.action, "_execute_module", execute)
        result: dict[str, Any] = self.action.run(task_vars={})
        return result


def test_a_change_is_settled_and_confirmed_each_over_a_connection_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case()
    result = case.run(monkeypatch, APPLIED, {"changed": False})
    assert result == {"changed": True, "actions": ["create br-mgmt"]}
    assert case.told == ["apply", "reset", "settle", "reset", "confirm"]
    assert {(given["change"], given["module"]) for given in case.arguments} == {("1234", "holdfast.storage.network")}
    assert case.clock.now > network.ActionModule.PAUSE


def test_ssh_is_told_to_notice_soon_that_the_host_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case()
    case.run(monkeypatch, APPLIED, {"changed": False})
    assert case.connection.options == {
        "ssh_extra_args": "-o Compression=yes -o ServerAliveInterval=3 -o ServerAliveCountMax=3",
        "timeout": guarded_action.CONNECT_SECONDS,
    }


def test_another_connection_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case()
    monkeypatch.setattr(case.connection, "transport", "local", raising=False)
    monkeypatch.setattr(case.connection, "broken", AnsibleError("it can not be reset"))
    assert case.run(monkeypatch, APPLIED, {"changed": False})["changed"]
    assert case.connection.options == {"ssh_extra_args": "-o Compression=yes"}


@pytest.mark.parametrize("first", [{"changed": False}, {"changed": True, "unconfirmed": False}])
def test_what_changed_nothing_has_nothing_to_confirm(monkeypatch: pytest.MonkeyPatch, first: dict[str, Any]) -> None:
    case = Case()
    assert case.run(monkeypatch, first) == {"changed": first["changed"]}
    assert case.told == ["apply"]


def test_a_module_that_refused_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case()
    assert case.run(monkeypatch, {"failed": True, "msg": "no interface"}) == {"failed": True, "msg": "no interface"}
    assert case.told == ["apply"]


def test_a_host_that_moves_is_asked_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case()
    gone = AnsibleConnectionFailure("timed out")
    result = case.run(monkeypatch, APPLIED, gone, gone, {"changed": False}, gone, {"changed": False})
    assert not result.get("failed")
    assert [stage for stage in case.told if stage != "reset"] == [
        "apply", "settle", "settle", "settle", "confirm", "confirm",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "module", "advice"),
    [
        (network, "network", "networks_ports names another interface"),
        (firewall, "firewall", "firewall_admin_sources"),
        (hardening, "hardening", "hardening_ssh_passwords: true"),
    ],
)
@pytest.mark.parametrize("stage", ["settle", "confirm"])
def test_what_the_host_undid_is_told_with_its_likely_reason(
    monkeypatch: pytest.MonkeyPatch, action: Any, module: str, advice: str, stage: str
) -> None:
    case = Case(action)
    undone = {"failed": True, "msg": "The host undid the change."}
    answers = [APPLIED, undone] if stage == "settle" else [APPLIED, {"changed": False}, undone]
    result = case.run(monkeypatch, *answers)
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"].startswith("The host undid the change. Likely reason")
    assert advice in result["msg"]
    assert case.told[-1] == stage
    assert {given["module"] for given in case.arguments} == {f"holdfast.storage.{module}"}


def test_a_host_that_never_answers_is_given_up_after_it_has_had_time_to_undo(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case()
    result = case.run(monkeypatch, APPLIED, AnsibleConnectionFailure("no route to host"))
    assert result["failed"]
    assert f"it was to undo it after {SECONDS} seconds: no route to host" in result["msg"]
    assert SECONDS + guarded_action.UNDO_SECONDS < case.clock.now < SECONDS + guarded_action.UNDO_SECONDS + 3


def test_a_run_that_was_killed_confirms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run shares the connection, and its change is not to be confirmed by this one."""
    case = Case()
    parent: Callable[[], Any] = lambda: SimpleNamespace(pid=-1)  # noqa: E731
    monkeypatch.setattr(multiprocessing, "parent_process", parent)
    with pytest.raises(HoldfastError, match="is gone"):
        case.run(monkeypatch, APPLIED, {"changed": False})
    assert case.told == ["apply"]
