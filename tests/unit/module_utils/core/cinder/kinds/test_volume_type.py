# SPDX-License-Identifier: Apache-2.0
"""Volume types and takeovers against a stand-in of the volume API that keeps what it is told."""

from __future__ import annotations

import itertools
import json
from urllib.parse import parse_qsl

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import descriptions
from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder import wants as cinder_wants
from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder.kinds import (
    volume_takeover,
    volume_type,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model
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
WANTED = {
    "credentials": volume_type.CREDENTIALS,
    "volume_types": [
        {"name": "gold", "description": "Fast", "extra_specs": {"volume_backend_name": "ceph"}},
        {"name": "bronze", "public": False, "extra_specs": {"volume_backend_name": "ceph"}, "qos": "bronze"},
    ],
    "qos_specs": [{"name": "bronze", "consumer": "back-end", "specs": {"total_iops_sec": 500}}],
    "quotas": {"gigabytes": 500, "volumes_gold": 5},
    "backends": ["a@ceph"],
    "clusters": ["lab@ceph"],
}


class Cloud:
    """Identity and volumes. Records what changes anything."""

    def __init__(self):
        self.ids = (f"id{number}" for number in itertools.count())
        self.types, self.limits, self.changes = {}, {}, []
        self.quotas = {"gigabytes": 1000, "volumes": 10}
        self.services = [{"host": "a@ceph", "state": "up", "cluster": None}]
        self.pools = [{"name": "a@ceph#volumes"}]
        self.volumes, self.ready, self.region = [], True, "RegionOne"

    def request(self, api, method, path, body=None, headers=None):
        if not self.ready:
            return 0, {}, None
        if path == "/auth/tokens":
            endpoint = {"interface": "internal", "region": self.region, "url": "https://cloud:8776/v3"}
            catalog = [{"type": "block-storage", "endpoints": [endpoint]}]
            return 201, {"x-subject-token": "t"}, {"token": {"catalog": catalog}}
        assert api.url == "https://cloud:8776/v3"
        assert api.headers == volume_type.VERSION
        assert api._token == "t"
        path, _, query = path.partition("?")
        # From 3.49 on the scheduler is asked too, at a cost, and it may be silent.
        assert (headers == volume_type.SERVICES_VERSION) == (path == "/os-services")
        asked = dict(parse_qsl(query))
        reads = method == "GET" and "associate" not in path
        if not reads:
            self.changes.append(f"{method} {path}")
        return (
            200,
            {},
            getattr(self, "_" + path.split("/")[1].replace("-", "_"))(method, path.split("/")[2:], asked, body),
        )

    def _types(self, method, parts, asked, body):
        if method == "GET":
            return {"volume_types": list(self.types.values())}
        if method == "DELETE" and len(parts) == 3:
            return self.types[parts[0]]["extra_specs"].pop(parts[2])
        if method == "DELETE":
            return self.types.pop(parts[0])
        if len(parts) == 2:
            return self.types[parts[0]]["extra_specs"].update(body["extra_specs"])
        told = dict(body["volume_type"])
        told["is_public"] = told.pop("os-volume-type-access:is_public", told.get("is_public"))
        entry = self.types.setdefault(parts[0] if parts else next(self.ids), {"qos_specs_id": None})
        entry.update({"id": next(id for id, other in self.types.items() if other is entry), **told})
        return {"volume_type": entry}

    def _qos_specs(self, method, parts, asked, body):
        if method == "GET" and not parts:
            return {"qos_specs": list(self.limits.values())}
        if method == "GET" and parts[1] == "disassociate_all":
            return [kind.update(qos_specs_id=None) for kind in self.types.values() if kind["qos_specs_id"] == parts[0]]
        if method == "GET":
            return self.types[asked["vol_type_id"]].update(qos_specs_id=parts[0] if parts[1] == "associate" else None)
        if method == "DELETE":
            return self.limits.pop(parts[0])
        if parts[1:] == ["delete_keys"]:
            return [self.limits[parts[0]]["specs"].pop(name) for name in body["keys"]]
        told = dict(body["qos_specs"])
        id = parts[0] if parts else next(self.ids)
        entry = self.limits.setdefault(id, {"id": id, "name": told.pop("name", ""), "specs": {}})
        entry["consumer"] = told.pop("consumer")
        entry["specs"].update(told)
        return {"qos_specs": entry}

    def _os_quota_class_sets(self, method, parts, asked, body):
        if method == "PUT":
            self.quotas.update(body["quota_class_set"])
        return {"quota_class_set": {"id": "default", **self.quotas}}

    def _os_services(self, method, parts, asked, body):
        return {"services": self.services}

    def _scheduler_stats(self, method, parts, asked, body):
        assert parts == ["get_pools"]
        return {"pools": self.pools}

    def _volumes(self, method, parts, asked, body):
        assert parts == ["detail"]
        assert asked["all_tenants"] == "1"
        found = [
            volume
            for volume in self.volumes
            if volume["os-vol-host-attr:host"].split("#")[0] == asked.get("host", "a@ceph")
            and asked.get("volume_type_id") in (None, volume.get("type"))
        ]
        after = [volume["id"] for volume in found].index(asked["marker"]) + 1 if "marker" in asked else 0
        return {"volumes": found[after : after + int(asked["limit"])]}


class IO(dict):
    """Files, and commands that are run."""

    openstack = staticmethod(Api)

    def __init__(self, *files, cloud):
        super().__init__(*files)
        self.cloud, self.ran = cloud, []

    def read_text(self, path):
        return self.get(path)

    def exists(self, path):
        return path in self

    def write(self, path, content, *, mode):
        self[path] = content

    def run(self, argv, *, user, timeout):
        assert user == "cinder"
        assert timeout
        self.ran.append(argv[1:])
        if argv[1:4] == ["service", "remove", "cinder-volume"]:
            self.cloud.services = [entry for entry in self.cloud.services if entry["host"] != argv[4]]
        if argv[1:3] == ["volume", "update_host"]:
            for volume in self.cloud.volumes:
                if volume["os-vol-host-attr:host"] == argv[4]:
                    volume["os-vol-host-attr:host"] = argv[6]


@pytest.fixture
def cloud(monkeypatch):
    made = Cloud()
    monkeypatch.setattr(Api, "request", lambda api, *arguments: made.request(api, *arguments))
    made.clock = itertools.count(step=0.1)
    monkeypatch.setattr(volume_type.time, "monotonic", lambda: next(made.clock))
    monkeypatch.setattr(volume_type.time, "sleep", lambda _: None)
    return made


@pytest.fixture
def io(cloud):
    return IO({volume_type.CREDENTIALS: json.dumps(ACCESS)}, cloud=cloud)


def volume(id, place="a@ceph#ceph", cluster=None, **more):
    return {"id": id, "size": 1, "status": "available", "os-vol-host-attr:host": place, "cluster_name": cluster, **more}


def planned(io, wanted, kind=volume_type):
    return kind.plan(kind.read(io, kind.question(wanted)), wanted)


def converge(io, wanted):
    plan = planned(io, wanted)
    assert not plan.errors
    if plan:
        volume_type.apply(io, plan)
    return plan


def test_everything_is_made_in_one_batch_and_then_stands(cloud, io):
    assert converge(io, WANTED).summary() == [
        "create limits bronze",
        "create volume type gold",
        "create volume type bronze",
        "update quotas",
    ]
    bronze = next(kind for kind in cloud.types.values() if kind["name"] == "bronze")
    assert not bronze["is_public"]
    assert cloud.limits[bronze["qos_specs_id"]]["specs"] == {"total_iops_sec": "500"}
    assert cloud.quotas == {"gigabytes": 500, "volumes": 10, "volumes_gold": 5}
    cloud.changes.clear()
    assert not converge(io, WANTED)
    assert cloud.changes == []


def test_it_ends_when_the_scheduler_knows_every_back_end(cloud, io):
    later = iter([[], [{"name": "b@ceph#volumes"}], [{"name": "a@ceph#volumes"}, {"name": "b@ceph#volumes"}]])
    cloud._scheduler_stats = lambda *_: {"pools": next(later)}
    converge(io, {**WANTED, "backends": ["a@ceph", "b@ceph"]})
    assert next(later, None) is None


def test_members_of_a_cluster_are_known_by_its_name(cloud, io):
    cloud.pools = [{"name": "lab@ceph#volumes"}]
    assert converge(io, {**WANTED, "backends": ["a@ceph", "b@ceph"]})


def test_a_back_end_that_never_tells_of_itself_is_an_error(cloud, io):
    cloud.pools = []
    with pytest.raises(HoldfastError, match="does not know a@ceph after 600 s"):
        converge(io, WANTED)


def test_a_host_that_the_run_leaves_out_is_not_waited_for(cloud, io):
    assert converge(io, {**WANTED, "backends": ["a@ceph", "late@ceph"]})


def test_what_differs_is_changed_and_what_is_too_much_goes(cloud, io):
    converge(io, WANTED)
    gold, bronze = cloud.types.values()
    gold["extra_specs"]["stray"] = "1"
    gold["description"] = "Slow"
    bronze["qos_specs_id"] = None
    next(iter(cloud.limits.values()))["specs"]["write_iops_sec"] = "9"
    assert converge(io, WANTED).summary() == [
        "update limits bronze",
        "update volume type gold",
        "update volume type bronze",
    ]
    assert gold["extra_specs"] == {"volume_backend_name": "ceph"}
    assert gold["description"] == "Fast"
    assert not converge(io, WANTED)


def test_limits_that_a_type_no_longer_has_go(cloud, io):
    converge(io, WANTED)
    types = [{**entry, "qos": ""} for entry in WANTED["volume_types"]]
    wanted = {**WANTED, "volume_types": types, "qos_specs": []}
    assert converge(io, wanted).summary() == ["update volume type bronze", "delete limits bronze"]
    assert cloud.limits == {}
    assert not converge(io, wanted)


def test_what_is_not_named_is_left_alone_and_absent_removes(cloud, io):
    converge(io, WANTED)
    assert not converge(io, {**WANTED, "volume_types": WANTED["volume_types"][:1], "qos_specs": []})
    absent = {"volume_types": [{"name": "gold", "state": "absent"}], "backends": None}
    assert converge(io, absent).summary() == ["delete volume type gold"]
    assert not converge(io, absent)


def test_extra_specs_of_a_type_in_use_are_refused_before_anything_changes(cloud, io):
    converge(io, WANTED)
    gold = next(iter(cloud.types))
    cloud.volumes.append(volume("v1", type=gold))
    cloud.changes.clear()
    changed = {**WANTED, "volume_types": [{"name": "gold", "extra_specs": {"volume_backend_name": "other"}}]}
    (finding,) = planned(io, changed).errors
    assert (finding.code, finding.where) == ("cinder.type-in-use", "volume type gold")
    assert "volume_backend_name=ceph" in finding.what
    assert "volume_backend_name=other" in finding.what
    assert cloud.changes == []
    described = {**WANTED, "volume_types": [{**WANTED["volume_types"][0], "description": "New"}]}
    assert converge(io, described).summary() == ["update volume type gold"]


def test_a_back_end_that_went_is_forgotten_unless_it_holds_volumes(cloud, io):
    converge(io, WANTED)
    cloud.services.append({"host": "b@ceph", "state": "down", "cluster": None})
    cloud.volumes.append(volume("v1", "b@ceph#ceph"))
    (finding,) = planned(io, WANTED).errors
    assert (finding.code, finding.where) == ("cinder.backend-in-use", "b@ceph")
    cloud.volumes[0]["cluster_name"] = "lab@ceph#ceph"
    assert converge(io, WANTED).summary() == ["forget back end b@ceph"]
    assert io.ran == [["service", "remove", "cinder-volume", "b@ceph"]]
    assert not converge(io, WANTED)


def test_what_changed_since_the_plan_is_refused_when_it_is_applied(cloud, io):
    plan = planned(io, WANTED)
    cloud.services.append({"host": "b@ceph", "state": "down", "cluster": None})
    cloud.volumes.append(volume("v1", "b@ceph#ceph"))
    with pytest.raises(HoldfastError, match="backend-in-use"):
        volume_type.apply(io, plan)
    assert cloud.changes == []


@pytest.mark.parametrize("case", ["bare", "silent", "elsewhere"])
def test_where_nothing_answers_nothing_is_there(cloud, io, case):
    cloud.ready, cloud.region = case != "silent", "RegionTwo" if case == "elsewhere" else "RegionOne"
    current = volume_type.read(IO(cloud=cloud) if case == "bare" else io, volume_type.question(WANTED))
    assert current["state"] == "absent"
    assert len(volume_type.plan(current, WANTED).changes) == 4


def test_a_silent_service_that_had_types_is_waited_for(cloud, io):
    converge(io, WANTED)
    cloud.changes.clear()
    cloud.ready = False
    plan = volume_type.plan(volume_type.read(io, volume_type.question(WANTED)), WANTED)
    assert plan.summary() == ["wait for the volume service"]
    cloud.ready = True
    cloud.types.clear()
    volume_type.apply(io, plan)
    assert cloud.changes == [], "what it lacks is planned when it answers"
    assert converge(io, WANTED).summary() == ["create volume type gold", "create volume type bronze"]


def test_an_interrupted_batch_goes_on_where_it_stopped(cloud, io):
    plan, real, done = planned(io, WANTED), cloud.request, itertools.count()

    def killed(api, method, path, body=None, headers=None):
        if method != "GET" and "auth" not in path and next(done) == 2:
            raise KeyboardInterrupt
        return real(api, method, path, body, headers)

    cloud.request = killed
    with pytest.raises(KeyboardInterrupt):
        volume_type.apply(io, plan)
    cloud.request = real
    assert converge(io, WANTED)
    assert not converge(io, WANTED)


def test_questions_and_answers_hold_no_password(cloud, io):
    asked = volume_type.question(WANTED)
    assert "staple" not in repr(asked) + repr(volume_type.read(io, asked)) + repr(planned(io, WANTED))


def model(**groups):
    ceph = {"name": "ceph", "type": "rbd", "pool": "volumes", "cluster": None, "volume_type": {"name": "gold"}}
    hosts = {}
    for name in ("a", "b"):
        member = frozenset(group for group, names in groups.items() if name in names)
        hosts[name] = Host(name, member, {}, {}, {"cinder_backends": [ceph]})
    limited = {"name": "slow", "backend": "ceph", "qos": {"consumer": "both", "specs": {"total_iops_sec": 5}}}
    variables = {"cinder_quotas": {"volumes": 7}, "cinder_volume_types": [{**limited, "quotas": {"gigabytes": 9}}]}
    return Model("lab", {}, hosts, variables)


def test_types_of_back_ends_and_of_the_site_are_wanted_once_on_the_first_host_of_the_api():
    made = model(cinder_api=["a", "b"], cinder_volume=["a", "b"], etcd=["a"])
    wanted = cinder_wants.volume_type(made, made.hosts["a"], Services(descriptions(), made, {}), {})
    assert cinder_wants.volume_type(made, made.hosts["b"], None, {}) == {}
    assert [(entry["name"], entry["extra_specs"], entry["qos"]) for entry in wanted["volume_types"]] == [
        ("gold", {"volume_backend_name": "ceph"}, ""),
        ("slow", {"volume_backend_name": "ceph"}, "slow"),
    ]
    assert wanted["qos_specs"] == [{"name": "slow", "consumer": "both", "specs": {"total_iops_sec": "5"}}]
    assert wanted["quotas"] == {"volumes": 7, "gigabytes_slow": 9}
    assert wanted["backends"] == ["a@ceph", "b@ceph"]
    assert wanted["clusters"] == ["lab@ceph"]
    assert cinder_wants.volume_type(model(cinder_api=["a"], cinder_volume=["a"]), made.hosts["a"], None, {}) == {}


TAKEOVER = {"source": "b@array", "target": "a@disks", "credentials": volume_type.CREDENTIALS}


def two(cloud, state="down"):
    cloud.services = [
        {"host": "a@disks", "state": "up", "cluster": None},
        {"host": "b@array", "state": state, "cluster": None},
    ]
    cloud.volumes = [volume(f"v{n}", "b@array#array") for n in range(3)]
    cloud.volumes += [volume("v9", "b@array#thin"), volume("c1", "b@array#array", "lab@array#array")]


def test_a_takeover_moves_each_pool_and_leaves_what_a_cluster_has(cloud, io, monkeypatch):
    two(cloud)
    monkeypatch.setattr(volume_takeover, "PAGE", 2)
    plan = planned(io, TAKEOVER, volume_takeover)
    assert plan.summary() == ["move volume v0", "move volume v1", "move volume v2", "move volume v9"]
    assert plan.diff()[3]["after"] == "a@disks#thin\n"
    told = volume_takeover.result(volume_takeover.read(io, TAKEOVER), TAKEOVER)
    assert (len(told["volumes"]), told["clustered"], told["enter"]) == (4, 1, False)
    volume_takeover.apply(io, plan)
    assert io.ran == [
        ["volume", "update_host", "--currenthost", "b@array#array", "--newhost", "a@disks#disks"],
        ["volume", "update_host", "--currenthost", "b@array#thin", "--newhost", "a@disks#thin"],
        ["volume", "update_service"],
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"state": "up"}, "takeover.alive"),
        ({"target": "c@disks"}, "takeover.unknown"),
        ({"target": "b@array"}, "takeover.same takeover.down"),
    ],
)
def test_a_takeover_from_the_living_or_to_the_dead_is_refused(cloud, io, change, code):
    two(cloud, change.pop("state", "down"))
    plan = planned(io, {**TAKEOVER, **change}, volume_takeover)
    assert " ".join(finding.code for finding in plan.errors) == code
    assert io.ran == []


def test_a_member_of_a_cluster_enters_it_anew_also_after_an_interruption(cloud, io):
    two(cloud)
    cloud.services[0]["cluster"] = "lab@disks"
    assert volume_takeover.result(volume_takeover.read(io, TAKEOVER), TAKEOVER)["enter"]
    volume_takeover.apply(io, planned(io, TAKEOVER, volume_takeover))
    assert not planned(io, TAKEOVER, volume_takeover)
    assert volume_takeover.result(volume_takeover.read(io, TAKEOVER), TAKEOVER)["enter"]


def test_without_an_answer_nobody_is_called_dead(cloud, io):
    cloud.ready = False
    with pytest.raises(HoldfastError, match="gives no token"):
        volume_takeover.read(io, TAKEOVER)
