# SPDX-License-Identifier: Apache-2.0
"""Disks that people name to give them up."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.destroy.naming import named
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import DISKS
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

ONE, TWO, FOUR = (f"/dev/disk/by-id/wwn-{number}" for number in (1, 2, 4))


@pytest.fixture(scope="module")
def model() -> Model:
    model, _ = cases.build(cases.raw(cases.good("local")))
    assert model
    return model


def test_each_disk_that_is_named_is_given_to_its_host_once(model: Model) -> None:
    names = [f"storage1:{ONE}", f"storage1:{TWO}", f"storage1:{ONE}", f"storage1:{FOUR}"]
    # Of volume groups and of the server of files.
    assert named(model, names, DISKS) == {"storage1": [ONE, TWO, FOUR]}


def test_disks_of_osds_are_named_with_their_databases() -> None:
    variables = {"ceph_osds": [{"device": ONE, "db_device": TWO}]}
    assert [disk.device for find in DISKS for disk in find(variables)] == [ONE, TWO]


@pytest.mark.parametrize("wrong", [[f"compute1:{ONE}"], ["storage9:/dev/sda"], [ONE], "storage1:/dev/sda"])
def test_only_disks_of_the_inventory_can_be_named(model: Model, wrong: Any) -> None:
    with pytest.raises(HoldfastError, match=r"nothing was changed\. Fix: "):
        named(model, wrong, DISKS)
