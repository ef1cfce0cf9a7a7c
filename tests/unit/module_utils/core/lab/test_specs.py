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


def test_a_hosts_devices_are_handed_on() -> None:
    variables = {
        "inventory_hostname": "one",
        "ansible_host": "172.29.236.11",
        "networks_bridges": {"mgmt": {"cidr": "172.29.236.0/22"}},
        "lab_nics": {"eth0": "hf-mgmt"},
        "lab_devices": ["/dev/net/tun"],
    }
    assert specs.specs([variables], LAYERS)[0]["devices"] == ["/dev/net/tun"]


def test_an_image_without_a_file_is_the_guest_in_its_format() -> None:
    entries = [{"name": "tiny"}, {"name": "tiny2", "format": "qcow2", "store": "ceph"}, {"name": "own", "file": "/f"}]
    assert specs.images(entries, {"raw": "/g.raw", "qcow2": "/g.qcow2"}) == [
        {"name": "tiny", "file": "/g.raw", "format": "raw"},
        {"name": "tiny2", "file": "/g.qcow2", "format": "qcow2", "store": "ceph"},
        {"name": "own", "file": "/f", "format": "raw"},
    ]
