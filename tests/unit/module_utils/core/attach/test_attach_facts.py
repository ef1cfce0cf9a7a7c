# SPDX-License-Identifier: Apache-2.0
"""Which hosts attach which volumes in a verification."""

from __future__ import annotations

from ansible_collections.holdfast.storage.plugins.module_utils.core.attach import stories as attached
from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder.stories import VOLUME_SIZE
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases


def test_a_host_attaches_what_another_has() -> None:
    services = cases.deployed(cases.good("local"))
    found = attached.facts(services.model, services)
    assert {protocol: (one["type"], one["host"], one["ways"]) for protocol, one in found["protocols"].items()} == {
        "iscsi": ("local", "compute1", 2),
        "nvme": ("quick", "compute1", 1),
        "nfs": ("filer", "compute1", 1),
    }
    one = found["protocols"]["iscsi"]
    assert one["address"] == services.model.hosts["compute1"].addresses["storage"]
    assert one["mount_options"].startswith("nfsvers=4.2,")
    assert found["size"] == VOLUME_SIZE


def test_without_a_compute_host_there_is_the_filer_to_attach_and_nobody_for_the_others() -> None:
    services = cases.deployed(cases.changed({"base": "local", "remove": ["hosts/compute1", "groups/nova_compute"]}))
    found = attached.facts(services.model, services)["protocols"]
    assert {protocol: one["host"] for protocol, one in found.items()} == {"nfs": "storage1"}


def test_volumes_that_no_kernel_connects_are_attached_by_nobody() -> None:
    services = cases.deployed(cases.good("block"))
    assert attached.facts(services.model, services)["protocols"] == {}
