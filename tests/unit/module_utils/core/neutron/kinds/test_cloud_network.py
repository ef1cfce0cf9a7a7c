# SPDX-License-Identifier: Apache-2.0
"""Networks of the cloud, against a stand-in of the network API that keeps what it is told."""

from __future__ import annotations

import copy
import ipaddress
import itertools
import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.change import Plan
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.neutron.kinds import cloud_network

PUBLIC: dict[str, Any] = {
    "name": "public",
    "project": "admin",
    "external": True,
    "shared": False,
    "physical_network": "external",
    "vlan": None,
    "mtu": None,
    "subnets": [
        {
            "name": "public",
            "cidr": "172.29.252.0/22",
            "gateway": "172.29.252.1",
            "pool": ["172.29.252.100", "172.29.253.254"],
            "dhcp": False,
            "dns": [],
        }
    ],
}
PRIVATE: dict[str, Any] = {
    "name": "private",
    "project": "demo",
    "external": False,
    "shared": False,
    "physical_network": "",
    "vlan": None,
    "mtu": 1400,
    "subnets": [
        {
            "name": "private",
            "cidr": "10.100.0.0/24",
            "gateway": None,
            "pool": [],
            "dhcp": True,
            "dns": ["172.29.236.1"],
        }
    ],
}
ROUTER: dict[str, Any] = {
    "name": "main",
    "project": "demo",
    "external_network": "public",
    "subnets": ["private"],
}
WANTED: dict[str, Any] = {
    "credentials": cloud_network.CREDENTIALS,
    "networks": [PUBLIC, PRIVATE],
    "routers": [ROUTER],
}


class Cloud:
    """The identity and the network service in memory. ``fails_at`` ends the process before a change of that number."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.projects = {"admin": "p-admin", "demo": "p-demo"}
        self.networks: dict[str, dict[str, Any]] = {}
        self.subnets: dict[str, dict[str, Any]] = {}
        self.routers: dict[str, dict[str, Any]] = {}
        self.ports: list[dict[str, Any]] = []
        self.changes: list[str] = []
        self.up = True
        self.fails_at = -1
        self.open = 0

    def answer(self, method: str, path: str, body: Any) -> Any:
        path, _, query = path.removeprefix("/v2.0/").partition("?")
        collection, *rest = path.split("/")
        if method == "GET":
            return {collection: self._listed(collection, parse_qs(query))}
        if len(self.changes) == self.fails_at:
            raise KeyboardInterrupt
        self.changes.append(f"{method} {collection}")
        given = next(iter(body.values()))
        if rest[1:] == ["add_router_interface"]:
            ips = [{"subnet_id": given}]
            owner = "network:router_interface"
            return self.ports.append({"device_id": rest[0], "device_owner": owner, "fixed_ips": ips})
        entries = getattr(self, collection)
        if method == "PUT":
            return {collection[:-1]: self._store(entries[rest[0]], given)}
        made = {"id": f"{collection}-{next(self.numbers)}", **self._defaults(collection, given)}
        entries[made["id"]] = self._store(made, given)
        return {collection[:-1]: made}

    @staticmethod
    def _defaults(collection: str, given: dict[str, Any]) -> dict[str, Any]:
        if collection == "networks":
            kind = {"provider:network_type": "geneve", "provider:physical_network": None}
            return {"mtu": 1542, "shared": False, "router:external": False, "provider:segmentation_id": 7, **kind}
        if collection == "subnets":
            cidr = ipaddress.ip_network(given["cidr"])
            pools = [{"start": str(cidr[2]), "end": str(cidr[-2])}]
            return {"gateway_ip": str(cidr[1]), "allocation_pools": pools, "dns_nameservers": []}
        return {"external_gateway_info": None}

    @staticmethod
    def _store(entry: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        entry.update(copy.deepcopy(given))
        if entry.get("provider:network_type") == "flat":
            entry["provider:segmentation_id"] = None
        return entry

    def _listed(self, collection: str, asked: dict[str, list[str]]) -> list[dict[str, Any]]:
        found = getattr(self, collection)
        entries = found.values() if isinstance(found, dict) else found
        asked = {name: values for name, values in asked.items() if name not in ("limit", "fields")}
        return [entry for entry in entries if all(str(entry[name]) in values for name, values in asked.items())]


class Api:
    """A conversation with one service of the cloud."""

    url, failure = "https://cloud", "nothing"

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        cloud.open += 1

    def close(self) -> None:
        self.cloud.open -= 1

    def sign_in(self, *, known: bool = False) -> str:
        return "present" if self.cloud.up else "absent"

    def service(self, *types: str, title: str, headers: Any = None) -> Api | None:
        assert types == ("network",)
        return Api(self.cloud)

    def get(self, collection: str, **query: str) -> list[dict[str, Any]]:
        assert (collection, query["domain_id"]) == ("projects", "default")
        ids = self.cloud.projects
        return [{"name": name, "id": ids[name]} for name in ids if name == query["name"]]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return self.cloud.answer(method, path, body)

    def request(self, method: str, path: str) -> tuple[int, dict[str, str], Any]:
        return 200, {}, self.cloud.answer(method, path, None)


class IO:
    """Files of the host that asks."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.files = {cloud_network.CREDENTIALS: "{}"}

    def openstack(self, access: Any) -> Api:
        return Api(self.cloud)

    def exists(self, path: str) -> bool:
        return path in self.files

    def read_text(self, path: str) -> str | None:
        return self.files.get(path)

    def write(self, path: str, content: str, *, mode: str) -> None:
        self.files[path] = content


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count()
    monkeypatch.setattr(cloud_network.time, "monotonic", lambda: next(seconds))
    monkeypatch.setattr(cloud_network.time, "sleep", lambda _: None)


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def io(cloud: Cloud) -> IO:
    return IO(cloud)


def planned(io: IO, wanted: dict[str, Any] = WANTED) -> Plan:
    current = cloud_network.read(io, cloud_network.question(wanted))
    assert io.cloud.open == 0, "connections are closed"
    return cloud_network.plan(json.loads(json.dumps(current)), wanted)


def converge(io: IO, wanted: dict[str, Any] = WANTED) -> list[str]:
    plan = planned(io, wanted)
    assert not plan.errors, plan.errors
    if plan:
        cloud_network.apply(io, plan)
    assert io.cloud.open == 0
    return plan.summary()


def changed(*path: Any, value: Any) -> dict[str, Any]:
    wanted = copy.deepcopy(WANTED)
    target: Any = wanted
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return wanted


MADE = [
    "create network public",
    "create subnet public",
    "create network private",
    "create subnet private",
    "create router main",
]


def test_networks_are_made_and_then_stand(cloud: Cloud, io: IO) -> None:
    assert converge(io) == MADE
    public, private = cloud.networks.values()
    assert (public["provider:network_type"], public["provider:physical_network"]) == ("flat", "external")
    assert (public["router:external"], public["project_id"]) == (True, "p-admin")
    assert (private["project_id"], private["mtu"]) == ("p-demo", 1400)
    assert private["provider:network_type"] == "geneve", "what a user's network is, the service decides"
    (router,) = cloud.routers.values()
    assert router["external_gateway_info"] == {"network_id": public["id"]}
    assert [port["device_id"] for port in cloud.ports] == [router["id"]]
    assert converge(io) == []
    assert planned(io).summary() == []


def test_before_anything_answers_all_is_to_be_made(cloud: Cloud, io: IO) -> None:
    cloud.up = False
    assert planned(io).summary() == MADE
    io.files.clear()
    assert planned(io).summary() == MADE


@pytest.mark.parametrize("number", range(6))
def test_a_run_that_is_killed_is_taken_up_by_the_next(cloud: Cloud, io: IO, number: int) -> None:
    cloud.fails_at = number
    with pytest.raises(KeyboardInterrupt):
        converge(io)
    cloud.fails_at = -1
    converge(io)
    assert planned(io).summary() == []
    assert [len(found) for found in (cloud.networks, cloud.subnets, cloud.routers, cloud.ports)] == [2, 2, 1, 1]


@pytest.mark.parametrize(
    ("path", "value", "summary", "before", "after"),
    [
        (("networks", 1, "shared"), True, "update network private", "shared: False", "shared: True"),
        (("networks", 1, "mtu"), 1300, "update network private", "mtu: 1400", "mtu: 1300"),
        (
            ("networks", 1, "subnets", 0, "dns"),
            ["9.9.9.9"],
            "update subnet private",
            "dns_nameservers: 172.29.236.1",
            "dns_nameservers: 9.9.9.9",
        ),
        (
            ("networks", 0, "subnets", 0, "pool"),
            ["172.29.252.10", "172.29.252.20"],
            "update subnet public",
            "allocation_pools: 172.29.252.100 to 172.29.253.254",
            "allocation_pools: 172.29.252.10 to 172.29.252.20",
        ),
        (
            ("networks", 1, "subnets", 0, "dhcp"),
            False,
            "update subnet private",
            "enable_dhcp: True",
            "enable_dhcp: False",
        ),
    ],
)
def test_what_differs_is_changed_in_place(
    io: IO, path: tuple[Any, ...], value: Any, summary: str, before: str, after: str
) -> None:
    converge(io)
    wanted = changed(*path, value=value)
    (change,) = planned(io, wanted)
    assert (change.before, change.after) == (before, after)
    assert converge(io, wanted) == [summary]
    assert planned(io, wanted).summary() == []


def test_a_router_is_led_out_and_into_a_subnet_later(cloud: Cloud, io: IO) -> None:
    alone = changed("routers", 0, value={**ROUTER, "external_network": "", "subnets": []})
    converge(io, alone)
    assert converge(io) == ["update router main", "create router main in private"]
    assert planned(io).summary() == []
    assert converge(io, changed("routers", 0, "external_network", value="")) == ["update router main"]
    (router,) = cloud.routers.values()
    assert router["external_gateway_info"] == {}


def test_a_router_is_led_out_over_a_network_that_is_made_with_it(io: IO) -> None:
    converge(io, {**WANTED, "networks": [PRIVATE], "routers": [{**ROUTER, "external_network": ""}]})
    assert converge(io) == ["create network public", "create subnet public", "update router main"]
    assert planned(io).summary() == []


def test_what_is_not_named_is_left_alone(cloud: Cloud, io: IO) -> None:
    converge(io)
    Api(cloud).call("POST", "/v2.0/networks", {"network": {"name": "theirs", "project_id": "p-demo"}})
    Api(cloud).call("POST", "/v2.0/networks", {"network": {"name": "private", "project_id": "p-other"}})
    (network,) = (entry for entry in cloud.networks.values() if entry["name"] == "public")
    body = {"name": "more", "network_id": network["id"], "cidr": "203.0.113.0/24", "enable_dhcp": False}
    Api(cloud).call("POST", "/v2.0/subnets", {"subnet": {**body, "project_id": "p-admin"}})
    cloud.open = 0
    assert planned(io).summary() == []
    assert planned(io, {**WANTED, "networks": [PUBLIC], "routers": []}).summary() == []


@pytest.mark.parametrize(
    ("path", "value", "code", "where"),
    [
        (("networks", 1, "physical_network"), "external", "neutron.network-differs", "network private"),
        (("networks", 0, "physical_network"), "office", "neutron.network-differs", "network public"),
        (("networks", 0, "vlan"), 12, "neutron.network-differs", "network public"),
        (("networks", 1, "subnets", 0, "cidr"), "10.99.0.0/24", "neutron.subnet-differs", "subnet private"),
    ],
)
def test_what_a_network_was_made_of_stays(
    cloud: Cloud, io: IO, path: tuple[Any, ...], value: Any, code: str, where: str
) -> None:
    converge(io)
    count = len(cloud.changes)
    plan = planned(io, changed(*path, value=value))
    assert {(finding.code, finding.where) for finding in plan.errors} == {(code, where)}
    assert len(cloud.changes) == count


def test_two_networks_of_one_name_are_refused(cloud: Cloud, io: IO) -> None:
    converge(io)
    Api(cloud).call("POST", "/v2.0/networks", {"network": {"name": "private", "project_id": "p-demo"}})
    cloud.open = 0
    (finding,) = planned(io).errors
    assert (finding.code, finding.where) == ("neutron.network-ambiguous", "network private")
    Api(cloud).call("POST", "/v2.0/routers", {"router": {"name": "main", "project_id": "p-demo"}})
    cloud.open = 0
    assert "neutron.router-ambiguous" in {finding.code for finding in planned(io).errors}


def test_a_project_that_is_not_there_is_told_before_anything_is_made(cloud: Cloud, io: IO) -> None:
    del cloud.projects["demo"]
    with pytest.raises(HoldfastError, match=r"no project demo.*Fix: describe it in keystone_projects"):
        converge(io)
    assert cloud.changes == []


def test_an_api_that_answered_and_is_silent_is_waited_for(cloud: Cloud, io: IO) -> None:
    converge(io)
    cloud.up = False
    plan = planned(io)
    assert plan.summary() == ["wait for the network service"]
    with pytest.raises(HoldfastError, match=r"no place in the catalog; sign-in: absent after 120 s. Fix"):
        cloud_network.apply(io, plan)
    cloud.up = True
    cloud.open = 0
    count = len(cloud.changes)
    cloud_network.apply(io, plan)
    assert len(cloud.changes) == count
