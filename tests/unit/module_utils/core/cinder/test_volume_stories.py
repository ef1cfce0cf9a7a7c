# SPDX-License-Identifier: Apache-2.0
"""The stories of volumes against a volume service of a few lines: they pass there, and each lie is noticed."""

from __future__ import annotations

import itertools
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder import stories as volume
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import payload
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Answer, Scene

CINDER = "https://api:8776/v3"
GLANCE = "https://api:9292"
RUN = "20260101000000"


class Cloud:
    """Volumes, snapshots, backups and images in memory; what is made is available at once. ``lie`` changes answers."""

    def __init__(self, lie=None):
        self.lie = lie or (lambda method, path, answer: answer)
        self.ids = (f"id{number}" for number in itertools.count())
        self.things = {"volumes": {}, "snapshots": {}, "backups": {}, "images": {}}
        self.open = "filtered"
        self.states = itertools.chain(["down"], itertools.repeat("up"))

    def endpoint(self, service):
        return {"block-storage": CINDER, "image": GLANCE}[service]

    def port_states(self, addresses, ports):
        return [{"address": address, "port": port, "state": self.open} for address in addresses for port in ports]

    def request(self, method, url, body=None, headers=None):
        parts = urlsplit(url)
        path = parts.path.removeprefix("/v3").removeprefix("/v2").strip("/").split("/")
        if parts.port == 9292:
            answer = self.images(method, path[1:], parts.query, body, headers)
        else:
            answer = self.cinder(method, path, parts.query, json.loads(body) if body else {})
        return self.lie(method, "/".join(path), answer)

    def cinder(self, method, path, query, body):
        if path == ["os-services"]:
            entry = {"host": "control1@ceph", "status": "enabled", "state": next(self.states)}
            return Answer(200, {}, json.dumps({"services": [entry]}).encode())
        found = self.things[path[0]]
        if method == "DELETE":
            del found[path[1]]
            return Answer(202, {}, b"")
        if method == "GET":
            asked = parse_qs(query)
            listed = list(found.values())
            if path[0] != "attachments":
                # A cloud has more than a story may ask for: nothing is listed whole.
                name, like = asked.get("name", [None])[0], asked.get("name~", [None])[0]
                assert name or like, f"{path} were listed whole"
                listed = [entry for entry in listed if name == entry["name"] or (like and like in entry["name"])]
            return Answer(200, {}, json.dumps({path[0]: listed}).encode())
        if path[-1] == "action":
            entry = found[path[1]]
            if "os-extend" in body:
                entry["size"] = body["os-extend"]["new_size"]
            if "os-retype" in body:
                entry["volume_type"] = body["os-retype"]["new_type"]
            return Answer(202, {}, b"")
        if path[-1] == "restore":
            path, body = ["volumes"], {"volume": {"size": 1, **body["restore"]}}
        made = {"id": next(self.ids), "status": "available", "volume_type": "gold", "size": 1}
        made |= {"object_count": 21, "container": "volumebackups", **body[path[0][:-1]]}
        self.things[path[0]][made["id"]] = made
        return Answer(202, {}, json.dumps({path[0][:-1]: made}).encode())

    def images(self, method, path, query, body, headers):
        found = self.things["images"]
        if method == "POST":
            made = {"id": next(self.ids), **json.loads(body)}
            found[made["id"]] = made
            return Answer(201, {}, json.dumps(made).encode())
        if method == "PUT":
            found[path[0]] |= {
                "status": "active",
                "checksum": payload.md5(body),
                "stores": headers["X-Image-Meta-Store"],
            }
            return Answer(204, {}, b"")
        if path and path[0]:
            return Answer(200, {}, json.dumps(found[path[0]]).encode())
        return Answer(200, {}, json.dumps({"images": list(found.values())}).encode())


def read(what, parent=""):
    """What the client on the host says."""
    data = payload.content(volume.seed(RUN, what), volume.VOLUME_SIZE)
    return {"sha256": payload.sha256(data), "image": "volumes/volume-x", "parent": parent, "host": "control1"}


WHOLE = {
    "health": "HEALTH_OK",
    "osds": {"total": 3, "up": 3, "in": 3},
    "placement_groups": {"active+clean": 97},
    "clean": True,
}
FACTS = {
    "type": "gold",
    "other_type": "bronze",
    "rbd_store": "ceph",
    "internal_image_api": {"address": "172.29.236.10", "port": 9293},
    "written": read(volume.DISK),
    "rewritten": read(volume.AGAIN),
    "cloned": read(volume.DISK, "volumes/volume-id0@snapshot-id1"),
    "restored": read(volume.AGAIN),
    "imaged": read(volume.IMAGE, "images/id5@snap"),
    "lost": "storage3",
    "read_degraded": read(volume.AGAIN),
    "written_degraded": read(volume.DEGRADED),
    "status": WHOLE,
}


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    ticks = itertools.count(step=50)
    monkeypatch.setattr(volume.time, "sleep", lambda _: None)
    monkeypatch.setattr(volume.time, "monotonic", lambda: next(ticks))


def tell(cloud, until=None, **facts):
    """All stories in their order, or up to one; the last one's evidence."""
    scene = Scene(run=RUN, facts={**FACTS, **facts})
    for story in volume.STORIES:
        evidence = story.tell(cloud, scene)
        if story.id == until:
            break
    return evidence


def test_all_stories_hold_where_volumes_are_as_they_should_be():
    cloud = Cloud()
    assert tell(cloud)["returned"] == "storage3"
    assert tell(Cloud(), "block.hidden") == {"172.29.236.10:9293": "filtered"}
    names = [entry["name"] for entry in cloud.things["volumes"].values()]
    assert names == [f"holdfast-verify-{RUN}-{what}" for what in ("disk", "clone", "restored", "image")]
    for name in ("mine", "like holdfast-verify-1"):
        cloud.things["volumes"][name] = {"id": name, "name": name, "status": "available"}
    assert volume.sweep(cloud) == 5
    assert list(cloud.things["volumes"]) == ["mine", "like holdfast-verify-1"]
    assert cloud.things["backups"] == {}


def test_a_back_end_that_stays_down_is_named():
    cloud = Cloud()
    cloud.states = itertools.repeat("down")
    with pytest.raises(HoldfastError, match="Down are control1@ceph"):
        tell(cloud, "block.create")


def test_what_a_killed_verification_left_attached_is_taken_back():
    cloud = Cloud()
    left = {"id": "left", "name": f"holdfast-verify-{RUN}-iscsi", "status": "attaching"}
    cloud.things |= {"volumes": {"left": left}, "attachments": {"a1": {"id": "a1", "name": None}}}

    def end(method, path, answer):
        if method == "DELETE" and path == "attachments/a1":
            left["status"] = "available"
        return answer

    cloud.lie = end
    assert volume.sweep(cloud) == 1
    assert cloud.things["volumes"] == cloud.things["attachments"] == {}


@pytest.mark.parametrize(
    ("story", "facts", "complaint"),
    [
        ("block.create", {"type": "silver"}, "of the type gold and not silver"),
        ("block.write", {"written": read("other")}, "other content"),
        ("block.write", {"written": {"msg": "no rbd"}}, "no rbd"),
        ("block.cloned", {"cloned": read(volume.DISK)}, "its data was copied"),
        ("block.cloned", {"cloned": read(volume.AGAIN, "volumes/volume-id0@s")}, "other content"),
        ("block.cloned", {"rewritten": read(volume.DISK)}, "other content"),
        ("block.cloned", {"rewritten": {"msg": "no rbd"}}, "no rbd"),
        ("block.restored", {"restored": read(volume.DISK)}, "other content"),
        ("block.imaged", {"imaged": read(volume.IMAGE, "images/other@snap")}, "it was copied"),
        ("block.read_without_a_host", {"read_degraded": read(volume.DISK)}, "other content"),
        ("block.write_without_a_host", {"written_degraded": {"msg": "timed out"}}, "timed out"),
        ("block.healed", {"status": {"msg": "no quorum"}}, "no quorum"),
        ("block.healed", {"status": {**WHOLE, "clean": False}}, "not whole again"),
    ],
)
def test_what_a_host_says_otherwise_is_noticed(story, facts, complaint):
    with pytest.raises(HoldfastError, match=complaint):
        tell(Cloud(), story, **facts)


@pytest.mark.parametrize(
    ("story", "collection", "change", "complaint"),
    [
        ("block.create", "volumes", {"status": "error"}, "is error and not available"),
        ("block.create", "volumes", {"status": "creating"}, "is creating and not available"),
        ("block.snapshot", "snapshots", {"status": "error"}, "is error"),
        ("block.backup", "backups", {"status": "error", "fail_reason": "no container"}, "no container"),
        ("block.extend", "volumes", {"size": 1}, "has 1 GiB instead of 2"),
        ("block.retype", "volumes", {"volume_type": "gold"}, "of the type gold instead of bronze"),
    ],
)
def test_what_the_volume_service_says_otherwise_is_noticed(story, collection, change, complaint):
    def lie(method, path, answer):
        if method == "GET" and path == f"{collection}/detail":
            listed = [{**entry, **change} for entry in answer.json()[collection]]
            return Answer(200, {}, json.dumps({collection: listed}).encode())
        return answer

    with pytest.raises(HoldfastError, match=complaint):
        tell(Cloud(lie), story)


def test_an_image_that_went_elsewhere_is_noticed():
    def lie(method, path, answer):
        return Answer(200, {}, answer.body.replace(b'"stores": "ceph"', b'"stores": "swift"'))

    def only_images(method, path, answer):
        return lie(method, path, answer) if method == "GET" and path.startswith("images/") else answer

    with pytest.raises(HoldfastError, match="in the stores swift"):
        tell(Cloud(only_images), "block.image")


def test_an_open_api_that_tells_locations_is_noticed():
    cloud = Cloud()
    cloud.open = "open"
    with pytest.raises(HoldfastError, match="9293 is open"):
        tell(cloud)
