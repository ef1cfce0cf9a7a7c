# SPDX-License-Identifier: Apache-2.0
"""The stages after a change: settled, kept, undone, or confirmed by one whose answer was lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.change import Change, Plan
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.host import guard, guarded


class Alone:
    """A host, and whether somebody is alone with its changes."""

    held = False

    @contextmanager
    def alone(self, seconds: float) -> Iterator[None]:
        self.held = True
        yield
        self.held = False


HOST: Any = Alone()
CHANGE = "this run's"
WANTED = {"rollback_seconds": 0}
DIFFERENCE = Change("eth0", "update", "mtu 1500", "mtu 9000")


def kind(*changes: Change) -> Any:
    """A kind on a host that differs by these changes."""
    return SimpleNamespace(
        NAME="network",
        question=lambda wanted: {},
        read=lambda io, asked: {},
        plan=lambda current, wanted: Plan(changes, ()),
    )


@pytest.fixture
def pending(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What waits on the host; taken out when it is confirmed or undone."""
    waiting, done = ["network"], []

    def confirm(io: Alone, name: str, change: str) -> bool:
        assert (io.held, change) == (True, CHANGE)
        done.append("confirm")
        waiting.clear()
        return True

    def undo(io: Alone, name: str) -> None:
        assert io.held
        done.append("undo")

    monkeypatch.setattr(guard, "waiting", lambda io, name: CHANGE if name in waiting else "")
    monkeypatch.setattr(guard, "confirm", confirm)
    monkeypatch.setattr(guard, "undo", undo)
    return done


def test_a_change_is_kept_only_when_it_is_confirmed(pending: list[str]) -> None:
    guarded._settle(HOST, kind(), WANTED, CHANGE)
    assert pending == [], "whoever sees the host settled may come by the network that it leaves"
    guarded._confirm(HOST, kind(), WANTED, CHANGE)
    assert pending == ["confirm"]


def test_what_an_earlier_connection_confirmed_was_not_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "confirm", lambda io, name, change: False)
    guarded._confirm(HOST, kind(), WANTED, CHANGE)
    with pytest.raises(HoldfastError, match="The host undid the change"):
        guarded._confirm(HOST, kind(DIFFERENCE), WANTED, CHANGE)


def test_a_host_that_is_not_as_wanted_in_time_undoes_it_and_says_why(pending: list[str]) -> None:
    with pytest.raises(HoldfastError, match="eth0: wanted mtu 9000"):
        guarded._settle(HOST, kind(DIFFERENCE), WANTED, CHANGE)
    assert pending == ["undo"]


@pytest.mark.parametrize("another", ["", "another run's"])
def test_what_the_host_undid_by_itself_is_told(monkeypatch: pytest.MonkeyPatch, another: str) -> None:
    monkeypatch.setattr(guard, "waiting", lambda io, name: another)
    with pytest.raises(HoldfastError, match="The host undid the change"):
        guarded._settle(HOST, kind(), WANTED, CHANGE)


def test_another_runs_change_is_not_undone(pending: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It came while this one looked at the host."""
    told = iter([CHANGE, "another run's"])
    monkeypatch.setattr(guard, "waiting", lambda io, name: next(told))
    with pytest.raises(HoldfastError, match="The host undid the change"):
        guarded._settle(HOST, kind(DIFFERENCE), WANTED, CHANGE)
    assert pending == []


ARMED = {"name": "network", "paths": ["/etc/a"], "undo": ["true"], "seconds": 0, "change": "4"}


@pytest.mark.parametrize(("waiting", "done"), [("5", []), ("3", ["undo", ARMED]), ("", ["undo", ARMED])])
def test_a_change_that_waits_is_undone_unless_a_later_run_has_begun_it(
    monkeypatch: pytest.MonkeyPatch, waiting: str, done: list[Any]
) -> None:
    """A module that a killed run left at work may have its turn when the next run's has begun."""
    found: list[Any] = []
    network = kind(DIFFERENCE)
    network.read = lambda io, asked: {"pending": True}
    network.apply = lambda io, plan, arm: arm(paths=["/etc/a"], undo=["true"])
    monkeypatch.setattr(guard, "waiting", lambda io, name: waiting)
    monkeypatch.setattr(guard, "undo", lambda io, name: found.append("undo"))
    monkeypatch.setattr(guard, "arm", lambda io, name, **given: found.append({"name": name, **given}))
    with nullcontext() if done else pytest.raises(HoldfastError, match="A later run"):
        guarded._apply(HOST, network, WANTED, "4", False)
    assert found == done
