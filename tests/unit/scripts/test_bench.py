# SPDX-License-Identifier: Apache-2.0
"""What `make bench` fills a cloud with, and what it takes for too much. The cloud is one of a few lines."""

from __future__ import annotations

import itertools
import json
import re
import sys
import threading
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Answer
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

sys.path.insert(0, str(cases.ROOT / "tests/bench"))

import filling
import full
import idle

PORTS = {"identity": 5000, "object-store": 8080, "image": 9292, "block-storage": 8776}
ALL = {"projects": 301, "users": 300, "containers": 300, "objects": 2000, "images": 50, "volumes": 100}


class Cloud:
    """An administrator's view of a cloud in memory. ``dies`` after so many things were made."""

    def __init__(self):
        self.auth = {"username": "admin", "password": "x"}
        self.token_details = {"user": {"id": "me"}, "project": {"id": "own"}}
        self.lock, self.ids, self.made, self.dies, self.removed = threading.Lock(), itertools.count(), 0, 10**9, 0
        self.projects, self.users, self.images, self.volumes, self.objects = {}, {}, {}, {}, {}
        self.roles, self.quota, self.becomes, self.queries = set(), None, "available", []
        self.projects["mine"] = {"id": "mine", "name": "admin"}

    def endpoint(self, service):
        return f"https://api:{PORTS[service]}/v3"

    def another(self, user, password, project):
        assert (user, password, project) == ("admin", "x", filling.NAME)
        return self

    def request(self, method, url, body=None, headers=None):
        parts = urlsplit(url)
        with self.lock:
            if method in ("PUT", "POST"):
                self.made += 1
                if self.made > self.dies:
                    raise KeyboardInterrupt
            path = parts.path.removeprefix("/v3").strip("/").split("/")
            service = next(name for name, port in PORTS.items() if port == parts.port).replace("-", "_")
            return getattr(self, f"of_{service}")(method, path, parse_qs(parts.query), body)

    def json(self, status, said):
        return Answer(status, {"content-type": "application/json"}, json.dumps(said).encode())

    def of_identity(self, method, path, query, body):
        if path[0] == "roles":
            return self.json(200, {"roles": [{"id": query["name"][0]}]})
        if "roles" in path:
            self.roles.add(tuple(path))
            return Answer(204, {}, b"")
        found = getattr(self, path[0])
        if method == "POST":
            one = json.loads(body)[path[0][:-1]]
            found[one["name"]] = {**one, "id": f"id-{one['name']}"}
            return Answer(201, {}, b"")
        if method == "DELETE":
            return Answer(204 if found.pop(path[1].removeprefix("id-"), None) else 404, {}, b"")
        begin = query["name__istartswith"][0]
        return self.json(200, {path[0]: [one for name, one in found.items() if name.startswith(begin)]})

    def of_object_store(self, method, path, query, body):
        container, *name = path
        if method == "PUT":
            (self.objects.setdefault(container, set()).add(name[0])) if name else self.objects.setdefault(
                container, set()
            )
            return Answer(201, {}, b"")
        if method == "DELETE":
            if name:
                self.objects[container].discard(name[0])
            else:
                assert not self.objects.pop(container)
            return Answer(204, {}, b"")
        return self.json(200, [{"name": one} for one in (self.objects[container] if container else self.objects)])

    def of_image(self, method, path, query, body):
        if method == "POST":
            one = {**json.loads(body), "id": str(next(self.ids)), "status": "queued"}
            self.images[one["id"]] = one
            return self.json(201, one)
        if method == "PUT":
            assert self.images[path[2]]["status"] == "queued"
            self.images[path[2]]["status"] = "active"
            return Answer(204, {}, b"")
        if method == "DELETE":
            del self.images[path[2]]
            return Answer(204, {}, b"")
        assert query["owner"] == ["own"]
        return self.json(200, {"images": list(self.images.values())})

    def of_block_storage(self, method, path, query, body):
        if path[0] == "os-quota-sets":
            self.quota = (path[1], json.loads(body)["quota_set"])
            return self.json(200, {})
        if method == "POST":
            assert self.quota, "more volumes than a project has by default"
            one = {**json.loads(body)["volume"], "id": str(next(self.ids)), "status": "creating"}
            self.volumes[one["id"]] = one
            return self.json(202, {"volume": one})
        if method == "DELETE":
            assert self.volumes[path[1]]["status"] in ("available", "error")
            self.volumes[path[1]]["status"] = "deleting"
            return Answer(202, {"content-type": "application/json"}, b"")
        listed = self.json(200, {"volumes": list(self.volumes.values())})
        for number, one in list(self.volumes.items()):
            if one["status"] == "deleting":
                del self.volumes[number]
            elif one["status"] == "creating":
                one["status"] = self.becomes
        return listed


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(filling.time, "sleep", lambda _: None)
    monkeypatch.setattr(filling.time, "monotonic", lambda: next(ticks))


@pytest.fixture
def cloud(monkeypatch):
    # Threads would count the same things in another order.
    monkeypatch.setattr(filling, "AT_ONCE", 1)
    return Cloud()


def counted(cloud):
    return {
        "projects": len(cloud.projects) - 1,
        "users": len(cloud.users),
        "containers": len(cloud.objects),
        "objects": sum(map(len, cloud.objects.values())),
        "images": sum(one["status"] == "active" for one in cloud.images.values()),
        "volumes": sum(one["status"] == "available" for one in cloud.volumes.values()),
    }


def test_a_cloud_is_filled_once_and_emptied(cloud):
    bench = filling.Filling(cloud)
    assert not bench.is_there
    assert bench.fill() == ALL == counted(cloud)
    assert bench.is_there
    assert bench.fill() == dict.fromkeys(ALL, 0)
    assert cloud.quota == ("own", {"volumes": -1, "gigabytes": -1})
    assert len(cloud.roles) == 301
    assert bench.empty() == ALL
    assert counted(cloud) == dict.fromkeys(ALL, 0)
    assert list(cloud.projects) == ["mine"]
    assert bench.empty() == {"users": 0, "projects": 0}


@pytest.mark.parametrize("after", [1, 250, 700, 1000, 1300, 3220, 3250, 3300])
def test_a_filling_that_was_killed_is_finished_or_taken_out(cloud, after):
    bench = filling.Filling(cloud)
    for finish, wanted in ((bench.fill, ALL), (bench.empty, dict.fromkeys(ALL, 0))):
        cloud.made, cloud.dies = 0, after
        try:
            bench.fill()
        except KeyboardInterrupt:
            pass
        else:
            assert counted(cloud) == ALL, "it ended before its time"
        cloud.dies = 10**9
        finish()
        assert counted(cloud) == wanted


def test_a_volume_that_is_not_made_is_named(cloud):
    cloud.becomes = "error"
    with pytest.raises(HoldfastError, match="Not all volumes are made: volume-0000 is error"):
        filling.Filling(cloud).fill()


def test_many_do_the_same_at_once():
    cloud = Cloud()
    assert filling.Filling(cloud).fill() == ALL == counted(cloud)


@pytest.mark.parametrize(
    ("seconds", "problems"),
    [
        ({"site": 3.3, "verify": 150.0}, []),
        (
            {"site": 3.31, "verify": 150.0},
            [r"site\.yml takes 3.3 s on a full cloud and 3.0 s on an empty one: 10% more"],
        ),
        ({"site": 16.0, "verify": 480.0}, [r"site.*433% more, 10% at most", r"verify.*220% more"]),
        ({"site": 1.0, "verify": 100.0}, []),
    ],
)
def test_a_playbook_that_takes_longer_on_a_full_cloud_is_told(seconds, problems):
    found = full.worse({"site": 3.0, "verify": 150.0}, seconds)
    assert len(found) == len(problems)
    assert all(re.search(wanted, said) for wanted, said in zip(problems, found, strict=True))


@pytest.mark.parametrize(
    ("state", "share", "fails"), [("empty", 0.15, 0), ("empty", 0.16, 1), ("full", 0.16, 0), ("full", 0.31, 1)]
)
def test_an_idle_cloud_has_a_budget_and_says_who_breaks_it(state, share, fails):
    problems = full.Costs(state, idle.Idle(share, {"swift-object-re": 0.09, "ceph-osd": 0.04}), {}).problems
    assert len(problems) == fails
    assert all("swift-object-re 9.0%, ceph-osd 4.0%" in said for said in problems)


def test_hosts_are_watched_by_their_control_groups(tmp_path, monkeypatch):
    mounts, second = tmp_path / "mounts", iter([0.0, 60.0])
    mounts.write_text(f"tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 {tmp_path} cgroup2 rw 0 0\n")
    host = "holdfast-lab/{}/payload/system.slice/{}.service"
    groups = [host.format(*pair) for pair in (("one", "ceph-osd@0"), ("one", "ssh"), ("two", "ssh"))]

    def stand(seconds):
        for name, value in zip(["holdfast-lab", *groups], seconds, strict=True):
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / name / "cpu.stat").write_text(f"usage_usec {value * 10**6}\nuser_usec 1\n")

    stand([100, 50, 0, 0])
    monkeypatch.setattr(idle.time, "monotonic", lambda: next(second))
    monkeypatch.setattr(idle.time, "sleep", lambda _: stand([112, 56, 1, 2]))
    found = idle.measure(60, idle.group_of("holdfast-lab", mounts))
    assert found.share == 0.1
    assert str(found) == "10.0% of 2 cores: ceph-osd@0 5.0%, ssh 2.5%"


class Bench:
    """A filling that tells what was done to it."""

    def __init__(self, *, is_there):
        self.is_there, self.did = is_there, []

    def empty(self):
        self.did.append("empty")
        return {}

    def fill(self):
        self.did.append("fill")
        return {}


@pytest.mark.parametrize(
    ("is_there", "recorded", "did", "measured"),
    [
        (False, False, ["empty", "fill"], ["empty", "full"]),
        (False, True, ["empty", "fill"], ["empty", "full"]),
        (True, False, ["empty", "fill"], ["empty", "full"]),
        (True, True, ["fill"], ["full"]),
    ],
)
def test_what_the_empty_cloud_cost_is_measured_when_it_is_empty(
    tmp_path, monkeypatch, is_there, recorded, did, measured
):
    states, record = [], tmp_path / "bench.json"
    if recorded:
        record.write_text('{"site": 2.0}')

    class Run:
        wall = 2.5

    def measure(state, play):
        states.append(state)
        return full.Costs(state, idle.Idle(0.0, {}), {"site": Run()})

    monkeypatch.setattr(full, "measure", measure)
    bench = Bench(is_there=is_there)
    runs, problems = full.compare(bench, lambda name, playbook: Run(), record)
    assert (bench.did, states, len(runs)) == (did, measured, len(measured))
    assert len(problems) == (measured == ["full"])
    assert json.loads(record.read_text()) == {"site": 2.0 if measured == ["full"] else 2.5}
