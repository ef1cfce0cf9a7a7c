# SPDX-License-Identifier: Apache-2.0
"""A scenario's lab with a volume service, as its tests see it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from lab_site import INVENTORY, LAB, Site, wait

# clouds.yaml calls the cloud after the deployment.
CLOUD = yaml.safe_load((INVENTORY / "group_vars/all/main.yml").read_text())["holdfast_deployment"]
CLOUDS = LAB / "clouds.yaml"


class VolumeSite(Site):
    """The hosts, and the API through the client that users have."""

    def openstack(self, *arguments: str) -> Any:
        """What the client says, as JSON where there is any."""
        done = subprocess.run(
            [Path(sys.executable).with_name("openstack"), "--os-cloud", CLOUD, *arguments],
            env={**os.environ, "OS_CLIENT_CONFIG_FILE": str(CLOUDS)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout

    def volume(self, name: str, *options: str) -> dict[str, Any]:
        """A new volume, when it is available."""
        self.openstack("volume", "create", "--size", "1", *options, name)
        return self.wait(name, status="available")

    def wait(self, name: str, **wanted: Any) -> dict[str, Any]:
        """The volume, when it is as wanted."""
        found: dict[str, Any] = {}

        def as_wanted() -> bool:
            found.update(self.openstack("volume", "show", "--format", "json", name))
            return wanted.items() <= found.items() or found["status"].startswith("error")

        wait(as_wanted, f"{name} is {wanted}")
        assert wanted.items() <= found.items(), found
        return found

    def wait_for_service(self) -> None:
        """Until cinder-volume is up."""
        services = ("volume", "service", "list", "--service", "cinder-volume", "--format", "json")
        wait(lambda: {row["State"] for row in self.openstack(*services)} == {"up"}, "cinder-volume is up")

    @contextlib.contextmanager
    def without(self, host: str, unit: str) -> Iterator[None]:
        """Kill a unit for good, and start it in the end."""
        self.hosts[host].check_output(f"systemctl kill -s KILL {unit}; systemctl stop {unit}")
        try:
            yield
        finally:
            self.hosts[host].check_output(f"systemctl start {unit}")
