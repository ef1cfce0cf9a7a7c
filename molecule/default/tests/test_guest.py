# SPDX-License-Identifier: Apache-2.0
"""The image of the lab's guest: left in the cloud once, with the content of its file."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from lab_site import LAB, PROJECT, play


def openstack(*command: str) -> Any:
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(LAB / "clouds.yaml")}
    argv = [str(Path(sys.executable).with_name("openstack")), "--os-cloud", "lab", *command, "--format=json"]
    return json.loads(subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout)


def test_it_is_left_once_and_whole() -> None:
    for _ in range(2):
        run = play(PROJECT / "playbooks/lab_images.yml")
        assert run.rc == 0, run.output
    assert run.changes() == [], run.output
    (image,) = openstack("image", "list", "--name=tiny", "--status=active")
    shown = openstack("image", "show", image["ID"])
    (guest,) = Path("/var/cache/holdfast/guests").glob("tiny-*/tiny.raw")
    assert shown["size"] == guest.stat().st_size <= 32 * 1024**2
    assert shown["properties"]["os_hash_value"] == hashlib.sha512(guest.read_bytes()).hexdigest()
