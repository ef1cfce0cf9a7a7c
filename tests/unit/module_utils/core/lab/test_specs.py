# SPDX-License-Identifier: Apache-2.0
"""What a lab's modules are told follows from an inventory's variables."""

from __future__ import annotations

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import specs

LAYERS = {"base": ["/a", "/b"], "packages": ["/p", "/a", "/b"], "kernel": ["/k"]}


def test_a_hosts_variables_become_its_specification() -> None:
    variables = {
        "inventory_hostname": "one",
        "ansible_host": "172.29.236.11",
        "networks_bridges": {"mgmt": {"cidr": "172.29.236.0/22", "gateway": "172.29.236.1"}},
        "lab_nics": {"eth0": "hf-mgmt"},
        "lab_image_layer": "base",
    }
    (spec,) = specs.specs([variables], LAYERS)
    assert spec == {
        "name": "one", "kind": "container", "memory": "2G", "cpus": 1,
        "address": "172.29.236.11/22", "gateway": "172.29.236.1",
        "nics": {"eth0": "hf-mgmt"}, "disks": {}, "devices": [], "layers": ["/a", "/b"],
    }  # fmt: skip


def test_a_virtual_machine_has_a_kernel_on_top() -> None:
    variables = {
        "inventory_hostname": "one",
        "ansible_host": "172.29.236.11",
        "networks_bridges": {"mgmt": {"cidr": "172.29.236.0/22"}},
        "lab_nics": {"eth0": "hf-mgmt"},
        "lab_kind": "vm",
        "lab_memory": "2G",
        "lab_cpus": 2,
    }
    (spec,) = specs.specs([variables], LAYERS)
    assert spec["layers"] == ["/k", "/p", "/a", "/b"]
    assert (spec["memory"], spec["cpus"]) == ("2G", 2)


def test_packages_are_those_that_descriptions_name() -> None:
    descriptions = [
        {"components": [{"packages": ["b", "a"]}, {}]},
        {"components": [{"packages": ["a", "{{ x }}"]}]},
        {},
    ]
    assert specs.packages(descriptions) == ["a", "b"]
