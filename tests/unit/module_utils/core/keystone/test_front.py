# SPDX-License-Identifier: Apache-2.0
"""Stories of what stands before the APIs, and of who may do what, against a cloud of a few lines."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder import roles as volume_roles
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.glance import stories as image
from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone import front, stories
from ansible_collections.holdfast.storage.plugins.module_utils.core.placement import stories as placement
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import people
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Answer, Scene
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

PORTS = {"identity": 5000, "image": 9292, "block-storage": 8776, "placement": 8778, "object-store": 8080}
SCENE = Scene(run="20260101000000")
FACTS = {"source_connections": 400, "ours": ["172.29.236.11"]}

Lie = Callable[[str, str, str, Answer], Answer]


class Begun:
    def __init__(self, status: int) -> None:
        self.found = status

    def status(self) -> int:
        return self.found


class Cloud:
    """Identity, images, volumes and providers, for whom a role lets do what. ``lie`` changes an answer."""

    def __init__(self, lie: Lie | None = None, role: str = "admin", of: Cloud | None = None) -> None:
        self.lie: Lie = lie or (lambda role, method, path, answer: answer)
        self.role = role
        self.things: dict[str, dict[str, Any]] = of.things if of else {"users": {}, "projects": {}}
        self.volumes: dict[str, Any] = of.volumes if of else {}
        self.large, self.held, self.mine = 413, 400, "192.0.2.7"
        catalog = [
            {"type": name, "endpoints": [{"interface": "public", "url": f"https://api:{port}/x"}]}
            for name, port in PORTS.items()
        ]
        self.token_details = {"catalog": catalog}

    def endpoint(self, service: str) -> str:
        return f"https://api:{PORTS[service]}" + ("/v3" if service in ("identity", "block-storage") else "")

    def authenticate(self, user: str, password: str) -> Answer:
        raise AssertionError

    def plain(self, url: str) -> str:
        raise AssertionError

    def port_states(self, addresses: Any, ports: Any) -> list[dict[str, Any]]:
        raise AssertionError

    def another(self, user: str, password: str, project: str) -> Cloud:
        assert self.things["users"][user]["password"] == password
        assert project in self.things["projects"]
        return Cloud(self.lie, self.things["users"][user]["role"], self)

    @contextlib.contextmanager
    def unfinished(self, url: str, count: int, length: int) -> Iterator[list[Begun]]:
        yield [Begun(self.large if length > 100000 else 0)] * count

    def open_connections(self, url: str, count: int) -> tuple[str, int]:
        return self.mine, self.held

    def request(
        self, method: str, url: str, body: bytes | None = None, headers: Any = None, *, token: bool = True
    ) -> Answer:
        parts = urlsplit(url)
        service = next(name for name, port in PORTS.items() if port == parts.port)
        sent = json.loads(body) if body else None
        if not token:
            answer = Answer(200, {"location": f"https://{parts.netloc}/v3"}, b"{}")
        elif service == "identity":
            answer = self.identity(method, parts.path.removeprefix("/v3/").split("/"), parts.query, sent)
        elif service == "placement":
            answer = Answer(200 if self.role == "admin" else 403, {}, b'{"resource_providers": []}')
        else:
            answer = self.things_of_a_project(method, parts.path, sent)
        return self.lie(self.role, method, parts.path, answer)

    def identity(self, method: str, path: list[str], query: str, sent: Any) -> Answer:
        if self.role != "admin":
            return Answer(403, {}, b"")
        if path[0] == "roles":
            # The number of a role says nothing of its name here; the order of asking does.
            self.asked = getattr(self, "asked", -1) + 1
            return Answer(200, {}, json.dumps({"roles": [{"id": f"role{self.asked % 3}"}]}).encode())
        collection = self.things[path[0]]
        if method == "POST":
            about = sent[path[0][:-1]]
            collection[about["name"]] = {**about, "id": about["name"]}
            return Answer(201, {}, json.dumps({path[0][:-1]: collection[about["name"]]}).encode())
        if method == "PUT":
            self.things["users"][path[3]]["role"] = (people.READER, people.MEMBER, people.ADMIN)[int(path[5][-1])]
            return Answer(204, {}, b"")
        if method == "DELETE":
            return Answer(204 if collection.pop(path[1], None) else 404, {}, b"")
        # A cloud has more users and projects than a story may ask for.
        ((key, value),) = parse_qsl(query)
        same = {"name": str.__eq__, "name__istartswith": str.startswith}[key]
        found = [entry for entry in collection.values() if same(entry["name"], value)]
        return Answer(200, {}, json.dumps({path[0]: found}).encode())

    def things_of_a_project(self, method: str, path: str, sent: Any) -> Answer:
        """Volumes and images: a reader reads, and what is the administrator's is a name or a value that says so."""
        if path.endswith("/os-services"):
            return Answer(200 if self.role == "admin" else 403, {}, b'{"services": []}')
        if self.role == "reader" and method != "GET":
            return Answer(403, {}, b"")
        if isinstance(sent, dict) and sent.get("visibility") == "public" and self.role != "admin":
            return Answer(403, {}, b"")
        if method == "POST":
            one = {"id": "i1", "status": "available", **(sent.get("volume") or sent)}
            self.volumes["i1"] = one
            said = {"volume": one} if "volume" in sent else one
            return Answer(202 if "volume" in sent else 201, {}, json.dumps(said).encode())
        if method == "DELETE":
            self.volumes.clear()
            return Answer(202 if "/volumes/" in path else 204, {}, b"")
        if path.endswith("/detail"):
            return Answer(200, {}, json.dumps({"volumes": list(self.volumes.values())}).encode())
        found = self.volumes.get("i1")
        return Answer(200 if found else 404, {}, json.dumps({"volume": found} if found else {"gone": 1}).encode())


def test_the_facts_are_those_of_the_load_balancer() -> None:
    model = cases.deployed(cases.good("lab")).model
    assert front.facts(model)["source_connections"] == 400
    assert "172.29.236.11" in front.facts(model)["ours"]
    content = cases.good("lab")
    content["vars"]["haproxy_source_connections"] = 5000
    assert front.facts(cases.deployed(content).model)["source_connections"] is None


def test_a_good_front_passes() -> None:
    cloud, scene = Cloud(), Scene(run="r", facts=FACTS)
    assert set(front.slow_bodies(cloud, scene)) == set(PORTS)
    assert set(front.large_bodies(cloud, scene)) == set(PORTS) - {"object-store"}
    assert set(front.names(cloud, scene)) == set(PORTS)
    assert front.connections(cloud, scene) == {"tried": 450, "held": 400, "allowed": 400}


def test_an_api_that_waits_for_slow_clients_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10000, 21))
    monkeypatch.setattr(front.time, "monotonic", lambda: next(clock))
    with pytest.raises(HoldfastError, match=r"took 21\.0 s for three answers beside 50 slow clients"):
        front.slow_bodies(Cloud(), SCENE)


def test_an_api_that_is_away_beside_slow_clients_is_noticed() -> None:
    with pytest.raises(HoldfastError, match="status 503 beside slow clients"):
        front.slow_bodies(Cloud(lambda role, method, path, answer: Answer(503, {}, b"")), SCENE)


@pytest.mark.parametrize("status", [0, 200, 401, 408])
def test_a_large_body_that_is_taken_is_noticed(status: int) -> None:
    cloud = Cloud()
    cloud.large = status
    with pytest.raises(HoldfastError, match=f"status {status} to 25165824 bytes, and not with 413"):
        front.large_bodies(cloud, SCENE)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {}, f'{{"href": "https://{front.LIE}/v2"}}'.encode()),
        Answer(302, {"location": f"//{front.LIE}/"}, b""),
    ],
)
def test_a_name_that_a_client_made_up_is_noticed(answer: Answer) -> None:
    with pytest.raises(HoldfastError, match="repeats in its answer"):
        front.names(Cloud(lambda role, method, path, _: answer), SCENE)


def test_too_many_connections_are_noticed_but_from_hosts_of_the_deployment() -> None:
    cloud, scene = Cloud(), Scene(run="r", facts=FACTS)
    cloud.held = 450
    with pytest.raises(HoldfastError, match="450 of 450 connections are held, and 400 are allowed"):
        front.connections(cloud, scene)
    cloud.mine = "172.29.236.11"
    assert "a host of the deployment" in front.connections(cloud, scene)["asked from"]
    cloud.held = 0
    with pytest.raises(HoldfastError, match="No connection was taken"):
        front.connections(cloud, scene)


ROLES = [stories.roles, volume_roles.roles, image.roles, placement.roles]


@pytest.mark.parametrize("tell", ROLES)
def test_roles_are_told_and_nobody_stays(tell: Callable[..., dict[str, Any]]) -> None:
    cloud = Cloud()
    assert tell(cloud, SCENE)
    assert cloud.things == {"users": {}, "projects": {}}
    assert not cloud.volumes


@pytest.mark.parametrize(
    ("tell", "role", "method", "path"),
    [
        (stories.roles, "reader", "GET", "/v3/users"),
        (stories.roles, "member", "POST", "/v3/users"),
        (volume_roles.roles, "reader", "POST", "/v3/volumes"),
        (volume_roles.roles, "reader", "PUT", "/v3/volumes/i1"),
        (volume_roles.roles, "reader", "DELETE", "/v3/volumes/i1"),
        (volume_roles.roles, "reader", "POST", "/v3/volumes/i1/action"),
        (volume_roles.roles, "member", "GET", "/v3/os-services"),
        (image.roles, "reader", "POST", "/v2/images"),
        (image.roles, "reader", "PATCH", "/v2/images/i1"),
        (image.roles, "reader", "DELETE", "/v2/images/i1"),
        (placement.roles, "member", "GET", "/resource_providers"),
    ],
)
def test_a_role_that_may_too_much_is_noticed(tell: Callable[..., Any], role: str, method: str, path: str) -> None:
    def lie(of: str, asked: str, where: str, answer: Answer) -> Answer:
        return Answer(202, {}, b"{}") if (of, asked, where) == (role, method, path) else answer

    cloud = Cloud(lie)
    with pytest.raises(HoldfastError, match="status 202 instead of 403"):
        tell(cloud, SCENE)
    assert cloud.things == {"users": {}, "projects": {}}


def test_what_a_killed_story_left_is_removed() -> None:
    cloud = Cloud()
    with contextlib.suppress(KeyboardInterrupt), people.of_a_project(cloud, SCENE, "x") as who:
        assert set(who) == {people.READER, people.MEMBER, people.ADMIN}
        kept = {name: dict(found) for name, found in cloud.things.items()}
        raise KeyboardInterrupt
    assert cloud.things == {"users": {}, "projects": {}}
    cloud.things.update(kept)
    cloud.things["users"]["alice"] = {"name": "alice", "id": "alice"}
    assert people.sweep(cloud) == 4
    assert list(cloud.things["users"]) == ["alice"]
