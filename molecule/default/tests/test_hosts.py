# SPDX-License-Identifier: Apache-2.0
"""The hosts of the default lab, as the kernel and systemd see them."""

from __future__ import annotations

import json
from typing import Any

import pytest

BRIDGES = {
    "control1": {"br-mgmt", "br-storage"},
    "storage1": {"br-mgmt", "br-storage", "br-repl"},
    "storage2": {"br-mgmt", "br-storage", "br-repl"},
    "storage3": {"br-mgmt", "br-storage", "br-repl"},
    "compute1": {"br-mgmt", "br-storage"},
    "compute2": {"br-mgmt", "br-storage"},
}


def test_no_unit_has_failed(host: Any) -> None:
    assert host.check_output("systemctl --failed --no-legend") == ""
    assert host.check_output("systemctl is-system-running") == "running"


def test_each_bridge_has_its_port_and_address(host: Any) -> None:
    links = json.loads(host.check_output("ip -json -details address show"))
    bridges = {link["ifname"]: link for link in links if link.get("linkinfo", {}).get("info_kind") == "bridge"}
    assert set(bridges) == BRIDGES[host.check_output("hostname")]
    for name, bridge in bridges.items():
        assert [link["ifname"] for link in links if link.get("master") == name], f"{name} has no port"
        assert [a for a in bridge["addr_info"] if a["family"] == "inet"], f"{name} has no address"
    bare = [link["ifname"] for link in links if link["ifname"].startswith("eth") and link["addr_info"]]
    assert bare == [], "an address stands on a port instead of its bridge"


def test_nothing_listens_on_all_addresses_but_ssh(host: Any) -> None:
    listeners = host.check_output("ss -Hltnp").splitlines()
    everywhere = {line for line in listeners if line.split()[3].rpartition(":")[0] in ("0.0.0.0", "*", "[::]")}
    assert {line for line in everywhere if '"sshd"' not in line} == set()


@pytest.mark.parametrize("disk", ["swift1", "swift2"])
def test_disks_are_mounted_where_swift_looks(host: Any, disk: str) -> None:
    if not host.check_output("hostname").startswith("storage"):
        assert not host.file("/srv/node").exists
        return
    mounted = json.loads(host.check_output(f"findmnt --json --output TARGET,FSTYPE,SOURCE /srv/node/{disk}"))
    entry = mounted["filesystems"][0]
    assert entry["fstype"] == "xfs"
    assert host.check_output(f"realpath /dev/disk/by-id/holdfast-{disk}") == entry["source"]
