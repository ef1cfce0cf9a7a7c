#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure what Holdfast takes for a Ceph cluster against the same cluster typed by hand, and fail over the budget.

On fresh hosts that have the packages, three with a monitor and a disk each:

1. by hand: the commands of Ceph's manual, on all hosts at once where nothing speaks against it.
2. on fresh hosts again: site.yml, with networks, firewall and all else that an inventory asks for.
3. site.yml once more, which changes nothing.

Time ends when all placement groups are active and clean, as the monitors say. Hosts are the lab of molecule/ceph; other
ones are brought up by --up and taken away by --down, commands that are given the inventory's directory. They are up
afterwards, to be looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

RATIO = 3.0
CONVERGED_SECONDS = 5.0


class Hosts:
    """The inventory's hosts, over one SSH connection each."""

    def __init__(self, inventory: Path) -> None:
        wanted = (
            "ansible_host ansible_ssh_private_key_file networks_bridges networks_ports ceph_osds ceph_pools "
            "ceph_filesystems group_names"
        )
        pairs = ", ".join(f"'{name}': {name} | default(none)" for name in wanted.split())
        asked = ["-m", "ansible.builtin.debug", "-a", f"msg={{{{ {{{pairs}}} }}}}"]
        done = _run([str(BIN / "ansible"), "all", "-i", str(inventory), *asked])
        self.variables: dict[str, dict[str, Any]] = {
            name: json.loads(text)["msg"]
            for name, text in re.findall(r"^(\S+) \| SUCCESS => (\{.*?^\})", done.stdout, re.M | re.S)
        }
        self.groups = {
            group: sorted(name for name, own in self.variables.items() if group in own["group_names"])
            for group in ("ceph_mon", "ceph_mgr", "ceph_osd", "ceph_mds")
        }
        self.names = sorted({name for members in self.groups.values() for name in members})

    def ssh(self, name: str, script: str) -> str:
        """Run a script on a host. Raises CalledProcessError with what it said."""
        own = self.variables[name]
        host = own["ansible_host"]
        options = ["-i", own["ansible_ssh_private_key_file"], "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
                   "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ControlMaster=auto",
                   "-o", "ControlPath=/tmp/holdfast-bench-%C", "-o", "ControlPersist=60"]  # fmt: skip
        return _run(["ssh", *options, f"root@{host}", "sh -eu"], stdin=script).stdout

    def each(self, names: Sequence[str], script: Callable[[int, str], str]) -> None:
        """The script of each host, at once."""
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(lambda place: self.ssh(names[place], script(place, names[place])), range(len(names))))

    def wait_clean(self, groups: int, seconds: float = 300) -> None:
        """Until so many placement groups are active and clean."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                status = json.loads(self.ssh(self.groups["ceph_mon"][0], "ceph --connect-timeout 5 status -f json"))
            except subprocess.CalledProcessError:
                continue
            states = {state["state_name"]: state["count"] for state in status["pgmap"].get("pgs_by_state", ())}
            if set(states) == {"active+clean"} and states["active+clean"] >= groups:
                return
            time.sleep(0.3)
        raise SystemExit(f"Not clean within {seconds:g} s.")


def _run(argv: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:], sep="\n", file=sys.stderr)
        done.check_returncode()
    return done


def by_hand(hosts: Hosts) -> None:
    """What a person types who knows it by heart: no checks, no firewall, nothing that could be run again."""
    mons, mgr, osds = hosts.groups["ceph_mon"], hosts.groups["ceph_mgr"][0], hosts.groups["ceph_osd"]
    variables = hosts.variables[mons[0]]
    networks = {name: variables["networks_bridges"][name]["cidr"].rpartition(".")[0] for name in ("storage", "repl")}
    last = {name: hosts.variables[name]["ansible_host"].rpartition(".")[2] for name in hosts.names}

    def bridgeless(name: str) -> str:
        ports = {network: hosts.variables[name]["networks_ports"][network]["interface"] for network in networks}
        return "\n".join(
            f"ip addr add {networks[network]}.{last[name]}/24 dev {port}; ip link set {port} up"
            for network, port in ports.items()
        )

    hosts.each(hosts.names, lambda _, name: bridgeless(name))
    _monitors(hosts, networks, {name: f"{networks['storage']}.{last[name]}" for name in mons})
    hosts.ssh(
        mgr,
        f"""mkdir -p /var/lib/ceph/mgr/ceph-{mgr}
ceph auth get-or-create mgr.{mgr} mon 'allow profile mgr' osd 'allow *' mds 'allow *' \\
  > /var/lib/ceph/mgr/ceph-{mgr}/keyring
chown -R ceph /var/lib/ceph/mgr; systemctl start ceph-mgr@{mgr}
""",
    )
    _osds(hosts, osds)
    for pool in variables["ceph_pools"]:
        hosts.ssh(
            mons[0],
            "ceph osd pool create {name} {pg_num}; ceph osd pool application enable {name} {application}".format_map(
                pool
            ),
        )
    for files in variables["ceph_filesystems"] or ():
        hosts.ssh(mons[0], "ceph fs new {name} {metadata_pool} {data_pool}".format_map(files))
    for mds in hosts.groups["ceph_mds"]:
        hosts.ssh(
            mds,
            f"""mkdir -p /var/lib/ceph/mds/ceph-{mds}
ceph auth get-or-create mds.{mds} mon 'profile mds' mgr 'profile mds' osd 'allow rw tag cephfs *=*' mds 'allow' \\
  > /var/lib/ceph/mds/ceph-{mds}/keyring
chown -R ceph /var/lib/ceph/mds; systemctl start ceph-mds@{mds}
""",
        )


def _monitors(hosts: Hosts, networks: Mapping[str, str], addresses: Mapping[str, str]) -> None:
    """Keys, a map, configuration on all hosts, and monitors at their addresses."""
    first = next(iter(addresses))
    fsid = "5d5ab0c5-6f3c-4f0e-8f0e-2a4a1d6d2a3b"
    conf = f"""[global]
fsid = {fsid}
mon_host = {",".join(f"[v2:{address}:3300]" for address in addresses.values())}
public_network = {networks["storage"]}.0/24
cluster_network = {networks["repl"]}.0/24
ms_bind_msgr1 = false
osd_memory_target = 939524096
osd_pool_default_pg_autoscale_mode = off
"""
    members = " ".join(f"--addv {name} '[v2:{address}:3300]'" for name, address in addresses.items())
    hosts.ssh(
        first,
        f"""mkdir -p /tmp/k; cd /tmp/k
ceph-authtool --create-keyring mon --gen-key -n mon. --cap mon 'allow *'
ceph-authtool --create-keyring admin --gen-key -n client.admin \\
  --cap mon 'allow *' --cap osd 'allow *' --cap mds 'allow *' --cap mgr 'allow *'
ceph-authtool --create-keyring osd --gen-key -n client.bootstrap-osd \\
  --cap mon 'profile bootstrap-osd' --cap mgr 'allow r'
ceph-authtool mon --import-keyring admin; ceph-authtool mon --import-keyring osd
monmaptool --create --fsid {fsid} {members} monmap
""",
    )
    files = {name: hosts.ssh(first, f"base64 -w0 /tmp/k/{name}") for name in ("mon", "admin", "osd", "monmap")}
    unpack = "mkdir -p /tmp/k; cd /tmp/k; " + " ".join(
        f"echo {text} | base64 -d > {name};" for name, text in files.items()
    )
    hosts.each(
        hosts.names,
        lambda _, name: (
            f"""{unpack}
printf '%s' '{conf}' > /etc/ceph/ceph.conf
cp admin /etc/ceph/ceph.client.admin.keyring; cp osd /var/lib/ceph/bootstrap-osd/ceph.keyring
chown -R ceph /tmp/k
[ -z "{name if name in addresses else ""}" ] || {{
su -s /bin/sh ceph -c 'ceph-mon --mkfs -i {name} --monmap /tmp/k/monmap --keyring /tmp/k/mon'
systemctl start ceph-mon@{name}; }}
"""
        ),
    )


def _osds(hosts: Hosts, names: list[str]) -> None:
    hosts.each(
        names,
        lambda _, name: "\n".join(
            f"""device=$(readlink -f {osd["device"]})
ceph-volume raw prepare --bluestore --data $device --crush-device-class {osd.get("class", "hdd")} --no-tmpfs
id=$(ceph-volume raw list $device | sed -n 's/.*"osd_id": \\([0-9]*\\).*/\\1/p'); chown ceph $device
systemctl start ceph-osd@$id"""
            for osd in hosts.variables[name]["ceph_osds"]
        ),
    )


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inventory", type=Path, default=ROOT / "molecule/ceph/inventory")
    lab = f"{BIN}/ansible-playbook -i %s {ROOT}/playbooks/lab_{{}}.yml"
    parser.add_argument("--up", default=lab.format("up"), help="brings up fresh hosts; %%s is the inventory")
    parser.add_argument("--down", default=lab.format("down"), help="takes them away, with their disks")
    arguments = parser.parse_args()
    inventory = str(arguments.inventory)
    hosts = Hosts(arguments.inventory)
    # Without the scenario's client, which has no part in a cluster that is typed.
    site = [str(BIN / "ansible-playbook"), "-i", inventory, "--limit", ",".join(hosts.names)]
    site.append(str(ROOT / "playbooks/site.yml"))

    def fresh() -> None:
        for command in (arguments.down, arguments.up):
            _run(["sh", "-c", command.replace("%s", inventory)])

    def measured(*steps: Callable[[], object]) -> float:
        began = time.monotonic()
        for step in steps:
            step()
        return time.monotonic() - began

    groups = sum(pool["pg_num"] for pool in hosts.variables[hosts.names[0]]["ceph_pools"])
    fresh()
    hand = measured(lambda: by_hand(hosts), lambda: hosts.wait_clean(groups))
    fresh()
    ours = measured(lambda: _run(site), lambda: hosts.wait_clean(groups))
    again = measured(lambda: _run(site))
    load = os.getloadavg()[0]
    print(f"{len(hosts.names)} hosts, {groups} placement groups, load {load:.1f}")
    print(f"by hand      {hand:6.1f} s")
    print(f"site.yml     {ours:6.1f} s   {ours / hand:.2f} times (budget {RATIO:g})")
    print(f"converged    {again:6.1f} s   (budget {CONVERGED_SECONDS:g} s)")
    fresh_enough = ours <= RATIO * hand and again <= CONVERGED_SECONDS
    return 0 if fresh_enough else 1


if __name__ == "__main__":
    sys.exit(main())
