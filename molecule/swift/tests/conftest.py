# SPDX-License-Identifier: Apache-2.0
"""The lab as the tests see it: its hosts, the playbook, and a fingerprint of all that must not change."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml

SCENARIO = Path(__file__).resolve().parents[1]
PROJECT = SCENARIO.parents[1]
STORAGE = ("storage1", "storage2", "storage3")
SWIFT = ("control1", *STORAGE)
# Rings and builders, and what the disks carry, without what a mounted file system changes by itself.
FINGERPRINT = (
    "sha256sum /etc/swift/*.builder /etc/swift/*.ring.gz;"
    " wipefs --no-act --json --output TYPE,LABEL,UUID /dev/disk/by-id/holdfast-*; findmnt -rno TARGET,SOURCE -t xfs"
)


@dataclass
class Run:
    """What ansible-playbook gave."""

    rc: int
    output: str

    def changes(self) -> list[str]:
        """The hosts whose disks or rings it changed, or would in check mode."""
        return re.findall(r"^changed: \[(\w+)\]", self.output.partition("PLAY [Devices]")[2], re.M)


class Site:
    """The hosts by name, and the playbook."""

    def __init__(self, ssh_config: str) -> None:
        self.ssh_config = ssh_config
        self.hosts = {name: testinfra.get_host(f"ssh://{name}", ssh_config=ssh_config) for name in SWIFT}

    def converge(self, *arguments: str, inventory: Path = SCENARIO / "inventory", **variables: Any) -> Run:
        """Run the scenario's playbook. ``variables`` override the inventory's."""
        variables.setdefault("lab_dir", str(SCENARIO / ".lab"))
        done = subprocess.run(
            [
                Path(sys.executable).with_name("ansible-playbook"),
                f"--inventory={inventory}",
                f"--extra-vars={json.dumps(variables)}",
                *arguments,
                SCENARIO / "converge.yml",
            ],
            cwd=PROJECT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
                # Molecule forces colours, which would stand between the words that are looked for.
                "ANSIBLE_FORCE_COLOR": "0",
                # Its lines are not folded, and Run.changes knows them.
                "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(done.returncode, done.stdout + done.stderr)

    def everywhere(self, command: str) -> dict[str, str]:
        """What a command prints on each host."""
        return {name: host.run(command).stdout for name, host in self.hosts.items()}

    def fingerprint(self) -> dict[str, str]:
        """Of all rings, builders and disks. Two that are equal: nothing was written between."""
        return self.everywhere(FINGERPRINT)

    def another_inventory(self, directory: Path) -> Path:
        """A copy of the inventory, with its secrets and addresses, to be changed."""
        return Path(shutil.copytree(SCENARIO / "inventory", directory / "inventory"))


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Site:
    return Site(request.config.getoption("--ssh-config"))


def rewrite(path: Path, change: Any) -> None:
    """A YAML file with ``change`` applied to what it holds."""
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
