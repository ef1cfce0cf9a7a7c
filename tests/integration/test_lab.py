# SPDX-License-Identifier: Apache-2.0
"""A lab of one bare host: it comes up, survives its own death, keeps others out, and leaves nothing.

Needs root and a machine on which no lab is up; takes about a minute with the image in the cache.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RUN = Path("/run/holdfast-lab")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a lab needs root")


def inventory(directory: Path) -> Path:
    """The default lab's inventory with one bare host, and a state directory beside it."""
    variables = yaml.safe_load((ROOT / "inventory/lab/group_vars/all/main.yml").read_text())
    variables |= {
        "lab_dir": str(directory / ".lab"),
        "lab_image_layer": "base",
        "lab_nics": {"eth0": "hf-mgmt", "eth1": "hf-storage"},
        "lab_disks": {"one": "300M", "two": "300M"},
    }
    directory.mkdir()
    (directory / "hosts.yml").write_text(
        yaml.safe_dump({"all": {"hosts": {"bare1": {"ansible_host": "172.29.236.11"}}, "vars": variables}})
    )
    return directory


def play(inventory: Path, playbook: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory / "hosts.yml"), *arguments]
    return subprocess.run(
        [*command, f"playbooks/{playbook}.yml"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "default"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def succeeds(inventory: Path, playbook: str, *arguments: str) -> str:
    done = play(inventory, playbook, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def on_host(inventory: Path, command: str) -> str:
    config = f"{inventory}/.lab/ssh/config"
    done = subprocess.run(
        ["ssh", "-F", config, "-oBatchMode=yes", "bare1", command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def output(*argv: str) -> set[str]:
    return set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines())


def machine() -> dict[str, set[str]]:
    """What a lab could leave behind on this machine."""
    groups = (path for mounted in Path("/sys/fs/cgroup").iterdir() for path in mounted.glob("*/holdfast*"))
    return {
        "links": {link["ifname"] for link in json.loads("".join(output("ip", "-json", "link")))},
        "addresses": output("ip", "-brief", "-4", "address"),
        "namespaces": output("ip", "netns"),
        # In a container the kernel lists those of its machine too, as lost.
        "loop devices": {
            x for x in output("losetup", "--noheadings", "--output", "NAME,BACK-FILE") if "(lost)" not in x
        },
        "mounts": set(Path("/proc/self/mounts").read_text().splitlines()),
        "rules": output("nft", "list", "ruleset"),
        "processes": {line for line in output("ps", "-eo", "args") if "holdfast-lab" in line or "172.29.236" in line},
        "control groups": {str(path) for path in groups} | {str(p) for p in Path("/sys/fs/cgroup").glob("*/holdfast*")},
        "forwarding": {Path("/proc/sys/net/ipv4/ip_forward").read_text()},
        "files": {str(path) for path in (RUN, Path("/var/lib/holdfast-lab")) if path.exists()},
    }


def lab_processes() -> set[int]:
    """Processes of all hosts: with systemd as PID 1 they are in a slice, else in a group made by hand."""
    patterns = ("holdfast.slice/holdfast-lab.slice", "*/holdfast-lab", "holdfast-lab")
    groups = [group for pattern in patterns for group in Path("/sys/fs/cgroup").glob(pattern)]
    files = [file for group in groups for file in group.rglob("cgroup.procs")]
    return {int(pid) for file in files for pid in file.read_text().split()}


@contextlib.contextmanager
def nothing_left(first: Path) -> Iterator[None]:
    before = machine()
    try:
        yield
    finally:
        done = play(first, "lab_down")
    assert done.returncode == 0, done.stdout
    after = machine()
    assert after == before
    assert not (first / ".lab").exists()


def test_a_lab_lives_dies_and_leaves_nothing(tmp_path: Path) -> None:
    assert not RUN.exists(), f"a lab is up: {(RUN / 'owner.json').read_text()}"
    first, second = inventory(tmp_path / "first"), inventory(tmp_path / "second")

    with nothing_left(first):
        assert "create bare1" in succeeds(first, "lab_up", "--check", "-v")
        assert not (first / ".lab/hosts").exists()

        succeeds(first, "lab_up")
        assert on_host(first, "systemctl is-system-running --wait").strip() == "running"
        assert on_host(first, "systemctl --failed --no-legend") == ""
        assert on_host(first, "ls /dev/disk/by-id").split() == ["holdfast-one", "holdfast-two"]
        assert on_host(first, "blockdev --getsize64 /dev/disk/by-id/holdfast-two").strip() == str(300 * 1024**2)
        on_host(first, "mkfs.ext4 -q /dev/disk/by-id/holdfast-one && echo kept > /root/file && sync")

        # What the roles install comes from the image: without a network it still installs.
        on_host(first, "ip route del default && apt-get install -y --no-install-recommends memcached")
        on_host(first, "ip route add default via 172.29.236.1 && apt-get update")

        # Again: nothing to do.
        assert "changed=0" in succeeds(first, "lab_up")

        # A second lab is kept out, and told by whom.
        refused = play(second, "lab_up")
        assert refused.returncode != 0
        assert str(first / ".lab") in refused.stdout
        refused = play(second, "lab_down")
        assert refused.returncode != 0
        assert on_host(first, "cat /root/file") == "kept\n"

        # It reboots itself, with its disks.
        booted = on_host(first, "cat /proc/sys/kernel/random/boot_id")
        succeeds(first, "lab_up", "-e", "lab_state=restarted")
        assert on_host(first, "cat /proc/sys/kernel/random/boot_id") != booted

        # All of it dies, and comes back over its remains.
        processes = lab_processes()
        assert processes
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        assert "changed=1" in succeeds(first, "lab_up")
        assert on_host(first, "cat /root/file") == "kept\n"
        assert on_host(first, "blkid -o value -s TYPE /dev/disk/by-id/holdfast-one").strip() == "ext4"

        # A dead lab holds nothing: another takes the machine, and clears what the first has left.
        for process in lab_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        succeeds(second, "lab_up")
        assert on_host(second, "test ! -e /root/file && echo new") == "new\n"
        succeeds(second, "lab_down")
        assert not (second / ".lab").exists()
        assert (first / ".lab/disks/bare1").exists()
