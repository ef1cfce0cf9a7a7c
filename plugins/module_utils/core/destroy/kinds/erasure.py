# SPDX-License-Identifier: Apache-2.0
"""Disks that are given up by name, with all that stands on them: mounts, volume groups, OSDs. No model asks for it.

Only disks that the inventory declares are ever named here. A volume group goes whole, so all of its disks have to be
named, and it has to be this deployment's or an OSD's; a volume that somebody has open keeps it. An erased disk is empty
by the rules of kind ``disk``: no signature, and zeros where that looks. What lies between stays on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...base.kinds import disk as disks
from ...base.kinds import volume_group
from ...ceph import osd_volume as ceph_volume
from ...change import Change, Plan
from ...errors import Finding
from ...host_io import IO

if TYPE_CHECKING:
    pass


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"devices": wanted["devices"]}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """What stands on the disks.

    ``{host, disks: {device: {number, size, mounts, uses, holds, group, osd}}, groups: {name: {tags, missing, volumes,
    open}}}``. ``uses`` are those that nothing here ends; ``missing`` counts a group's disks that are not asked for or
    not there; ``osd`` is ``{whoami, osd_uuid, elsewhere}`` of one on volumes, ``elsewhere`` how many of its disks are
    not asked for.
    """
    mounts = disks.mounts_of(io)
    there = [device for device in asked["devices"] if io.block_number(device)]
    parts = volume_group.parts_of(io, there)
    osds = _osds(io, there) if parts else {}
    return {
        "host": (io.read_text("/proc/sys/kernel/hostname") or "this host").strip(),
        "disks": {device: _inspect(io, device, mounts, parts, osds) for device in asked["devices"]},
        "groups": _groups(io, there) if any(parts.values()) else {},
    }


def _inspect(
    io: IO, device: str, mounts: list[dict[str, str]], parts: dict[str, str], osds: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    number = io.block_number(device)
    if number is None:
        return {"number": None, "mounts": [], "uses": [], "holds": [], "group": None, "osd": None}
    found = disks.examine(io, device, mounts)
    ended = [f"{io.realpath(device)} is mounted on "]
    ended += [f"{io.realpath(device)} is held by "] if parts.get(number) else []
    return {
        "number": number,
        "size": found["size"],
        "mounts": [entry["where"] for entry in reversed(mounts) if entry["number"] == number],
        "uses": [use for use in found["uses"] if not use.startswith(tuple(ended))],
        "holds": disks.holds(io, device, found["size"]),
        "group": parts.get(number),
        "osd": osds.get(number),
    }


def _osds(io: IO, devices: list[str]) -> dict[str, dict[str, Any]]:
    """The OSD of each disk by the disk's number."""
    listed = ceph_volume.listed(io)
    asked = {io.block_number(device) for device in devices}
    elsewhere = [part["osd_uuid"] for number, part in listed.items() if number not in asked]
    return {
        number: {
            "whoami": part["whoami"],
            "osd_uuid": part["osd_uuid"],
            "elsewhere": elsewhere.count(part["osd_uuid"]),
        }
        for number, part in listed.items()
    }


def _groups(io: IO, devices: list[str]) -> dict[str, dict[str, Any]]:
    # LVM is shown these disks alone, so what it misses is what was not named.
    only = ["--devices", ",".join(devices)]
    found: dict[str, dict[str, Any]] = {
        row["vg_name"]: {
            "tags": sorted(filter(None, row["vg_tags"].split(","))),
            "missing": int(row["vg_missing_pv_count"] or 0),
            "volumes": [],
            "open": [],
        }
        for row in volume_group.report(io, "vgs", "vg", "vg_name,vg_tags,vg_missing_pv_count", only)
    }
    for row in volume_group.report(io, "lvs", "lv", "vg_name,lv_name,lv_layout,lv_device_open", only):
        group = found[row["vg_name"]]
        # A pool is open for its own volumes.
        if "pool" not in row["lv_layout"].split(","):
            group["volumes"].append(row["lv_name"])
            group["open"] += [row["lv_name"]] if row["lv_device_open"] == "open" else []
    return found


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    findings: list[Finding] = []
    for device, disk in current["disks"].items():
        where = f"{current['host']}: {device}"
        if disk["number"] is None:
            fix = "See `ls -l /dev/disk/by-id` on the host, or do not name it."
            findings.append(_refusal("missing", where, "there is no such block device.", fix))
        if disk["uses"]:
            what = f"it is in use: {'; '.join(disk['uses'])}."
            findings.append(_refusal("in_use", where, what, "Free it first."))
        if disk["osd"] and disk["osd"]["elsewhere"]:
            what = f"it is a part of osd.{disk['osd']['whoami']}, whose other disks are not named. An OSD goes whole."
            findings.append(_refusal("osd", where, what, "Name its device, db_device and wal_device."))
    for name, group in current["groups"].items():
        findings += _refusals(f"{current['host']}: {name}", name, group, wanted.get("tag"))
    return Plan([] if findings else _changes(current), findings)


def _refusals(where: str, name: str, group: dict[str, Any], tag: str | None) -> Iterator[Finding]:
    if not ceph_volume.is_its_group(name) and (not tag or tag not in group["tags"]):
        what = "the volume group is not this deployment's."
        yield _refusal("foreign", where, what, f"Remove it by hand, when you mean it: vgremove {name}.")
    elif group["missing"]:
        what = f"{group['missing']} of its disks are not named, or not there. A volume group goes whole."
        fix = f"Name all of its disks (`pvs` on the host). One that is lost: vgreduce --removemissing --force {name}."
        yield _refusal("part", where, what, fix)
    elif group["open"] and not ceph_volume.is_its_group(name):
        what = f"somebody has volumes of it open: {', '.join(group['open'])}."
        fix = "Detach them from their hosts, or take their targets away (`targetcli ls`, /sys/kernel/config/nvmet)."
        yield _refusal("open", where, what, fix)


def _refusal(code: str, where: str, what: str, fix: str) -> Finding:
    return Finding("error", f"erasure.{code}", where, what, fix)


def _changes(current: dict[str, Any]) -> list[Change]:
    found = current["disks"]
    changes = [Change(place, "unmount", device) for device, disk in found.items() for place in disk["mounts"]]
    osds = {disk["osd"]["osd_uuid"]: disk["osd"] for disk in found.values() if disk["osd"]}
    changes += [Change(f"osd.{osd['whoami']}", "close", uuid, "", osd) for uuid, osd in osds.items()]
    for name, group in current["groups"].items():
        members = [device for device, disk in found.items() if disk["group"] == name]
        before = [f"disk {device}" for device in members] + [f"volume {volume}" for volume in group["volumes"]]
        changes.append(Change(name, "remove", "\n".join(before), "", {"group": True}))
    for device, disk in found.items():
        if disk["holds"]:
            data = {"size": disk["size"], "part": disk["group"] is not None}
            changes.append(Change(device, "erase", "\n".join(disk["holds"]), "empty", data))
    return changes


def apply(io: IO, plan: Plan) -> None:
    for change in plan:
        if change.action == "unmount":
            io.run(["/usr/bin/umount", change.subject], timeout=120)
        elif change.action == "close":
            unit = ceph_volume.boot_unit(str(change.data["whoami"]), change.data["osd_uuid"])
            io.run(["/usr/bin/systemctl", "disable", "--quiet", unit])
            ceph_volume.deactivate(io, change.data["osd_uuid"])
        elif change.action == "remove":
            io.run([f"{volume_group.SBIN}/vgremove", "--force", "--yes", change.subject], timeout=600)
        else:
            if change.data["part"]:
                io.run([f"{volume_group.SBIN}/pvremove", "--yes", change.subject], timeout=120)
            io.run(["/usr/sbin/wipefs", "--all", "--quiet", change.subject])
            disks.blank(io, change.subject, change.data["size"])
