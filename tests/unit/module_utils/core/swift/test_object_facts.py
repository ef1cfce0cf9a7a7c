# SPDX-License-Identifier: Apache-2.0
"""What the stories of objects are told of a deployment."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.swift import stories as object_store
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

CODED = {
    "type": "erasure_coding",
    "ec_data_fragments": 2,
    "ec_parity_fragments": 1,
    "ec_type": "liberasurecode_rs_vand",
}
WHOLE = {"index": 0, "name": "whole", "type": "replication", "replicas": 3, "default": True}


def facts(*policies: dict[str, Any]) -> dict[str, Any]:
    services = cases.deployed(cases.changed({"base": "lab", "set": {"vars/swift_policies": [WHOLE, *policies]}}))
    return object_store.facts(services.model, services)


def test_the_storage_hosts_and_their_ports_are_those_of_the_table() -> None:
    found = facts()
    assert found["hosts"] == {f"172.29.244.{number}": f"storage{number - 20}" for number in (21, 22, 23)}
    assert found["mgmt_addresses"] == ["172.29.236.21", "172.29.236.22", "172.29.236.23"]
    assert {6200, 6201, 6202, 6210, 873} <= set(found["ports"])
    assert set(found["objects"].values()) >= {object_store.REPLICATED, object_store.CODED, object_store.MISSED}


def test_coded_objects_go_to_the_first_policy_that_takes_new_ones() -> None:
    assert facts()["policy"] is None
    old = {**CODED, "index": 1, "name": "old", "deprecated": True}
    assert facts(old)["policy"] is None
    new = {**CODED, "index": 2, "name": "new"}
    assert facts(old, new)["policy"] == {"name": "new", "data": 2, "parity": 1}


def test_the_servers_of_both_networks_and_a_proxy_itself_are_told() -> None:
    found = facts()
    assert found["proxy"] == "http://172.29.236.11:8080"
    assert found["servers"]["asked_on"] == [6200, 6201, 6202]
    assert {"172.29.244.21", "172.29.248.23"} <= set(found["servers"]["addresses"])
