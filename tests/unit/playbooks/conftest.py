# SPDX-License-Identifier: Apache-2.0
"""validate.yml as an operator runs it, with a trap where it would contact somebody."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

ROOT = cases.ROOT
MAIN = "group_vars/all/main.yml"


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ssh that leaves a mark when it is called."""
    directory = tmp_path_factory.mktemp("trap")
    for name in ("ssh", "scp", "sftp"):
        (directory / name).write_text(f"#!/bin/sh\ntouch {directory}/called\nexit 255\n")
        (directory / name).chmod(0o755)
    return directory


@pytest.fixture
def inventory(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    def write(content: dict[str, Any]) -> Path:
        (tmp_path / "group_vars/all").mkdir(parents=True)
        groups = {name: {"hosts": dict.fromkeys(members)} for name, members in content["groups"].items()}
        hosts = {name: own or {} for name, own in content["hosts"].items()}
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "children": groups}}))
        (tmp_path / MAIN).write_text(yaml.safe_dump(content["vars"]))
        return tmp_path

    return write


class Validate:
    """Runs validate.yml with arguments; its status, and all that it said. ``password`` is the file of the vault's."""

    def __init__(self, trap: Path, password: Path) -> None:
        self.trap = trap
        self.password = password

    def __call__(self, *arguments: object) -> tuple[int, str]:
        start = spent()
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", "playbooks/validate.yml", *map(str, arguments)],
            cwd=ROOT,
            env={
                **os.environ,
                "PATH": f"{self.trap}:{os.environ['PATH']}",
                "ANSIBLE_VAULT_PASSWORD_FILE": str(self.password),
                "ANSIBLE_NOCOLOR": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert spent() - start < 5
        assert not (self.trap / "called").exists()
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def validate(trap: Path, tmp_path_factory: pytest.TempPathFactory) -> Validate:
    password = tmp_path_factory.mktemp("vault") / "password"
    password.write_text("a password of this test")
    return Validate(trap, password)


def spent() -> float:
    """Seconds of processor time that commands have taken: a loaded machine does not lengthen them."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
