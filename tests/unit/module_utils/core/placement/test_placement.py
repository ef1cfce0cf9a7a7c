# SPDX-License-Identifier: Apache-2.0
"""Placement as its description makes it, and its story against an API of a few lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.config import parse_ini
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.placement import stories
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import PREFIX, Answer, Scene
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

SCENE = Scene(run="r")
EMPTY = b'{"resource_providers": []}'
Lie = Callable[[str, Answer], Answer]


def files(host: str) -> dict[str, dict[str, dict[str, str]]]:
    services = cases.deployed(cases.good("placement"))
    (component,) = (
        found for found in services.components(services.model.hosts[host]) if found["service"] == "placement"
    )
    # Lines repeat in what systemd reads.
    inis = (entry for entry in component["files"] if "[" in entry["content"] and ".service.d/" not in entry["path"])
    return {entry["path"]: parse_ini(entry["content"]) for entry in inis}


def test_it_has_its_own_section_for_the_database_and_no_queue() -> None:
    conf = files("control1")["/etc/placement/placement.conf"]
    assert conf["placement_database"]["connection"].startswith("mysql+pymysql://placement:s3cret@172.29.236.11:3306/")
    assert "database" not in conf
    assert "transport_url" not in conf["DEFAULT"]
    assert (conf["api"]["auth_strategy"], conf["keystone_authtoken"]["username"]) == ("keystone", "placement")
    assert "memcached_servers" not in conf["keystone_authtoken"]
    assert conf["keystone_authtoken"]["token_cache_time"] == "60"
    assert "placement" not in files("control2")["/etc/placement/placement.conf"]
    assert conf["placement"] == {"randomize_allocation_candidates": "true"}


def test_each_host_serves_at_its_own_address() -> None:
    told = [files(host)["/etc/placement/holdfast-uwsgi.ini"]["uwsgi"] for host in ("control1", "control2")]
    assert [(one["http-socket"], one["processes"]) for one in told] == [
        ("172.29.236.11:8778", "4"),
        ("172.29.236.12:8778", "2"),
    ]


class Cloud:
    """Resource providers in memory. ``lie`` changes an answer before the story sees it."""

    token_details: Mapping[str, Any] = {}

    def __init__(self, lie: Lie = lambda method, answer: answer) -> None:
        self.lie = lie
        self.providers: dict[str, str] = {}

    def endpoint(self, service: str) -> str:
        return {"placement": "https://api:8778"}[service]

    def plain(self, url: str) -> str:
        return ""

    def port_states(self, addresses: Any, ports: Any) -> list[dict[str, Any]]:
        return []

    def authenticate(self, user: str, password: str) -> Answer:
        return Answer(401, {}, b"")

    def request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        token: bool = True,
    ) -> Answer:
        return self.lie(method, self.answer(method, url, body, token))

    def answer(self, method: str, url: str, body: bytes | None, token: bool) -> Answer:
        parts = urlsplit(url)
        if parts.path == "/":
            versions = [{"id": "v1.0", "min_version": "1.0", "max_version": "1.39"}]
            return Answer(200, {}, json.dumps({"versions": versions}).encode())
        if not token:
            return Answer(401, {}, b"")
        if method == "POST":
            made = json.loads(body or b"{}")
            self.providers[made["uuid"]] = made["name"]
            return Answer(201, {}, b"")
        if method == "DELETE":
            gone = self.providers.pop(parts.path.rpartition("/")[2], None)
            return Answer(204 if gone else 404, {}, b"")
        (wanted,) = parse_qs(parts.query)["name"]
        found = [{"uuid": key, "name": name} for key, name in self.providers.items() if wanted == name]
        return Answer(200, {}, json.dumps({"resource_providers": found}).encode())


def test_a_provider_comes_and_goes() -> None:
    cloud = Cloud()
    assert stories.provider(cloud, SCENE) == {
        "microversions": "1.0 to 1.39",
        "provider": stories.PROVIDER,
        "without a token": "401 Unauthorized",
    }
    assert cloud.providers == {}


@pytest.mark.parametrize(
    ("lie", "problem"),
    [
        (lambda method, answer: Answer(200, {}, b"{}") if answer.status == 401 else answer, "without a token"),
        (lambda method, answer: Answer(403, {}, b"") if method == "POST" else answer, "status 403 instead of 201"),
        (
            lambda method, answer: answer if b"versions" in answer.body else Answer(answer.status, {}, EMPTY),
            "0 resource providers",
        ),
    ],
)
def test_each_lie_is_noticed(lie: Lie, problem: str) -> None:
    with pytest.raises(HoldfastError, match=problem):
        stories.provider(Cloud(lie), SCENE)


def test_a_provider_that_stays_is_noticed() -> None:
    class Stubborn(Cloud):
        def answer(self, method: str, url: str, body: bytes | None, token: bool) -> Answer:
            return Answer(204, {}, b"") if method == "DELETE" else super().answer(method, url, body, token)

    with pytest.raises(HoldfastError, match="is listed after it was deleted"):
        stories.provider(Stubborn(), SCENE)


def test_a_sweep_takes_what_verifications_left_and_nothing_else() -> None:
    cloud = Cloud()
    cloud.providers = {"a": "compute1", stories.PROVIDER: f"{PREFIX}old"}
    asked = []
    cloud.lie = lambda method, answer: (asked.append(method), answer)[1]
    assert (stories.sweep(cloud), stories.sweep(cloud)) == (1, 0)
    assert cloud.providers == {"a": "compute1"}
    assert asked == ["DELETE", "DELETE"], "providers were listed"
