# SPDX-License-Identifier: Apache-2.0
"""What the stories of images are told of a deployment, and of its APIs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.glance import stories as image
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Answer
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases


def facts(base: str, **changes: Any) -> dict[str, Any]:
    services = cases.deployed(cases.changed({"base": base, "set": changes}))
    return image.facts(services.model, services)


class Cloud:
    """An identity service with these projects."""

    def __init__(self, *projects: str) -> None:
        self.projects = [{"id": project} for project in projects]

    def endpoint(self, service: str) -> str:
        return f"https://{service}"

    def request(self, method: str, url: str) -> Answer:
        assert (method, url) == ("GET", "https://identity/projects?name=service")
        return Answer(200, {}, json.dumps({"projects": self.projects}).encode())


def test_the_store_is_the_default_one() -> None:
    assert facts("block") == {"store": "rbd", "container": None, "cache": True, "servers": 2, "staged": True}
    assert facts("block", **{"vars/glance_default_store": "swift"})["container"] == "glance"
    plain = facts("lab", **{"vars/glance_image_cache": {"enabled": False}})
    assert (plain["store"], plain["cache"], plain["servers"]) == ("swift", False, 1)


def test_files_leave_their_bytes_on_br_storage_only_when_another_host_keeps_them() -> None:
    assert facts("local")["store"] == "file"
    assert facts("local", **{"vars/glance_stores/0/nfs": "10.9.0.7:/vol/images"})["store"] == "nfs"


def test_images_that_are_objects_are_in_the_account_of_the_services() -> None:
    assert image.ask(Cloud("p1"), {"container": "glance"}) == {"account": "AUTH_p1"}  # type: ignore[arg-type]
    with pytest.raises(HoldfastError, match="no project `service`"):
        image.ask(Cloud(), {"container": "glance"})  # type: ignore[arg-type]
    assert image.ask(Cloud(), {"container": None}) == {}  # type: ignore[arg-type]
