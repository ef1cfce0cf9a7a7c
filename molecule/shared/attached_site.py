# SPDX-License-Identifier: Apache-2.0
"""A scenario's lab in which compute1 attaches what storage1 has, as its tests see it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

from lab_site import PROJECT, Run
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


# Disks of storage1, and how each comes to hold something.
FILLED = {
    "filled1": "mkfs.ext4 -q -F {0}",
    # One partition of 32 MiB from the first MiB on, as an MBR has it.
    "filled2": (
        "printf '\\0\\0\\2\\0\\203\\377\\377\\377\\0\\10\\0\\0\\0\\0\\1\\0' | dd of={0} bs=1 seek=446 conv=notrunc &&"
        " printf '\\125\\252' | dd of={0} bs=1 seek=510 conv=notrunc,fsync"
    ),
    # Not in LVM's own list of devices, as on a disk that came from another host.
    "filled3": "vgcreate --devices {0} others {0}",
}


def refused_and_the_same(site: AttachedSite, **variables: Any) -> None:
    """With these variables disks of storage1 would be taken that hold something: each is refused, none is written."""
    for disk, fill in FILLED.items():
        path = f"/dev/disk/by-id/holdfast-{disk}"
        site.hosts["storage1"].check_output(f"wipefs --all {path} && {fill.format(path)}")
    before = {disk: site.content_of("storage1", disk) for disk in FILLED}
    for playbook in ("preflight.yml", "site.yml"):
        run = site.play(playbook, **variables)
        assert run.rc != 0, run.output
        # A finding is one sentence after the other, and its code in brackets ends it.
        for disk in FILLED:
            refusal = rf"holdfast-{disk}: it [^\[]*\[(disk\.holds_data|volume_group\.member)\]"
            assert re.search(refusal, run.output), (disk, run.output)
    assert {disk: site.content_of("storage1", disk) for disk in FILLED} == before
