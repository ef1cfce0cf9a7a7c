# SPDX-License-Identifier: Apache-2.0
"""A scenario's lab in which compute1 attaches what storage1 has, as its tests see it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from lab_site import PROJECT, Run, wait
from volume_site import VolumeSite

MIB = 1024 * 1024


class AttachedSite(VolumeSite):
    """The hosts and the API, and volumes that compute1 attaches."""

    def attach(
        self, volume: str, content: str, size: int, *, write: bool = False, multipath: bool = False, whole: int = 0
    ) -> Run:
        """Have compute1 attach a volume, write it first on demand, and find there what follows from a name.

        The first ``size`` bytes are looked at; ``whole`` is how many were to be written, where that was more.
        """
        wanted = hashlib.sha256(random.Random(content).randbytes(whole or size)[:size]).hexdigest()
        return self.play(
            str(PROJECT / "molecule/shared/attach.yml"),
            volume=volume,
            address=self.hosts["compute1"].interface("br-storage").addresses[0],
            multipath=multipath,
            seed=content if write else "",
            size=size,
            sha256=wanted,
        )

    def wait_for_service(self) -> None:
        """Until cinder-volume is up."""
        services = ("volume", "service", "list", "--service", "cinder-volume", "--format", "json")
        wait(lambda: {row["State"] for row in self.openstack(*services)} == {"up"}, "cinder-volume is up")


@contextlib.contextmanager
def cut(host: Any, packets: str, until: str) -> Iterator[Callable[[], int]]:
    """Have a host drop packets from when a shell condition holds there; gives how many it dropped.

    The host waits by itself, so that the cut comes in the middle of what the condition tells of.
    """
    host.check_output("nft 'add table inet cut; add chain inet cut input { type filter hook input priority 0; }'")
    script = f"until {until}; do sleep 0.05; done; exec nft add rule inet cut input {packets} counter drop"

    def dropped() -> int:
        listed = json.loads(host.check_output("nft --json list chain inet cut input"))["nftables"]
        parts = [part for entry in listed if "rule" in entry for part in entry["rule"]["expr"]]
        return sum(part["counter"]["packets"] for part in parts if "counter" in part)

    try:
        host.check_output(f"systemd-run --quiet --collect --expand-environment=no --unit=cut sh -c '{script}'")
        yield dropped
    finally:
        host.run("systemctl stop cut; nft delete table inet cut")


def refused_and_the_same(site: AttachedSite, disk: str, **variables: Any) -> None:
    """With these variables a disk of storage1 that holds something would be taken: it is refused and not written."""
    host = site.hosts["storage1"]
    host.check_output(f"mkfs.ext4 -q -F {disk} && sync")
    before = host.check_output(f"sha256sum {disk}")
    for playbook in ("preflight.yml", "site.yml"):
        run = site.play(playbook, **variables)
        assert run.rc != 0, run.output
        assert "disk.holds_data" in run.output
    assert host.check_output(f"sha256sum {disk}") == before
