# SPDX-License-Identifier: Apache-2.0
"""The lab as the tests see it: its hosts, the playbook, and what must not change when it refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml

SCENARIO = Path(__file__).resolve().parents[1]
PROJECT = SCENARIO.parents[1]
HOSTS = tuple(yaml.safe_load((SCENARIO / "inventory/hosts.yml").read_text())["all"]["hosts"])
# Without what Ceph changes by itself.
FINGERPRINT = (
    "for what in 'config dump' 'auth ls' 'osd pool ls detail' 'osd crush dump' 'osd ls'; do"
    " ceph $what -f json | sha256sum; done; ceph mon dump 2>/dev/null | grep -c mon."
)


@dataclass
class Run:
    """What ansible-playbook gave."""

    rc: int
    output: str

    def changes(self) -> list[str]:
        """The hosts on which it changed something, or would in check mode."""
        return re.findall(r"^changed: \[(\w+)\]", self.output, re.M)


class Site:
    """The hosts by name, and the playbook."""

    def __init__(self, ssh_config: str) -> None:
        self.hosts = {name: testinfra.get_host(f"ssh://{name}", ssh_config=ssh_config) for name in HOSTS}

    def converge(self, *arguments: str, **variables: Any) -> Run:
        """Run the scenario's playbook. ``variables`` override the inventory's."""
        variables.setdefault("lab_dir", str(SCENARIO / ".lab"))
        done = subprocess.run(
            [
                Path(sys.executable).with_name("ansible-playbook"),
                f"--inventory={SCENARIO / 'inventory'}",
                f"--extra-vars={json.dumps(variables)}",
                *arguments,
                SCENARIO / "converge.yml",
            ],
            cwd=PROJECT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                # Its lines are not folded, and Run.changes knows them.
                "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(done.returncode, done.stdout + done.stderr)

    def ceph(self, command: str) -> Any:
        """What `ceph COMMAND` answers on the first host, as JSON."""
        return json.loads(self.hosts[HOSTS[0]].check_output(f"ceph --connect-timeout 20 {command} --format json"))

    def wait(self, what: str, seconds: float = 180) -> None:
        """Until the cluster's health is ``what`` with every placement group clean."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.ceph("status")
            states = {state["state_name"] for state in status["pgmap"].get("pgs_by_state", ())}
            if status["health"]["status"] == what and states == {"active+clean"}:
                return
            time.sleep(1)
        pytest.fail(f"Not {what} within {seconds:g} s: {status['health']}, {states}")

    def fingerprint(self) -> str:
        """Of all that a run may change in the cluster. Two that are equal: nothing was changed between."""
        return str(self.hosts[HOSTS[0]].check_output(FINGERPRINT))


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Site:
    return Site(request.config.getoption("--ssh-config"))
