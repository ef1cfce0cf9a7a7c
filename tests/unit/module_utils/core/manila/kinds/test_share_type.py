# SPDX-License-Identifier: Apache-2.0
"""Share types against a stand-in of the API of shared file systems that keeps what it is told."""

from __future__ import annotations

import itertools
import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.change import Plan
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.manila.kinds import share_type
from ansible_collections.holdfast.storage.plugins.module_utils.host.openstack import Api

ACCESS = {
    "auth_url": "https://cloud:5000/v3",
    "username": "admin",
    "password": "battery staple",
    "user_domain_name": "Default",
    "project_name": "admin",
    "project_domain_name": "Default",
    "region": "RegionOne",
}
NFS = {"name": "nfs", "description": "Files", "extra_specs": {"driver_handles_share_servers": False, "x": "1"}}
WANTED: dict[str, Any] = {
    "credentials": share_type.CREDENTIALS,
    "share_types": [NFS, {"name": "local", "public": False, "extra_specs": {"driver_handles_share_servers": "False"}}],
    "share_group_types": [{"name": "together", "share_types": ["nfs", "local"], "group_specs": {"a": "b"}}],
    "quotas": {"gigabytes": 500},
    "backends": ["a@gateway"],
}


class Cloud:
    """Identity and shares. Records what changes anything."""

    def __init__(self) -> None:
        self.ids = (f"id{number}" for number in itertools.count())
        self.types: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.changes: list[str] = []
        self.quotas = {"gigabytes": 1000, "shares": 50}
        self.services = ["a@gateway"]
        self.pools = ["a@gateway#cephfs"]
        self.shares: list[dict[str, Any]] = []
        self.ready = True

    def request(self, api: Api, method: str, path: str, body: Any = None, headers: Any = None) -> Any:
        if not self.ready:
            return 0, {}, None
        if path == "/auth/tokens":
            endpoint = {"interface": "internal", "region": "RegionOne", "url": "https://cloud:8786/v2"}
            catalog = [{"type": "shared-file-system", "endpoints": [endpoint]}]
            return 201, {"x-subject-token": "t"}, {"token": {"catalog": catalog}}
        assert api.url == "https://cloud:8786/v2"
        assert api.headers == share_type.VERSION
        path, _, query = path.partition("?")
        if method != "GET":
            self.changes.append(f"{method} {path}")
        of = getattr(self, "_" + path.split("/")[1].replace("-", "_"))
        return 200, {}, of(method, path.split("/")[2:], dict(parse_qsl(query)), body)

    def _types(self, method: str, parts: list[str], asked: dict[str, str], body: Any) -> Any:
        if method == "GET":
            assert asked == {"is_public": "all"}
            return {"share_types": list(self.types.values())}
        if method == "DELETE" and len(parts) == 3:
            return self.types[parts[0]]["extra_specs"].pop(parts[2])
        if method == "DELETE":
            return self.types.pop(parts[0])
        if parts[1:] == ["extra_specs"]:
            return self.types[parts[0]]["extra_specs"].update(body["extra_specs"])
        if method == "POST":
            assert "driver_handles_share_servers" in body["share_type"]["extra_specs"]
            id = next(self.ids)
            self.types[id] = {"id": id, **body["share_type"]}
            return {"share_type": self.types[id]}
        return self.types[parts[0]].update(body["share_type"])

    def _share_group_types(self, method: str, parts: list[str], asked: dict[str, str], body: Any) -> Any:
        if method == "GET":
            return {"share_group_types": list(self.groups.values())}
        if method == "DELETE" and len(parts) == 3:
            return self.groups[parts[0]]["group_specs"].pop(parts[2])
        if method == "DELETE":
            return self.groups.pop(parts[0])
        if parts[1:] == ["group-specs"]:
            return self.groups[parts[0]]["group_specs"].update(body["group_specs"])
        id = next(self.ids)
        assert set(body["share_group_type"]["share_types"]) <= set(self.types)
        self.groups[id] = {"id": id, **body["share_group_type"]}
        return {"share_group_type": self.groups[id]}

    def _quota_class_sets(self, method: str, parts: list[str], asked: dict[str, str], body: Any) -> Any:
        if method == "PUT":
            self.quotas.update(body["quota_class_set"])
        return {"quota_class_set": {"id": "default", **self.quotas}}

    def _services(self, method: str, parts: list[str], asked: dict[str, str], body: Any) -> Any:
        return {"services": [{"host": name, "binary": "manila-share"} for name in self.services]}

    def _scheduler_stats(self, method: str, parts: list[str], asked: dict[str, str], body: Any) -> Any:
        return {"pools": [{"name": name} for name in self.pools]}

    def _shares(self, method: str, parts: list[str], asked: dict[str, str], body: Any) -> Any:
        assert asked["all_tenants"] == "1"
        return {"shares": self.shares}


class IO(dict[str, str]):
    """Files."""

    openstack = staticmethod(Api)

    def read_text(self, path: str) -> str | None:
        return self.get(path)

    def exists(self, path: str) -> bool:
        return path in self

    def write(self, path: str, content: str, *, mode: str) -> None:
        self[path] = content


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    made = Cloud()
    monkeypatch.setattr(Api, "request", lambda api, *arguments: made.request(api, *arguments))
    clock = itertools.count(step=0.1)
    monkeypatch.setattr(share_type.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(share_type.time, "sleep", lambda _: None)
    return made


@pytest.fixture
def io() -> IO:
    return IO({share_type.CREDENTIALS: json.dumps(ACCESS)})


def planned(io: Any, wanted: dict[str, Any]) -> Plan:
    return share_type.plan(share_type.read(io, share_type.question(wanted)), wanted)


def converge(io: Any, wanted: dict[str, Any]) -> Plan:
    plan = planned(io, wanted)
    assert not plan.errors
    if plan:
        share_type.apply(io, plan)
    return plan


def test_everything_is_made_in_one_batch_and_then_stands(cloud: Cloud, io: IO) -> None:
    assert converge(io, WANTED).summary() == [
        "create share type nfs",
        "create share type local",
        "create share group type together",
        "update quotas of shares",
    ]
    assert [entry["share_type_access:is_public"] for entry in cloud.types.values()] == [True, False]
    assert cloud.quotas == {"gigabytes": 500, "shares": 50}
    cloud.changes.clear()
    assert not converge(io, WANTED)
    assert cloud.changes == []


def test_what_differs_is_changed_and_what_is_too_much_goes(cloud: Cloud, io: IO) -> None:
    converge(io, WANTED)
    nfs = next(iter(cloud.types.values()))
    nfs["extra_specs"]["stray"] = "1"
    nfs["description"] = "Slow"
    next(iter(cloud.groups.values()))["group_specs"]["a"] = "c"
    assert converge(io, WANTED).summary() == ["update share type nfs", "update share group type together"]
    assert nfs["extra_specs"] == {"driver_handles_share_servers": "False", "x": "1"}
    assert not converge(io, WANTED)


def test_what_is_not_named_is_left_alone_and_absent_removes(cloud: Cloud, io: IO) -> None:
    converge(io, WANTED)
    assert not converge(io, {**WANTED, "share_types": [NFS], "share_group_types": []})
    absent = {
        "share_types": [{"name": "local", "state": "absent"}],
        "share_group_types": [{"name": "together", "state": "absent"}],
        "backends": None,
    }
    assert converge(io, absent).summary() == ["delete share group type together", "delete share type local"]
    assert not converge(io, absent)


def test_a_group_type_of_other_share_types_is_refused(cloud: Cloud, io: IO) -> None:
    converge(io, WANTED)
    wanted = {**WANTED, "share_group_types": [{"name": "together", "share_types": ["nfs"], "group_specs": {"a": "b"}}]}
    (finding,) = planned(io, wanted).errors
    assert (finding.code, finding.where) == ("manila.group-type-differs", "share group type together")


def test_a_back_end_that_went_is_refused_while_it_holds_shares(cloud: Cloud, io: IO) -> None:
    converge(io, WANTED)
    cloud.services.append("b@local")
    assert not converge(io, WANTED)
    cloud.shares.append({"host": "b@local#lvm"})
    (finding,) = planned(io, WANTED).errors
    assert (finding.code, finding.where) == ("manila.backend-in-use", "b@local")


def test_it_ends_when_the_scheduler_knows_every_back_end(cloud: Cloud, io: IO) -> None:
    cloud.pools = []
    with pytest.raises(HoldfastError, match="does not know a@gateway after 600 s"):
        converge(io, WANTED)
    cloud.pools = ["a@gateway#cephfs"]
    assert converge(io, {**WANTED, "quotas": {"shares": 7}, "backends": ["a@gateway", "late@local"]})


def test_a_silent_service_that_had_types_is_waited_for(cloud: Cloud, io: IO) -> None:
    converge(io, WANTED)
    cloud.ready = False
    plan = planned(io, WANTED)
    assert plan.summary() == ["wait for the service of shared file systems"]
    cloud.ready = True
    cloud.changes.clear()
    share_type.apply(io, plan)
    assert cloud.changes == []


def test_on_a_bare_host_all_of_it_is_planned(cloud: Cloud) -> None:
    assert len(planned(IO(), WANTED).changes) == 4


def test_no_password_is_told(cloud: Cloud, io: IO) -> None:
    assert "battery" not in str([(change.subject, change.before, change.after) for change in planned(io, WANTED)])
