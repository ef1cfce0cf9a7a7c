# SPDX-License-Identifier: Apache-2.0
"""The kinds of rings: reading builders safely, telling each host its part, and carrying the files.

What RingBuilder does with them is the business of the scenario ``swift``: it is not on the controller.
"""

from __future__ import annotations

import array
import copy
import gzip
import hashlib
import json
import os
import pickle
import struct
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.swift import wants as swift_wants
from ansible_collections.holdfast.storage.plugins.module_utils.core.swift.kinds import (
    swift_ring,
    swift_ring_copy,
)

DEVICE = {
    "id": 0,
    "region": 1,
    "zone": 1,
    "ip": "10.0.0.1",
    "port": 6200,
    "replication_ip": "10.0.1.1",
    "replication_port": 6210,
    "device": "d1",
    "weight": 100.0,
    "parts": 4,
    "meta": "s1/d1",
}
RING = {
    "name": "object",
    "part_power": 2,
    "replicas": 1,
    "min_part_hours": 1,
    "erasure_coded": False,
    "devices": [{**{k: v for k, v in DEVICE.items() if k not in ("id", "parts", "meta")}, "name": "s1/d1"}],
}
WANTED = {"rings": [RING], "remove": [], "move_limit_percent": 20, "hosts": ["p1", "s1"], "host": "p1"}
BUILDER = {
    "part_power": 2,
    "replicas": 1,
    "min_part_hours": 1,
    "parts": 4,
    "devs": [DEVICE, None],
    "devs_changed": False,
    "version": 3,
    "overload": 0.0,
    "_replica2part2dev": [array.array("H", [0, 0, 0, 0])],
    "_last_part_moves": array.array("B", [0, 0, 0, 0]),
    "_dispersion_graph": {(1,): [0, 4]},
    "_remove_devs": [],
    "id": "one",
    "holdfast": {"ancestors": ["before"], "pending": 0, "not_before": 0},
}


class FakeHost:
    """Files in memory."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = dict(files or {})

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def exists(self, path: str) -> bool:
        return path in self.files

    def digest(self, path: str) -> str | None:
        return hashlib.sha256(self.files[path]).hexdigest() if path in self.files else None

    def listdir(self, path: str) -> list[str]:
        return sorted({name[len(path) + 1 :].split("/")[0] for name in self.files if name.startswith(f"{path}/")})

    def write(self, path: str, content: bytes, **access: str) -> None:
        assert access == {"mode": "0640", "group": "swift"}
        self.files[path] = content

    def remove(self, path: str) -> None:
        del self.files[path]


def builder(**values: Any) -> bytes:
    return pickle.dumps({**copy.deepcopy(BUILDER), **values}, protocol=2)


def ring_file(version: int = 3) -> bytes:
    text = json.dumps({"version": version, "devs": []}).encode()
    return gzip.compress(struct.pack("!4sHI", b"R1NG", 1, len(text)) + text + b"\0" * 8)


def files(version: int = 3) -> dict[str, bytes]:
    return {"/etc/swift/object.builder": builder(), "/etc/swift/object.ring.gz": ring_file(version)}


def answer(io: FakeHost) -> dict[str, Any]:
    read: Any = swift_ring.read(io, swift_ring.question(WANTED))  # type: ignore[arg-type]
    return {swift_ring.STEP: json.loads(json.dumps(read))}


def planned(host: str, answers: dict[str, Any]) -> tuple[Any, Any]:
    return tuple(kind.plan(kind.join(host, answers), WANTED) for kind in (swift_ring, swift_ring_copy))  # type: ignore[return-value]


def test_a_bare_host_has_nothing_and_a_converged_one_needs_nothing() -> None:
    assert answer(FakeHost())[swift_ring.STEP] == {
        "object": {"builder": None, "file": None, "data": [], "simulation": None}
    }
    answers = {"p1": answer(FakeHost(files())), "s1": answer(FakeHost(files()))}
    assert not any(plan for host in answers for plan in planned(host, answers))


def test_the_first_host_makes_the_rings_and_the_other_gets_copies() -> None:
    answers = {"p1": answer(FakeHost()), "s1": answer(FakeHost())}
    made, copied = planned("p1", answers)
    assert (made.summary(), copied.summary()) == (["create object", "publish object"], [])
    made, copied = planned("s1", answers)
    assert (made.summary(), copied.summary()) == ([], ["copy /etc/swift/object.ring.gz"])


def test_a_refusal_is_said_by_one_host_only() -> None:
    lost = {"/etc/swift/object.ring.gz": ring_file()}
    answers = {"p1": answer(FakeHost(lost)), "s1": answer(FakeHost(lost))}
    said = [finding.code for host in answers for plan in planned(host, answers) for finding in plan.errors]
    assert said == ["swift_ring.lost_builder"]


def test_a_ring_older_than_its_builder_is_seen() -> None:
    answers = {"p1": answer(FakeHost(files(version=2))), "s1": answer(FakeHost(files(version=2)))}
    assert planned("p1", answers)[0].summary() == ["write object", "publish object"]


def test_data_on_the_disks_is_seen_where_there_is_no_ring() -> None:
    io = FakeHost({"/srv/node/d1/objects/12/x": b"", "/srv/node/d1/accounts/1": b""})
    assert answer(io)[swift_ring.STEP]["object"]["data"] == ["/srv/node/d1/objects"]


def disk_answer(**found: Any) -> dict[str, Any]:
    ours = {"xfs": {"label": "hf-one", "complete": True}, "holds": [], "begun": False, "mounted": None}
    return {"disks": {"/dev/one": {"number": "8:16", "mount": "/srv/node/d1", **ours, **found}}}


@pytest.mark.parametrize(
    ("disks", "code"),
    [
        (disk_answer(), ["swift_ring.unknown_data"]),
        (disk_answer(mounted={"number": "8:16"}), []),
        (disk_answer(begun=True), []),
        (disk_answer(xfs=None), []),
        (disk_answer(xfs={"label": "hf-two", "complete": True}, holds=["xfs filesystem labelled 'hf-two'"]), []),
        (disk_answer(mount="/srv/nfs/fast"), []),
        ({"disks": {"/dev/none": {"number": None, "mount": "/srv/node/d1"}}}, []),
        ({"error": "OSError: broken"}, []),
    ],
)
def test_what_a_prepared_disk_holds_is_unknown_until_it_is_mounted(disks: dict[str, Any], code: list[str]) -> None:
    answers = {"p1": answer(FakeHost()), "s1": {**answer(FakeHost()), "devices/disk": disks}}
    assert [finding.code for finding in planned("p1", answers)[0].errors] == code


class Harm:
    """What a hostile builder would hold."""

    def __reduce__(self) -> Any:
        return os.getpid, ()


@pytest.mark.parametrize("content", [pickle.dumps(Harm()), builder(devs=[Harm()]), b"", b"text", pickle.dumps([1])])
def test_only_what_a_builder_is_made_of_is_unpickled(content: bytes) -> None:
    found = answer(FakeHost({"/etc/swift/object.builder": content}))[swift_ring.STEP]["object"]["builder"]
    assert list(found) == ["error"]


def test_a_builder_that_another_tool_saved_has_no_known_ancestors() -> None:
    content = builder()
    assert swift_ring._view(swift_ring.loaded(content), "x")["ancestors"] == ["before"]
    plain = {name: value for name, value in BUILDER.items() if name != "holdfast"}
    assert swift_ring._view(plain, "x")["ancestors"] is None


def test_files_travel_as_they_are_and_builders_are_kept_in_the_backups() -> None:
    source, target = FakeHost(files()), FakeHost()
    copies = [json.loads(json.dumps(swift_ring_copy.packed(source, "/etc/swift", "object")))]  # type: ignore[arg-type]
    plan = swift_ring_copy.plan_copies(target, "/etc/swift", copies)  # type: ignore[arg-type]
    assert plan.summary() == ["create /etc/swift/object.builder", "create /etc/swift/object.ring.gz"]
    swift_ring_copy.apply(target, plan)  # type: ignore[arg-type]
    assert {path: target.files[path] for path in source.files} == source.files
    assert [name for name in target.files if "/backups/object.000003-" in name]
    assert not swift_ring_copy.plan_copies(target, "/etc/swift", copies)  # type: ignore[arg-type]


def test_a_copy_never_replaces_a_newer_builder() -> None:
    target = FakeHost({"/etc/swift/object.builder": builder(version=4)})
    copies = [swift_ring_copy.packed(FakeHost(files()), "/etc/swift", "object")]  # type: ignore[arg-type]
    plan = swift_ring_copy.plan_copies(target, "/etc/swift", copies)  # type: ignore[arg-type]
    assert [finding.code for finding in plan.errors] == ["swift_ring_copy.newer"]


def test_backups_are_pruned_to_the_newest() -> None:
    io = FakeHost()
    for version in range(30):
        swift_ring.save(io, "/etc/swift", "object", "builder", builder(version=version))  # type: ignore[arg-type]
    kept = [path for path in io.files if "/backups/" in path]
    assert len(kept) == swift_ring.BACKUPS_KEPT
    assert min(kept).startswith("/etc/swift/backups/object.000010-")


def test_moved_counts_replicas_that_come_to_a_device_that_did_not_hold_the_partition() -> None:
    old = [array.array("H", [0, 1]), array.array("H", [1, 2])]
    assert swift_ring._moved(old, old) == 0
    assert swift_ring._moved(old, [old[1], old[0]]) == 0, "another order is no movement"
    assert swift_ring._moved(old, [array.array("H", [0, 3]), old[1]]) == 25
    assert swift_ring._moved([], old) == 0


def storage(name: str, number: int, **variables: Any) -> Host:
    shared = {
        "swift_part_power": 10,
        "swift_min_part_hours": 1,
        "swift_replicas": 3,
        "swift_move_limit_percent": 20,
        "swift_region": 1,
        "swift_policies": [
            {"index": 0, "name": "gold", "replicas": 3},
            {"index": 4, "name": "wide", "type": "erasure_coding", "ec_data_fragments": 4, "ec_parity_fragments": 2},
        ],
    }
    addresses = {"mgmt": f"10.0.2.{number}", "storage": f"10.0.0.{number}", "repl": f"10.0.1.{number}"}
    return Host(name, frozenset({"swift_storage"}), addresses, {}, {**shared, **variables})


def test_the_model_gives_a_ring_for_accounts_containers_and_each_policy() -> None:
    disks = [{"device": "/dev/disk/by-id/a", "label": "fast"}, {"device": "/dev/disk/by-id/b", "policies": ["wide"]}]
    host = storage("s1", 1, swift_disks=disks, swift_zone=5)
    wanted = swift_wants.swift_ring(Model("lab", {}, {"s1": host}, {}), host, None, None)  # type: ignore[arg-type]
    named = {ring["name"]: ring for ring in wanted["rings"]}
    assert {name: [device["name"] for device in ring["devices"]] for name, ring in named.items()} == {
        "account": ["s1/fast", "s1/d2"],
        "container": ["s1/fast", "s1/d2"],
        "object": ["s1/fast"],
        "object-4": ["s1/fast", "s1/d2"],
    }
    assert (named["object-4"]["replicas"], named["object-4"]["erasure_coded"]) == (6, True)
    assert named["account"]["devices"][0] == {
        "name": "s1/fast",
        "device": "fast",
        "region": 1,
        "zone": 5,
        "ip": "10.0.0.1",
        "replication_ip": "10.0.1.1",
        "weight": 100,
        "port": 6202,
        "replication_port": 6212,
    }
