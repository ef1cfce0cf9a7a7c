# SPDX-License-Identifier: Apache-2.0
"""Images: uploaded once, looked at afterwards, replaced when they differ, and others left alone."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import cloud

FACTS = {"size": 9, "checksums": {"md5": "m", "sha256": "s2", "sha512": "s5"}}
IMAGE = {"name": "tiny", "file": "/f", "format": "raw", "store": "", "properties": {"os_type": "linux"}}
WANTED = {"clouds_file": "/c.yaml", "cloud": "lab", "images": [IMAGE]}
STANDING = {
    "id": "i1", "name": "tiny", "status": "active", "size": 9, "checksum": "m", "os_hash_algo": "sha512",
    "os_hash_value": "s5", "os_hidden": False, "visibility": "public", "container_format": "bare", "disk_format": "raw",
    "os_type": "linux", "stores": "ceph",
}  # fmt: skip


def plan(images: list[dict[str, Any]], facts: Any = FACTS, **image: Any) -> Any:
    current = {"files": {"tiny": facts}, "images": {"tiny": images}}
    return cloud.plan(current, {**WANTED, "images": [{**IMAGE, **image}]})


def test_an_empty_cloud_gets_it() -> None:
    assert plan([]).summary() == ["upload tiny"]


def test_again_there_is_nothing_to_do() -> None:
    assert not plan([STANDING])
    assert not plan([STANDING], store="ceph")


@pytest.mark.parametrize(
    "differs",
    [
        {"size": 8}, {"checksum": "x"}, {"os_hash_value": "x"}, {"status": "queued", "size": None, "checksum": None},
        {"os_type": "windows"}, {"disk_format": "qcow2"}, {"visibility": "private"},
    ],
)  # fmt: skip
def test_an_image_that_differs_is_replaced(differs: dict[str, Any]) -> None:
    assert plan([{**STANDING, **differs}]).summary() == ["upload tiny", "delete image tiny i1"]


def test_an_image_in_another_store_is_replaced() -> None:
    assert plan([{**STANDING, "stores": "swift"}], store="ceph").summary()[0] == "upload tiny"


def test_of_two_that_are_right_one_stays() -> None:
    assert plan([STANDING, {**STANDING, "id": "i2"}]).summary() == ["delete image tiny i2"]


@pytest.mark.parametrize("state", [{"status": "deactivated"}, {"os_hidden": True}])
def test_what_an_administrator_put_aside_stays(state: dict[str, Any]) -> None:
    assert not plan([{**STANDING, "id": "old", **state}, STANDING])


def test_a_file_that_is_not_there_is_told() -> None:
    assert [(finding.code, finding.where) for finding in plan([], None).errors] == [
        ("lab.image-file", "lab_images: tiny")
    ]


def test_an_unknown_algorithm_leaves_the_old_checksum() -> None:
    assert cloud.is_file({**STANDING, "os_hash_algo": "sha3", "os_hash_value": "x"}, FACTS)
    assert not cloud.is_file({**STANDING, "os_hash_algo": "sha3", "checksum": None}, FACTS)


class Machine:
    """A cloud that takes an image as it is told to."""

    def __init__(self, **arrives: Any) -> None:
        self.arrives = arrives
        self.did: list[Any] = []

    def upload(self, image: dict[str, Any], path: str, store: str) -> dict[str, Any]:
        self.did.append(("upload", image, path, store))
        return {**STANDING, **self.arrives}

    def delete_image(self, number: str) -> None:
        self.did.append(("delete", number))


def test_what_is_replaced_goes_after_what_replaces_it() -> None:
    machine: Any = Machine()
    cloud.apply(machine, plan([{**STANDING, "size": 1}], store="ceph"))
    image = {
        "name": "tiny", "disk_format": "raw", "container_format": "bare", "visibility": "public", "os_type": "linux",
    }  # fmt: skip
    assert machine.did == [("upload", image, "/f", "ceph"), ("delete", "i1")]


def test_an_upload_that_arrived_otherwise_is_deleted_and_told() -> None:
    machine: Any = Machine(size=5)
    with pytest.raises(HoldfastError, match="not what was sent: active, 5 bytes instead of 9"):
        cloud.apply(machine, plan([]))
    assert machine.did[-1] == ("delete", "i1")


class Absent:
    """A machine before its cloud was made."""

    def use(self, path: str, cloud: str) -> None:
        assert (path, cloud) == ("/c.yaml", "lab")

    def exists(self, path: str) -> bool:
        return False

    def file_facts(self, path: str) -> dict[str, Any]:
        return FACTS


def test_a_cloud_that_was_never_made_is_empty() -> None:
    io: Any = Absent()
    found = cloud.read(io, cloud.question(WANTED))
    assert found == {"files": {"tiny": FACTS}, "images": {"tiny": []}}
