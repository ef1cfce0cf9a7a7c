# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.change import Change, Plan
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding, HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def plan(*actions: str, error: str = "") -> Plan:
    findings = [Finding("error", "x.y", "here", error, "Mend it.")] if error else []
    return Plan([Change("osd.3", action) for action in actions], findings)


def converge(first: Plan, *remaining: Plan) -> tuple[list[str], list[str]]:
    """What was applied, and what the module says that was changed."""
    applied: list[str] = []
    left = iter(remaining)
    kind: Any = SimpleNamespace(apply=lambda io, plan: applied.extend(plan.summary()))
    io: Any = None
    return applied, runner._applied(kind, io, first, lambda: next(left)).summary()


def test_what_remains_is_nothing():
    assert converge(plan("create"), plan()) == (["create osd.3"], ["create osd.3"])


def test_a_change_opens_the_way_to_the_next():
    applied, said = converge(plan("empty"), plan("remove"), plan())
    assert applied == said == ["empty osd.3", "remove osd.3"]


@pytest.mark.parametrize(
    "remaining",
    [
        [plan("create")],
        [plan("start"), plan("create")],
        [plan("start", error="is gone")],
    ],
)
def test_what_was_applied_in_vain_is_an_error(remaining):
    with pytest.raises(HoldfastError, match="still differs"):
        converge(plan("create"), *remaining)


def test_what_the_system_refuses_is_told_without_a_traceback(monkeypatch):
    said: dict[str, Any] = {}

    class Module:
        check_mode, _diff, params = True, False, {"path": "/etc/x"}

        def __init__(self, **_: Any) -> None:
            pass

        def fail_json(self, **result: Any) -> None:
            said.update(result)
            raise SystemExit(1)

    def read(io: Any, asked: Any) -> Any:
        raise PermissionError(1, "Operation not permitted", "/etc/x")

    kind: Any = SimpleNamespace(question=lambda wanted: wanted, read=read)
    monkeypatch.setattr(runner, "_Module", Module)
    with pytest.raises(SystemExit):
        runner.run(kind, {"path": {}})
    assert "Operation not permitted: '/etc/x'" in said["msg"]
    assert "Fix:" in said["msg"]
