# SPDX-License-Identifier: Apache-2.0
"""OSDs on logical volumes, as ceph-volume makes them: it tags the volumes, encrypts them and starts them at boot.

It is given devices as the kernel names them, since it takes a partition for one by that name only. What it keeps are
names of volumes, so nothing depends on the kernel's names later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..base.system import SYSTEMCTL
from ..errors import HoldfastError
from ..host_io import IO

VOLUME = "/usr/sbin/ceph-volume"
WANTS = "/etc/systemd/system/multi-user.target.wants"
_GROUP = re.compile(r"ceph-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OURS = re.compile(r"ceph--[0-9a-f-]+-osd--(block|db|wal)--[0-9a-f-]+")


def listed(io: IO) -> dict[str, dict[str, Any]]:
    """The parts of all OSDs on volumes, by one listing: ``{number: {whoami, osd_uuid, ceph_fsid, part, encrypted}}``.

    The number is the block number of the disk or partition below the volume; ``part`` is block, db or wal.
    """
    done = io.run([VOLUME, "lvm", "list", "--format", "json"], check=False, timeout=120)
    if done.rc == 127:
        return {}
    if done.rc != 0:
        # Taken for no OSD, a disk of one could be wiped.
        reason = (done.err.strip() or str(done.rc))[-500:]
        raise HoldfastError(f"`{VOLUME} lvm list` tells no OSDs: {reason}. Fix: see that `lvs` answers on the host.")
    found = {}
    for whoami, volumes in json.loads(done.out or "{}").items():
        tags: dict[str, Any] = next((volume["tags"] for volume in volumes if volume.get("type") == "block"), {})
        for volume in volumes:
            for device in volume.get("devices") or [volume.get("path") or ""]:
                if number := io.block_number(device):
                    found[number] = {
                        "whoami": int(whoami),
                        "osd_uuid": tags.get("ceph.osd_fsid"),
                        "ceph_fsid": tags.get("ceph.cluster_fsid"),
                        "part": volume.get("type"),
                        "encrypted": str(tags.get("ceph.encrypted")) == "1",
                    }
    return found


def kept(io: IO) -> dict[str, dict[str, Any]]:
    """For ``erasure``: the OSD of each disk that has a part of one, by the disk's number."""
    return {
        number: {"name": f"osd.{part['whoami']}", "key": part["osd_uuid"], "number": str(part["whoami"])}
        for number, part in listed(io).items()
    }


def close(io: IO, kept: Mapping[str, Any]) -> None:
    """For ``erasure``: close an OSD, and have nothing look for it at the next boot."""
    io.run([SYSTEMCTL, "disable", "--quiet", boot_unit(kept["number"], kept["key"])])
    deactivate(io, kept["key"])


def volumes_on(io: IO, number: str) -> list[str]:
    """The device-mapper names of the volumes on a disk or partition that are active."""
    holders = f"/sys/dev/block/{number}/holders"
    return [(io.read_text(f"{holders}/{name}/dm/name") or name).strip() for name in io.listdir(holders)]


def is_its_group(name: str) -> bool:
    """Whether ceph-volume names a volume group so."""
    return bool(_GROUP.fullmatch(name))


def only_its_own(holds: Iterable[str], volumes: Iterable[str]) -> bool:
    """Whether a disk holds nothing but a volume group with volumes that ceph-volume names so."""
    return all(text.startswith("LVM2_member") for text in holds) and all(map(_OURS.fullmatch, volumes))


def boot_unit(number: str, osd_uuid: str) -> str:
    """The unit that activates an OSD at boot, and then starts its daemon."""
    return f"ceph-volume@lvm-{number}-{osd_uuid}.service"


def starts_at_boot(io: IO, number: str, osd_uuid: str) -> bool:
    """Whether the unit that starts an OSD at boot is enabled."""
    return io.exists(f"{WANTS}/{boot_unit(number, osd_uuid)}")


def prepare(io: IO, osd: Mapping[str, Any]) -> None:
    """Make the volumes and the OSD on them. ``osd`` is an entry of ceph_osds with its ``uuid``."""
    options = (("db_device", "--block.db"), ("wal_device", "--block.wal"))
    parts = [word for key, flag in options if osd.get(key) for word in (flag, io.realpath(osd[key]))]
    io.run([
        VOLUME, "lvm", "prepare", "--bluestore", "--data", io.realpath(osd["device"]), *parts,
        "--osd-fsid", osd["uuid"],
        *(["--crush-device-class", osd["class"]] if osd.get("class") else []),
        *(["--dmcrypt"] if osd.get("encrypted") else []),
    ], timeout=900)  # fmt: skip


def activate(io: IO, number: str, osd_uuid: str) -> None:
    """Open the volumes, and make the OSD's directory in memory."""
    io.run([VOLUME, "lvm", "activate", "--bluestore", "--no-systemd", number, osd_uuid], timeout=300)


def deactivate(io: IO, osd_uuid: str) -> None:
    """Close what `activate` opened. It fails when no volume is tagged with the OSD: then nothing is open."""
    io.run([VOLUME, "lvm", "deactivate", "", osd_uuid], check=False, timeout=120)


def undo(io: IO, osd: Mapping[str, Any]) -> None:
    """Take away the volumes of an OSD whose making was cut short. Its disks stay LVM's, without a group."""
    deactivate(io, osd["uuid"])
    groups = {}
    for key in ("device", "db_device", "wal_device"):
        if osd.get(key):
            device = io.realpath(osd[key])
            # A device that is no physical volume yet has no group, and pvs says so.
            found = io.run(["/usr/sbin/pvs", "--noheadings", "--options", "vg_name", device], check=False)
            groups[device] = found.out.strip()
    # One that is not active tells by its name only whose it is.
    for device, group in groups.items():
        if group and not is_its_group(group):
            raise HoldfastError(
                f"{device}: a run that made an OSD there was cut short, and the volume group on it by now, {group}, is "
                "none of ceph-volume's: nothing was taken away. Fix: remove it by hand, or name another disk."
            )
    for group in filter(None, groups.values()):
        io.run(["/usr/sbin/vgremove", "--force", "--yes", group])
