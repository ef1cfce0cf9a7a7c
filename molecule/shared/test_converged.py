# SPDX-License-Identifier: Apache-2.0
"""What holds in every scenario: on converged hosts, check mode finds nothing to do."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])


def test_check_mode_finds_nothing_to_do() -> None:
    own = SCENARIO / "inventory"
    playbook = SCENARIO / "converge.yml"
    inventory = own if own.exists() else ROOT / "inventory" / "lab"
    done = subprocess.run(
        ["ansible-playbook", f"--inventory={inventory}", "--check", "--diff",
         str(playbook if playbook.exists() else ROOT / "playbooks" / "site.yml")],
        cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "default",
             "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    recap = re.findall(r"^(\S+) .*\bchanged=(\d+)", done.stdout, re.M)
    assert recap, done.stdout
    assert {host: changed for host, changed in recap if changed != "0"} == {}, done.stdout
