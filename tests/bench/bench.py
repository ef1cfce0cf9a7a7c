#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure what Holdfast costs, and fail when a budget is broken.

Runs against a converged lab on this machine, as root:

1. site.yml that changes nothing: wall time, CPU of the controller and of the hosts, task results.
2. site.yml that changes one option of one service, and the same back again.
3. plan.yml for 50 and 200 simulated hosts: model, probe, plan and grouping, all that a converged site.yml does.
   They stand beside the lab's own hosts, and are addresses of one sshd, that of a lab host, on an interface of its
   own: each gets its own questions and its own probe, and all answer with what that host has. What a fleet would do at
   once, one host does here, so wall time is bounded by this machine's processors.
4. site.yml, plan.yml and verify.yml on the lab when it is empty and when it is full (filling.py), and what the hosts
   do by themselves. The lab stays full; while it is, what the empty one cost is not measured again.

CPU of hosts is that of sshd and all it starts in each container, read from /proc before and after, so the services'
own housekeeping is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filling
import full
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TICK = os.sysconf("SC_CLK_TCK")
LINK = "hv-bench"
LINK_NETWORK = ipaddress.ip_network("198.18.0.0/24")  # RFC 2544: for benchmarks
FIRST = "172.29.237.1"
"""First address of the simulated hosts, in the lab's management network."""

RESULTS_PER_HOST = 5
CPU_PER_HOST = ((50, 0.75), (1, 1.5))
"""Seconds, by the least number of hosts: what the controller does once is shared by all."""
WALL = 6.0
CHANGE = 10.0


@dataclass(frozen=True)
class Measure:
    """One run. Times in seconds; ``results`` is the greatest number of task results of a host."""

    name: str
    wall: float
    controller: float
    remote: float
    hosts: int
    results: int
    changed: int

    @property
    def cpu_per_host(self) -> float:
        return (self.controller + self.remote) / self.hosts

    @property
    def row(self) -> tuple[str, ...]:
        figures = (self.wall, self.controller, self.remote, self.cpu_per_host)
        return (
            self.name,
            str(self.hosts),
            *(f"{value:.2f}" for value in figures),
            str(self.results),
            str(self.changed),
        )


class Processes:
    """The CPU of sshd and its descendants in the PID namespaces of some hosts."""

    def __init__(self, namespaces: Sequence[str]) -> None:
        self.namespaces = frozenset(namespaces)

    def seconds(self) -> float:
        """CPU seconds so far, of those that live and of all whose end their parents have seen."""
        parents, times, roots = {}, {}, set()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if os.readlink(entry / "ns/pid") not in self.namespaces:
                    continue
                name, _, fields = (entry / "stat").read_text().partition("(")[2].rpartition(")")
            except OSError:
                continue
            numbers = fields.split()
            pid = int(entry.name)
            parents[pid] = int(numbers[1])
            times[pid] = sum(map(int, numbers[11:15])) / TICK
            if name.startswith("sshd"):
                roots.add(pid)
        return sum(used for pid, used in times.items() if self._descends(pid, parents, roots))

    @staticmethod
    def _descends(pid: int, parents: dict[int, int], roots: set[int]) -> bool:
        while pid in parents:
            if pid in roots:
                return True
            pid = parents[pid]
        return False


def connections() -> float:
    """CPU seconds of the SSH connections that this machine keeps: they outlive the runs that opened them."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "cmdline").read_bytes().rstrip(b"\0").endswith(b"[mux]"):
                    total += sum(map(int, (entry / "stat").read_text().rpartition(")")[2].split()[11:13]))
    return total / TICK


def namespaces(inventory: Path) -> list[str]:
    """The PID namespaces of the inventory's hosts, which have to be on this machine."""
    asked = ["-m", "ansible.builtin.raw", "-a", "readlink /proc/1/ns/pid"]
    command = [str(BIN / "ansible"), "-i", str(inventory), "all", *asked]
    environment = {
        **os.environ,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.oneline",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
    }
    shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    found = [word for word in shown.replace("\\n", " ").split() if word.startswith("pid:[")]
    return [word[: word.index("]") + 1] for word in found]


def play(name: str, playbook: str, inventory: Path, processes: Processes, *arguments: str) -> Measure:
    """Run a playbook and measure it. Ends the benchmark when it fails."""
    with tempfile.TemporaryDirectory() as logs:
        environment = {**os.environ, "HOLDFAST_LOG_DIR": logs, "HOLDFAST_LIVE": "false"}
        if (inventory.parent / "ssh").is_dir():
            environment["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(inventory.parent / "ssh")
        command = [str(BIN / "ansible-playbook"), "-i", str(inventory), f"playbooks/{playbook}.yml", *arguments]
        before, kept, began = processes.seconds(), connections(), time.monotonic()
        with tempfile.TemporaryFile("w+") as output:
            child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            wall = time.monotonic() - began
            remote = processes.seconds() - before
            kept = connections() - kept
            output.seek(0)
            if child.returncode:
                said = [line[:500] for line in output.read().splitlines()]
                sys.exit("\n".join([f"{name}: {playbook}.yml failed:", *said[:12], "...", *said[-12:]]))
        summary: dict[str, Any] = json.loads(next(Path(logs).glob("*.json")).read_text())
    hosts = summary["hosts"]
    return Measure(
        name,
        wall,
        usage.ru_utime + usage.ru_stime + kept,
        remote,
        len(hosts),
        max(counts["results"] for counts in hosts.values()),
        sum(counts["changed"] for counts in hosts.values()),
    )


@contextlib.contextmanager
def simulated(count: int, inventory: Path, host: str) -> Iterator[Path]:
    """The lab's inventory with ``count`` more hosts, whose addresses all lead to ``host`` of the lab.

    The lab's own hosts are as they are, so rings, disks and secrets fit. The others are swift_proxy: packages, files,
    units, certificates, networks and firewall are read and planned for each of them.
    """
    first = int(ipaddress.ip_address(FIRST))
    addresses = [str(ipaddress.ip_address(first + number)) for number in range(count)]
    namespace = f"holdfast-{host}"
    near, far = (f"{LINK_NETWORK[number]}/{LINK_NETWORK.prefixlen}" for number in (1, 2))
    there = ["link set bench0 up", f"addr add {far} dev bench0"]
    there += [f"addr add {address}/32 dev bench0" for address in addresses]
    here = [f"addr add {near} dev {LINK}", f"link set {LINK} up"]
    here += [f"route add {address}/32 dev {LINK} src {LINK_NETWORK[1]}" for address in addresses]
    subprocess.run(["ip", "link", "del", LINK], check=False, capture_output=True)
    # One sshd stands for all of them: by default it turns connections away when ten log in at once.
    crowd = "/etc/ssh/sshd_config.d/bench.conf"
    on_the_host = ["ssh", "-F", str(inventory.resolve().parents[1] / ".lab/ssh/config"), host]
    subprocess.run([*on_the_host, f"echo MaxStartups {count + 10} > {crowd} && systemctl reload ssh"], check=True)
    subprocess.run(
        ["ip", "link", "add", LINK, "type", "veth", "peer", "name", "bench0", "netns", namespace], check=True
    )
    try:
        subprocess.run(["ip", "-n", namespace, "-batch", "-"], input="\n".join(there), text=True, check=True)
        subprocess.run(["ip", "-batch", "-"], input="\n".join(here), text=True, check=True)
        with tempfile.TemporaryDirectory() as directory:
            write_inventory(Path(directory), addresses, inventory, host)
            yield Path(directory) / "inventory"
            for socket in (Path(directory) / "ssh").iterdir():
                command = ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "simulated"]
                subprocess.run(command, check=False, capture_output=True)
    finally:
        subprocess.run(["ip", "link", "del", LINK], check=True)
        subprocess.run([*on_the_host, f"rm {crowd} && systemctl reload ssh"], check=True)


def write_inventory(directory: Path, addresses: Sequence[str], inventory: Path, host: str) -> None:
    """A copy of the lab's inventory, with its own run directory, and the simulated hosts beside."""
    copy = directory / "inventory"
    shutil.copytree(inventory, copy)
    lab = inventory.resolve().parents[1] / ".lab"
    known = (lab / "ssh/known_hosts").read_text().splitlines()
    own = subprocess.run(
        [BIN / "ansible-inventory", "-i", inventory, "--host", host], cwd=ROOT, capture_output=True, check=True
    )
    address = json.loads(own.stdout)["ansible_host"]
    key = next(line.split(None, 1)[1] for line in known if address in line.split()[0].split(","))
    (directory / "known_hosts").write_text("".join(f"{address} {key}\n" for address in addresses))
    (directory / "ssh").mkdir()
    places = {"lab_dir": str(lab), "holdfast_run_dir": str(directory / "run"), "holdfast_artifacts_dir": ""}
    variables = copy / "group_vars/all/main.yml"
    variables.write_text(yaml.safe_dump({**yaml.safe_load(variables.read_text()), **places}))
    options = f"-o UserKnownHostsFile={directory}/known_hosts -o StrictHostKeyChecking=yes"
    shared = {
        "ansible_ssh_common_args": f"{options} -o IdentitiesOnly=yes",
        "networks_ports": {"mgmt": {"interface": "eth0"}, "storage": {"interface": "eth1"}},
    }
    hosts = {f"sim{number:03d}": {"ansible_host": address} for number, address in enumerate(addresses)}
    (copy / "group_vars/simulated.yml").write_text(json.dumps(shared))
    group = {"children": {"simulated": {"hosts": hosts}}}
    (copy / "simulated.json").write_text(json.dumps({"all": {"children": {"swift_proxy": group}}}))


def table(measures: Sequence[Measure]) -> str:
    head = ("run", "hosts", "wall s", "controller CPU s", "hosts CPU s", "CPU s a host", "results a host", "changed")
    rows = [head, *(measure.row for measure in measures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = []
    for row in rows:
        cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append("  ".join((row[0].ljust(widths[0]), *cells)))
    return "\n".join(lines)


def too_costly(measure: Measure) -> list[str]:
    """What the run costs beyond its budget for each host."""
    problems = []
    if measure.results > RESULTS_PER_HOST:
        problems.append(f"{measure.name}: {measure.results} task results a host, {RESULTS_PER_HOST} at most.")
    most = next(seconds for hosts, seconds in CPU_PER_HOST if measure.hosts >= hosts)
    if measure.cpu_per_host > most:
        problems.append(f"{measure.name}: {measure.cpu_per_host:.2f} CPU-seconds a host, {most} at most.")
    return problems


def too_slow(converged: Measure) -> list[str]:
    """What is wrong with a run that should do nothing, and quickly."""
    problems = too_costly(converged)
    if converged.changed:
        problems.append(f"The converged run changed {converged.changed} things.")
    if converged.wall > WALL:
        problems.append(f"{converged.name}: {converged.wall:.1f} s, {WALL:g} at most.")
    return problems


def too_slow_changes(converged: Measure, changes: Sequence[Measure]) -> list[str]:
    """Changes of one option that took too much longer, or changed nothing and so measured nothing."""
    problems = []
    for measure in changes:
        if measure.wall - converged.wall > CHANGE:
            problems.append(f"{measure.name}: {measure.wall - converged.wall:.1f} s more, {CHANGE:g} at most.")
        if not measure.changed:
            problems.append(f"{measure.name}: nothing was changed, so nothing was measured.")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, default=Path("inventory/lab"))
    parser.add_argument("--simulate", type=int, nargs="*", default=[50, 200], help="numbers of simulated hosts")
    parser.add_argument("--on", default="storage3", help="the lab's host that stands for simulated ones")
    parser.add_argument("--only", choices=["lab", "simulated", "full"], help="one part of it")
    chosen = parser.parse_args()
    processes = Processes(namespaces(chosen.inventory))
    measures, problems = [], []
    if chosen.only in (None, "lab"):
        converged, *changes = on_the_lab(chosen.inventory, processes)
        measures += [converged, *changes]
        problems += too_slow(converged) + too_slow_changes(converged, changes)
    if chosen.only in (None, "simulated"):
        for count in chosen.simulate:
            with simulated(count, chosen.inventory, chosen.on) as inventory:
                measures.append(play(f"plan, {count} simulated", "plan", inventory, processes, "--check"))
            problems += too_costly(measures[-1])
    if chosen.only in (None, "full"):
        runs, found = empty_and_full(chosen.inventory, processes)
        measures += runs
        problems += found
    print(table(measures))
    print("\n".join(problems) if problems else "Every budget holds.")
    return 1 if problems else 0


def on_the_lab(inventory: Path, processes: Processes) -> list[Measure]:
    """A converged run, the faster of two, then an option changed and changed back."""
    play("warm up", "site", inventory, processes)
    runs = [play("converged", "site", inventory, processes) for _ in range(2)]
    option = json.dumps({"glance_conf_overrides": {"DEFAULT": {"limit_param_default": 26}}})
    return [
        min(runs, key=lambda measure: measure.wall),
        play("one option changed", "site", inventory, processes, "-e", option),
        play("and changed back", "site", inventory, processes),
    ]


def empty_and_full(inventory: Path, processes: Processes) -> tuple[Sequence[Measure], Sequence[str]]:
    """Runs on the lab when it is empty and when it is full, and what is wrong."""
    lab = inventory.resolve().parents[1] / ".lab"
    try:
        return full.compare(
            filling.of_deployment(lab),
            lambda name, playbook: play(name, playbook, inventory, processes),
            lab / "bench.json",
        )
    except filling.HoldfastError as error:
        return [], [str(error)]


if __name__ == "__main__":
    sys.exit(main())
