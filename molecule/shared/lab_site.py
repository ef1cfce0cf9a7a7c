# SPDX-License-Identifier: Apache-2.0
"""A scenario's lab as its tests see it: the hosts, and the playbooks run on them as an operator does."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
# A scenario without an inventory of its own has the lab of `make lab`.
OWN = (SCENARIO / "inventory").exists()
INVENTORY = SCENARIO / "inventory" if OWN else PROJECT / "inventory/lab"
LAB = (SCENARIO if OWN else PROJECT) / ".lab"


@dataclass(frozen=True)
class Run:
    """What ansible-playbook gave."""

    rc: int
    output: str

    def changes(self, since: str = "") -> list[str]:
        """The hosts on which tasks changed something, or would in check mode, from the play ``since`` on."""
        output = self.output.partition(f"PLAY [{since}]")[2] if since else self.output
        return re.findall(r"^changed: \[(\w+)", output, re.M)

    def recap(self) -> dict[str, int]:
        """How many tasks changed something, by host."""
        return {host: int(count) for host, count in re.findall(r"^(\S+) .*\bchanged=(\d+)", self.output, re.M)}


def play(playbook: Path, *arguments: str, inventory: Path = INVENTORY, **variables: Any) -> Run:
    """Run a playbook. ``variables`` override the inventory's."""
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            f"--inventory={inventory}",
            f"--extra-vars={json.dumps(variables)}",
            *arguments,
            playbook,
        ],
        cwd=PROJECT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            # Molecule forces colours, which would stand between the words that are looked for.
            "ANSIBLE_FORCE_COLOR": "0",
            # Its lines are not folded, and Run knows them.
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        },
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    return Run(done.returncode, done.stdout + done.stderr)


def wait(holds: Callable[[], Any], what: str, seconds: float = 600) -> None:
    """Until it holds. What does not answer yet, or fails an assertion, is waited for too: machines take their time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
            last = ""
        except (RuntimeError, AssertionError) as error:  # the former is what a host says that can not be reached
            last = f": {error}"
        if time.monotonic() > deadline:
            pytest.fail(f"Not within {seconds:g} s: {what}{last}")
        time.sleep(1)


class Site:
    """The hosts of the scenario's own inventory by name, and its playbooks."""

    def __init__(self, ssh_config: str) -> None:
        names = yaml.safe_load((INVENTORY / "hosts.yml").read_text())["all"]["hosts"]
        self.hosts = {name: testinfra.get_host(f"paramiko://{name}", ssh_config=ssh_config) for name in names}

    def play(self, playbook: str, *arguments: str, **variables: Any) -> Run:
        """Run one of the project's playbooks on the scenario's lab."""
        # An inventory elsewhere is of this lab too.
        return play(PROJECT / "playbooks" / playbook, *arguments, **{"lab_dir": str(LAB), **variables})

    def converge(self, *arguments: str, **variables: Any) -> Run:
        """Run the scenario's playbook."""
        return self.play(str(SCENARIO / "converge.yml"), *arguments, **variables)

    def everywhere(self, command: str) -> dict[str, str]:
        """What a command prints on each host."""
        return {name: host.run(command).stdout for name, host in self.hosts.items()}

    def content_of(self, name: str, disk: str) -> str:
        """The digest of a disk of a host, read on this machine: an emulated host takes minutes for one."""
        self.hosts[name].check_output("sync")
        with (LAB / f"disks/{name}/holdfast-lab-{disk}.img").open("rb") as image:
            return hashlib.file_digest(image, "sha256").hexdigest()

    def power(self, state: str, *names: str) -> None:
        """Restart hosts as an operator does, or have their power cut and back, until they have booted."""

        def told(command: str) -> list[str]:
            return [self.hosts[name].run(command).stdout.strip() for name in names]

        boot = "cat /proc/sys/kernel/random/boot_id"
        before = told(boot)
        run = self.play("lab_up.yml", f"--limit={','.join(names)}", lab_state=state)
        assert run.rc == 0, run.output
        wait(lambda: not {"", *before} & {*told(boot)}, f"{', '.join(names)} boot")
        # With all that starts at boot: what is asked next is not of a host that still boots.
        wait(lambda: {*told("systemctl is-system-running")} <= {"running", "degraded"}, f"{', '.join(names)} are up")
        assert told("systemctl --failed --no-legend") == [""] * len(names)
