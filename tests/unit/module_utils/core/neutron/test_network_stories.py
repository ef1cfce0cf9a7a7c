# SPDX-License-Identifier: Apache-2.0
"""Stories of networks, against a cloud in memory whose guests do what their scripts say."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.neutron import guests, stories
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.payload import sha256
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import NOISE, PREFIX, Answer, Scene
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

SCENE = Scene(
    run="r",
    facts={"hosts": ["compute1", "compute2"], "mtu": 1542, "external": "public", "image": "i", "flavor": "f"},
)
NAME = f"{PREFIX}r"
SENT = sha256((f"{stories._LINE}\n".encode() * (stories.SENT // len(stories._LINE) + 1))[: stories.SENT])
LEADING_OUT = {"id": "ext", "name": "public", "router:external": True}
Lie = Callable[[str, str, Answer], Answer]


class Cloud:
    """The network and the compute service. ``lie`` changes an answer before the story sees it."""

    def __init__(self, lie: Lie = lambda method, path, answer: answer, role: str = "admin") -> None:
        self.lie, self.role = lie, role
        self.numbers = itertools.count(1)
        self.has_compute = True
        self.things: dict[str, dict[str, dict[str, Any]]] = {"networks": {"ext": dict(LEADING_OUT)}}
        self.servers: dict[str, dict[str, Any]] = {}
        self.agents = [{"agent_type": "OVN Controller agent", "host": "compute1", "alive": True}]
        self.busy = 0

    @property
    def token_details(self) -> Mapping[str, Any]:
        return {"catalog": [{"type": "network"}, *([{"type": "compute"}] if self.has_compute else [])]}

    def endpoint(self, service: str) -> str:
        return {"network": "https://network", "compute": "https://compute", "image": "https://image"}[service]

    def request(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        parts = urlsplit(url)
        given = json.loads(body) if body else None
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        serve = {"network": self._network, "compute": self._compute, "image": self._image}[parts.netloc]
        status, found = serve(method, parts.path, asked, given)
        return self.lie(method, parts.path, Answer(status, {}, json.dumps(found).encode() if found else b""))

    # -- the network service

    def _network(self, method: str, path: str, asked: dict[str, str], given: Any) -> tuple[int, Any]:
        collection, *rest = path.removeprefix("/v2.0/").split("/")
        kind = collection.replace("-", "_")
        if kind == "agents":
            return (200, {"agents": self.agents}) if self.role == "admin" else (403, None)
        if self.role == "reader" and method != "GET":
            return 403, None
        entries = self.things.setdefault(kind, {})
        if method == "DELETE":
            if self.busy:
                self.busy -= 1
                return 409, None
            return (204, None) if entries.pop(rest[0], None) else (404, None)
        if method == "GET" and rest:
            return 200, {kind[:-1]: entries[rest[0]]}
        if method == "GET":
            known = ("name", "device_id", "device_owner")
            wanted = {name: value for name, value in asked.items() if name in known}
            found = [one for one in entries.values() if all(one.get(name) == of for name, of in wanted.items())]
            return 200, {kind: found}
        if method == "PUT":
            return 200, self._plug(rest[0], rest[1], given)
        return self._made(kind, given[kind[:-1]])

    def _plug(self, router: str, verb: str, given: Any) -> dict[str, Any]:
        ports = self.things.setdefault("ports", {})
        if verb == "remove_router_interface":
            del ports[given["port_id"]]
        else:
            about = {"device_id": router, "device_owner": "network:router_interface"}
            ports[f"of-{router}"] = {"id": f"of-{router}", "name": "", **about}
        return {"id": router}

    def _made(self, kind: str, given: dict[str, Any]) -> tuple[int, Any]:
        if self.role == "member" and "provider:network_type" in given:
            return 403, None
        number = next(self.numbers)
        made = {"id": f"{kind}-{number}", "name": "", **given}
        if kind == "networks":
            made["mtu"] = 1542
            made |= {"provider:network_type": "geneve"} if self.role == "admin" else {}
        elif kind == "subnets":
            made["enable_dhcp"] = True
        elif kind == "ports":
            made["fixed_ips"] = [{"ip_address": f"10.213.77.{number}"}]
        elif kind == "floatingips":
            made |= {"floating_ip_address": "172.29.252.100", "fixed_ip_address": "10.213.77.9"}
        self.things[kind][made["id"]] = made
        return 201, {kind[:-1]: made}

    # -- the compute service

    def _compute(self, method: str, path: str, asked: dict[str, str], given: Any) -> tuple[int, Any]:
        if path == "/flavors":
            return 200, {"flavors": [{"id": "f", "name": "tiny"}]}
        if path == "/servers" and method == "POST":
            id = f"server-{next(self.numbers)}"
            self.servers[id] = {"id": id, "status": "ACTIVE", **given["server"]}
            return 202, {"server": {"id": id}}
        if path.endswith("/action"):
            return 200, {"output": self._console(self.servers[path.split("/")[2]])}
        if method == "DELETE":
            return (204, None) if self.servers.pop(path.rpartition("/")[2], None) else (404, None)
        form = re.compile(asked["name"])
        return 200, {"servers": [one for one in self.servers.values() if form.search(one["name"])]}

    def _console(self, server: Mapping[str, Any]) -> str:
        port = self.things["ports"][server["networks"][0]["port"]]
        script = base64.b64decode(server["user_data"]).decode()
        lines = [f"hf: address {port['fixed_ips'][0]['ip_address']}", f"hf: instance {server['id']}", "hf: ready"]
        let_in = any(rule["port_range_min"] == 7777 for rule in self.things.get("security_group_rules", {}).values())
        if "nc -w" in script:
            lines += ["hf: refused 1", "hf: refused 2"]
        elif let_in:
            lines += [f"hf: received {SENT}"]
        return "\r\n".join(["Linux version 6", *lines, ""])

    def _image(self, method: str, path: str, asked: dict[str, str], given: Any) -> tuple[int, Any]:
        return 200, {"images": [{"id": "i"}]}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count(step=5)
    for module in (stories, guests):
        monkeypatch.setattr(module.time, "monotonic", lambda: next(seconds))
        monkeypatch.setattr(module.time, "sleep", lambda _: None)


def lying(method: str, path: str, **changes: Any) -> Lie:
    """An answer about one thing in which something is otherwise."""

    def lie(asked: str, at: str, answer: Answer) -> Answer:
        if (asked, at) != (method, path):
            return answer
        ((kind, thing),) = answer.json().items()
        return Answer(answer.status, {}, json.dumps({kind: {**thing, **changes}}).encode())

    return lie


def saying(word: str, value: str) -> Lie:
    """A guest that says something else."""

    def lie(method: str, path: str, answer: Answer) -> Answer:
        if not path.endswith("/action"):
            return answer
        changed = re.sub(rf"hf: {word} \S+", f"hf: {word} {value}", answer.json()["output"])
        return Answer(200, {}, json.dumps({"output": changed}).encode())

    return lie


def begun(cloud: Cloud) -> Cloud:
    stories.network(cloud, SCENE)
    stories.started(cloud, SCENE)
    return cloud


# -- without guests -----------------------------------------------------------------------------------------------


def test_a_network_is_made_as_large_as_the_way_allows() -> None:
    assert stories.network(Cloud(), SCENE)["MTU"] == 1542
    for changes, problem in (
        ({"mtu": 1500}, "1500 bytes instead of 1542"),
        ({"provider:network_type": "vlan"}, "is vlan"),
    ):
        with pytest.raises(HoldfastError, match=problem):
            stories.network(Cloud(lying("POST", "/v2.0/networks", **changes)), SCENE)
    with pytest.raises(HoldfastError, match="Nobody is told addresses"):
        stories.network(Cloud(lying("POST", "/v2.0/subnets", enable_dhcp=False)), SCENE)


@contextlib.contextmanager
def project(**clouds: Cloud) -> Iterator[Mapping[str, Cloud]]:
    """A reader and a member who see the same networks."""
    reader, member = clouds["reader"], clouds["member"]
    reader.things = member.things
    yield {"reader": reader, "member": member}


@pytest.mark.parametrize(
    ("reader", "member", "problem"),
    [
        ("reader", "member", ""),
        ("member", "member", "as a reader: status 201 instead of 403"),
        ("reader", "admin", "told what the network is on"),
    ],
)
def test_roles_are_told_apart(monkeypatch: pytest.MonkeyPatch, reader: str, member: str, problem: str) -> None:
    clouds = {"reader": Cloud(role=reader), "member": Cloud(role=member)}
    monkeypatch.setattr(stories.people, "of_a_project", lambda cloud, scene, what: project(**clouds))
    if problem:
        with pytest.raises(HoldfastError, match=problem):
            stories.roles(Cloud(), SCENE)
    else:
        assert stories.roles(Cloud(), SCENE)
        assert list(clouds["member"].things["networks"]) == ["ext"]


def test_every_host_has_to_be_alive() -> None:
    cloud = Cloud()
    assert stories.hosts(cloud, SCENE) == {"alive": ["OVN Controller agent: compute1"]}
    cloud.agents[0]["alive"] = False
    with pytest.raises(HoldfastError, match="Not alive: OVN Controller agent of compute1"):
        stories.hosts(cloud, SCENE)
    cloud.agents.clear()
    with pytest.raises(HoldfastError, match="knows no host"):
        stories.hosts(cloud, SCENE)


# -- with guests --------------------------------------------------------------------------------------------------


def test_guests_are_started_each_on_a_host_of_its_own() -> None:
    cloud = begun(Cloud())
    assert [server["host"] for server in cloud.servers.values()] == ["compute1", "compute2"]
    assert {server["imageRef"] for server in cloud.servers.values()} == {"i"}
    with pytest.raises(HoldfastError, match=r"has the address 10\.0\.0\.9 instead of 10\.213\.77\."):
        begun(Cloud(saying("address", "10.0.0.9")))


def test_a_guest_that_fails_or_is_silent_is_told_with_what_helps() -> None:
    cloud = Cloud()
    cloud._console = lambda server: "panic"  # type: ignore[method-assign]
    with pytest.raises(HoldfastError, match=r"\(ACTIVE\) did not say ready within 600 s: see `openstack console log"):
        begun(cloud)
    for server in cloud.servers.values():
        server |= {"status": "ERROR", "fault": {"message": "No valid host"}}
    with pytest.raises(HoldfastError, match="did not start: No valid host"):
        guests.wait(cloud, f"{NAME}-listener", "ready")


def test_each_guest_is_told_who_it_is() -> None:
    cloud = begun(Cloud())
    assert set(stories.metadata(cloud, SCENE)) == {"listener", "sender"}
    cloud.lie = saying("instance", "another")
    with pytest.raises(HoldfastError, match="was told that it is another, and is server-"):
        stories.metadata(cloud, SCENE)


def test_nobody_is_let_in_before_there_is_a_rule() -> None:
    cloud = begun(Cloud())
    assert stories.refused(cloud, SCENE)["attempts"] == 2
    for word, problem in (("sent", "reached the listener"), ("received", "received something")):
        cloud.lie = saying("instance", f"x\nhf: {word} 1")
        with pytest.raises(HoldfastError, match=problem):
            stories.refused(cloud, SCENE)


def test_with_a_rule_all_arrives() -> None:
    cloud = begun(Cloud())
    assert stories.overlay(cloud, SCENE) == {"bytes": stories.SENT, "sha256": SENT}
    (rule,) = cloud.things["security_group_rules"].values()
    assert rule["remote_group_id"] == rule["security_group_id"]
    cloud.lie = saying("received", "0" * 64)
    with pytest.raises(HoldfastError, match=f"received {'0' * 64} instead of {SENT}"):
        stories.overlay(cloud, SCENE)


def test_a_floating_address_is_given_and_reached() -> None:
    cloud = begun(Cloud())
    assert stories.floating(cloud, SCENE)["address"] == "172.29.252.100"
    (router,) = cloud.things["routers"].values()
    assert router["external_gateway_info"] == {"network_id": "ext"}
    for state, problem in (("open", ""), ("filtered", "does not answer")):
        asked = {"ports": [{"address": "172.29.252.100", "port": 7778, "state": state}]}
        scene = Scene(run="r", facts={**SCENE.facts, "reached": asked})
        if problem:
            with pytest.raises(HoldfastError, match=problem):
                stories.reached(cloud, scene)
        else:
            assert stories.reached(cloud, scene)["answers"] == "172.29.252.100:7778"
    with pytest.raises(HoldfastError, match="could not ask: no route"):
        stories.reached(cloud, Scene(run="r", facts={"reached": {"msg": "no route"}}))


# -- which are told, and what is left -----------------------------------------------------------------------------


def test_the_scene_follows_from_the_deployment() -> None:
    services = cases.deployed(cases.good("neutron"))
    known = stories.facts(services.model, services)
    assert (known["underlay"], known["mtu"]) == ("overlay", 1542)
    assert (known["external"], known["asker"]) == ("public", "control1")
    assert known["hosts"] == [], "without a compute service nobody starts guests"
    assert stories.ask(Cloud(), known) == {"image": None, "flavor": None}
    assert stories.ask(Cloud(), {"hosts": ["a", "b"]}) == {"image": "i", "flavor": "f"}


def test_stories_are_told_where_they_can_be() -> None:
    every = [story.id for story in stories.told({})]
    assert len(every) == len(set(every)) == 9
    able = {"hosts": ["a", "b"], "image": "i", "flavor": "f", "underlay": "storage", "external": "public"}
    able["networks"] = ["mgmt", "storage", "repl"]
    assert [story.id for story in stories.told(able)] == every
    assert [story.id for story in stories.told({**able, "external": None})] == every[:7]
    assert [story.id for story in stories.told({**able, "image": None})] == every[:3]
    (overlay,) = (story for story in stories.told(able) if story.id == "network.overlay")
    assert (overlay.least, overlay.most) == ({"storage": stories.SENT}, {"mgmt": NOISE, "repl": NOISE})


def test_a_sweep_takes_what_verifications_left_and_nothing_else() -> None:
    cloud = begun(Cloud())
    stories.overlay(cloud, SCENE)
    stories.floating(cloud, SCENE)
    theirs = {"id": "theirs", "name": "theirs", "description": ""}
    for kind in ("networks", "ports", "routers", "security_groups", "floatingips"):
        cloud.things[kind]["theirs"] = dict(theirs)
    cloud.servers["theirs"] = {"id": "theirs", "name": "theirs"}
    cloud.busy = 2
    assert stories.sweep(cloud) == 2 + 1 + 1 + 2 + 1 + 1
    left = {kind: set(found) for kind, found in cloud.things.items() if kind not in ("subnets", "security_group_rules")}
    assert left.pop("networks") == {"ext", "theirs"}
    assert set(map(frozenset, left.values())) == {frozenset({"theirs"})}
    assert set(cloud.servers) == {"theirs"}
    assert stories.sweep(cloud) == 0


def test_a_sweep_asks_no_compute_service_where_there_is_none() -> None:
    cloud = Cloud()
    cloud.has_compute = False
    cloud._compute = None  # type: ignore[assignment]
    assert stories.sweep(cloud) == 0


def test_what_stays_in_use_is_told() -> None:
    cloud = Cloud()
    stories.network(cloud, SCENE)
    cloud.busy = 1000
    with pytest.raises(HoldfastError, match=r"Deleting /networks/networks-1: status 409"):
        stories.sweep(cloud)
