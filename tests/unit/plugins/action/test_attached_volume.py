# SPDX-License-Identifier: Apache-2.0
"""The action ``attached_volume``: the way there, the host's part, and the way back, whatever happens."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.attach import stories as attached
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.plugin_utils.verify_action import VerifyAction

CONNECTOR = {"initiator": "iqn.x"}
CONNECTION = {"driver_volume_type": "iscsi", "data": {"target_portal": "p", "auth_password": "hidden-word"}}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The volume service: what it was asked."""
    asked: list[str] = []

    def attach(cloud: Any, volume: str, connector: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        assert connector == CONNECTOR
        asked.append(f"attach {volume}")
        return "a1", CONNECTION

    monkeypatch.setattr(VerifyAction, "client", lambda self: object())
    monkeypatch.setattr(attached, "attach", attach)
    monkeypatch.setattr(attached, "detach", lambda cloud, attachment: asked.append(f"detach {attachment}"))
    return asked


class Host:
    """A host that is asked first who it is, then to attach. ``done`` is what comes of that."""

    def __init__(self, controller: Any, **done: Any) -> None:
        self.done = done
        self.asked: list[dict[str, Any]] = []
        controller.execute_module = self.execute_module

    def execute_module(self, _: Any, name: str, *, module_args: dict[str, Any], **__: Any) -> dict[str, Any]:
        assert name == "holdfast.storage.attached_volume"
        self.asked.append(module_args)
        return self.done if "connection" in module_args else {"connector": CONNECTOR, "invocation": {}}


def test_a_volume_is_attached_used_and_detached(controller: Any, api: list[str]) -> None:
    host = Host(controller, changed=True, sha256="s", invocation={"module_args": "hidden-word"})
    result = controller.act("attached_volume", volume="v1", address="10.0.0.1", size=512)
    assert result == {"changed": True, "sha256": "s"}
    assert api == ["attach v1", "detach a1"]
    who, use = host.asked
    assert who == {"address": "10.0.0.1", "size": 512}
    assert use["connection"]["data"] == {"target_portal": "p"}
    assert use["credentials"] == {"auth_password": "hidden-word"}, "that option is not logged"


@pytest.mark.parametrize("done", [{"failed": True, "msg": "no way"}, {"failed": True}])
def test_the_way_back_is_taken_when_the_host_fails(controller: Any, api: list[str], done: dict[str, Any]) -> None:
    Host(controller, **done)
    result = controller.act("attached_volume", volume="v1", address="a", size=1)
    assert (result["failed"], result["msg"]) == (True, done.get("msg", "The module gave no reason."))
    assert api == ["attach v1", "detach a1"]


def test_no_secret_is_in_the_result(controller: Any, api: list[str]) -> None:
    Host(controller, changed=False, refused="login with hidden-word failed")
    result = controller.act("attached_volume", volume="v1", address="a", size=1)
    assert result["refused"] == "login with (secret) failed"


def test_the_service_is_not_asked_for_a_host_that_does_not_say_who_it_is(controller: Any, api: list[str]) -> None:
    controller.answers["attached_volume"] = {"changed": False}
    assert "how it attaches volumes" in controller.act("attached_volume", volume="v1")["msg"]
    assert "volume is missing" in controller.act("attached_volume")["msg"]
    assert api == []


def test_a_refusal_of_the_service_is_told(controller: Any, api: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise HoldfastError("The volume is in use.")

    monkeypatch.setattr(attached, "attach", refuse)
    Host(controller)
    result = controller.act("attached_volume", volume="v1", address="a", size=1)
    assert (result["failed"], result["msg"]) == (True, "The volume is in use.")
    assert api == []
