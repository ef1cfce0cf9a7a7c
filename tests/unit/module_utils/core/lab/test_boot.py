# SPDX-License-Identifier: Apache-2.0
"""What every host boots with: its own files, cables, and a control group that tells whose it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import boot, names
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.lab.lab_machine import machine


def test_a_host_boots_as_a_provisioning_system_leaves_it() -> None:
    spec = {"name": "one", "address": "10.0.0.1/22", "gateway": "10.0.0.254", "nics": {"eth0": "a", "eth1": "b"}}
    keys = {"authorized": "pub", "private": "secret", "public": "own"}
    files = boot.first_boot(spec, keys, "nameserver 10.0.0.53\n")
    network = files["/etc/systemd/network/80-provision.network"][1]
    assert "Name=eth0\n" in network
    assert "Address=10.0.0.1/22\nGateway=10.0.0.254\n" in network
    assert files["/etc/ssh/ssh_host_ed25519_key"] == ("0600", "secret")
    assert files["/root/.ssh/authorized_keys"] == ("0600", "pub")
    assert len(files["/etc/machine-id"][1].strip()) == 32
    assert "127.0.1.1" not in files["/etc/hosts"][1]


def test_hosts_do_not_ask_a_resolver_that_only_the_machine_reaches() -> None:
    io = machine(**{"/etc/resolv.conf": "# x\nsearch example\nnameserver 127.0.0.53\nnameserver 192.0.2.53\n"})
    assert boot.resolvers(io) == "search example\nnameserver 192.0.2.53\n"


@given(st.text(min_size=1, max_size=63), st.sampled_from(["eth0", "eth1", "eth2"]))
def test_links_have_names_that_the_kernel_takes(host: str, nic: str) -> None:
    assert len(names.link(host, nic)) <= 15
    assert names.link(host, nic) == names.link(host, nic)


def test_a_switch_passes_what_two_bonds_tell_each_other() -> None:
    assert boot.plug("one", "eth1", "hf-wire")[-1].endswith("type bridge_slave group_fwd_mask 0x4")


def test_a_host_without_its_layers_or_switches_does_not_start() -> None:
    spec = {"name": "one", "layers": ["/l/base"], "nics": {"eth0": "hf-mgmt"}}
    boot.check(machine(**{"/l/base/usr": "", "/sys/class/net/hf-mgmt": ""}), spec)
    with pytest.raises(HoldfastError, match="one can not start without /l/base, switch hf-mgmt"):
        boot.check(machine(), spec)
