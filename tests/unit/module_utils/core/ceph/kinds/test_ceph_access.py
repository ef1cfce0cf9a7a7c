# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import values as ceph
from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.kinds import ceph_access
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError

KEY = ceph.make_key(bytes(range(16)))
KEYRING = "/etc/ceph/ceph.client.cinder.keyring"
WANTED: dict[str, Any] = {
    "host": "control1",
    "source": "192.0.2.11",
    "port": 3300,
    "monitors": ["192.0.2.91", "192.0.2.92"],
    "clients": [{"name": "cinder", "key": ceph.digest(KEY), "writes": ["volumes"], "reads": ["images"]}],
}


class FakeHost:
    """A host, and a cluster whose monitors greet it; ``rights`` are what it may do with pools."""

    def __init__(self) -> None:
        self.files = {"/etc/ceph/ceph.conf": "", KEYRING: ceph.keyring({"client.cinder": KEY})}
        self.greetings = dict.fromkeys(WANTED["monitors"], ("open", ceph_access.BANNER))
        self.rights = {("volumes", True): "ok", ("images", False): "ok"}
        self.refusal, self.address = "", True

    def __enter__(self) -> FakeHost:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def has_address(self, address: str) -> bool:
        return self.address

    def exists(self, path: str) -> bool:
        return path in self.files

    def read_text(self, path: str) -> str | None:
        return self.files.get(path)

    def greeting(self, address: str, port: int, source: str, length: int, timeout: float) -> tuple[str, bytes]:
        return self.greetings[address]

    def ceph(self, entity: str, keyring: str, timeout: float) -> FakeHost:
        if self.refusal:
            raise HoldfastError(self.refusal)
        return self

    def may(self, pool: str, *, write: bool) -> str:
        return self.rights[pool, write]


def planned(io: FakeHost) -> Any:
    return ceph_access.plan(ceph_access.read(io, ceph_access.question(WANTED)), WANTED)


def test_a_cluster_that_can_be_used_needs_nothing():
    plan = planned(FakeHost())
    assert not plan
    assert not plan.findings


def test_before_the_keyring_is_there_monitors_are_asked_and_the_rest_is_tried_later():
    io = FakeHost()
    io.files.clear()
    plan = planned(io)
    assert plan.summary() == ["try client.cinder"]
    assert not plan.findings
    io.files = FakeHost().files
    ceph_access.apply(io, plan)
    io.rights["volumes", True] = "denied"
    with pytest.raises(HoldfastError, match="profile rbd pool=volumes"):
        ceph_access.apply(io, plan)


@pytest.mark.parametrize("greeting", [("refused", b""), ("silent", b""), ("open", b"HTTP/1.1"), ("open", b"ceph v02")])
def test_monitors_out_of_reach_are_refused_before_anything_is_changed(greeting):
    io = FakeHost()
    io.greetings["192.0.2.91"] = greeting
    assert [(f.severity, f.code) for f in planned(io).findings] == [("advice", "ceph_access.monitors")]
    io.greetings["192.0.2.92"] = greeting
    findings = planned(io).findings
    assert [(f.severity, f.code) for f in findings] == [("error", "ceph_access.monitors")]
    assert "control1" in findings[0].where


def test_on_a_bare_host_nothing_is_asked():
    io = FakeHost()
    io.address = False
    io.files.clear()
    assert planned(io).summary() == ["try client.cinder"]
    assert not planned(io).findings


@pytest.mark.parametrize(
    ("pool", "write", "state", "said"),
    [
        ("volumes", True, "missing", "no pool of the cluster"),
        ("volumes", True, "denied", "profile rbd pool=volumes"),
        ("images", False, "denied", "profile rbd-read-only pool=images"),
    ],
)
def test_pools_and_rights_are_told(pool, write, state, said):
    io = FakeHost()
    io.rights[pool, write] = state
    (finding,) = planned(io).errors
    assert finding.code == f"ceph_access.{state}"
    assert said in f"{finding.what} {finding.fix}"


def test_a_key_that_the_cluster_does_not_know_is_told():
    io = FakeHost()
    io.refusal = "The cluster does not answer client.cinder: permission denied."
    assert [finding.code for finding in planned(io).errors] == ["ceph_access.refused"]


def test_a_key_that_is_to_be_replaced_is_tried_when_it_has_been():
    io = FakeHost()
    io.files[KEYRING] = ceph.keyring({"client.cinder": ceph.make_key(bytes(range(1, 17)))})
    plan = planned(io)
    assert plan.summary() == ["try client.cinder"]
    io.files = FakeHost().files
    io.refusal = "permission denied"
    with pytest.raises(HoldfastError, match="permission denied"):
        ceph_access.apply(io, plan)
