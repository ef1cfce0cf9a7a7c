# SPDX-License-Identifier: Apache-2.0
"""Disks that are given up by name, with all that stands on them: mounts, volume groups, OSDs. No model asks for it.

Only disks that the inventory declares are ever named here. A volume group goes whole, so all of its disks have to be
named, and it has to be this deployment's or the keeper's; a volume that somebody has open keeps it. An erased disk is
empty by the rules of kind ``disk``: no signature, and zeros where that looks. What lies between stays on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from ...base.kinds import disk as disks
from ...base.kinds import volume_group
from ...base.system import host_name
from ...base.system import mounts as mounted
from ...change import Change, Plan
from ...errors import Finding
from ...host_io import IO


class Keeper(Protocol):
    """What keeps data on volume groups of its own, over several disks: it is closed before they go, and goes whole."""

    def kept(self, io: IO) -> Mapping[str, Mapping[str, Any]]:
        """On the host. ``{name, key}`` by the number of a disk: what is kept there, for people and by itself."""

    def is_its_group(self, name: str) -> bool:
        """Whether a volume group is the keeper's."""

    def close(self, io: IO, kept: Mapping[str, Any]) -> None:
        """On the host. Let go of what is kept, and have nothing look for it at the next boot."""


class Erasure:
    """The kind, told of who keeps data on volume groups of its own. Its functions are those of ``core.kind``."""

    __name__ = "erasure"

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def question(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return {"devices": wanted["devices"]}

    def read(self, io: IO, asked: dict[str, Any]) -> dict[str, Any]:
        """What stands on the disks.

        ``{host, disks: {device: {number, size, mounts, uses, holds, group, kept}}, groups: {name: {tags, missing,
        volumes, open, own}}}``. ``uses`` are those that nothing here ends; ``missing`` counts a group's disks that are
        not asked for or not there; ``kept`` is ``{name, key, elsewhere}``, ``elsewhere`` how many of its disks are not
        asked for; ``own`` says that a group is the keeper's.
        """
        mounts = mounted(io)
        there = [device for device in asked["devices"] if io.block_number(device)]
        parts = volume_group.parts_of(io, there)
        kept = self._kept(io, there) if parts else {}
        groups = _groups(io, there) if any(parts.values()) else {}
        return {
            "host": host_name(io),
            "disks": {device: _inspect(io, device, mounts, parts, kept) for device in asked["devices"]},
            "groups": {name: {**group, "own": self._keeper.is_its_group(name)} for name, group in groups.items()},
        }

    def plan(self, current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
        findings = [*_disk_refusals(current), *_group_refusals(current, wanted.get("tag"))]
        return Plan([] if findings else _changes(current), findings)

    def apply(self, io: IO, plan: Plan) -> None:
        for change in plan:
            if change.action == "unmount":
                io.run(["/usr/bin/umount", change.subject], timeout=120)
            elif change.action == "close":
                self._keeper.close(io, change.data)
            elif change.action == "remove":
                io.run([f"{volume_group.SBIN}/vgremove", "--force", "--yes", change.subject], timeout=600)
            else:
                if change.data["part"]:
                    io.run([f"{volume_group.SBIN}/pvremove", "--yes", change.subject], timeout=120)
                io.run(["/usr/sbin/wipefs", "--all", "--quiet", change.subject])
                disks.blank(io, change.subject, change.data["size"])

    def _kept(self, io: IO, devices: list[str]) -> dict[str, dict[str, Any]]:
        """What is kept on each disk by the disk's number."""
        kept = self._keeper.kept(io)
        asked = {io.block_number(device) for device in devices}
        elsewhere = [part["key"] for number, part in kept.items() if number not in asked]
        return {number: {**part, "elsewhere": elsewhere.count(part["key"])} for number, part in kept.items()}


def _inspect(
    io: IO, device: str, mounts: list[dict[str, str]], parts: dict[str, str], kept: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    number = io.block_number(device)
    if number is None:
        return {"number": None, "mounts": [], "uses": [], "holds": [], "group": None, "kept": None}
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
        "kept": kept.get(number),
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


def _disk_refusals(current: dict[str, Any]) -> Iterator[Finding]:
    for device, disk in current["disks"].items():
        where = f"{current['host']}: {device}"
        if disk["number"] is None:
            fix = "See `ls -l /dev/disk/by-id` on the host, or do not name it."
            yield _refusal("missing", where, "there is no such block device.", fix)
        if disk["uses"]:
            yield _refusal("in_use", where, f"it is in use: {'; '.join(disk['uses'])}.", "Free it first.")
        if disk["kept"] and disk["kept"]["elsewhere"]:
            what = f"it is a part of {disk['kept']['name']}, whose other disks are not named. It goes whole."
            yield _refusal("part", where, what, "Name all disks of its entry in the inventory.")


def _group_refusals(current: dict[str, Any], tag: str | None) -> Iterator[Finding]:
    for name, group in current["groups"].items():
        where = f"{current['host']}: {name}"
        if not group["own"] and (not tag or tag not in group["tags"]):
            what = "the volume group is not this deployment's."
            yield _refusal("foreign", where, what, f"Remove it by hand, when you mean it: vgremove {name}.")
        elif group["missing"]:
            what = f"{group['missing']} of its disks are not named, or not there. A volume group goes whole."
            fix = f"Name all of its disks (`pvs` on the host). A lost one: vgreduce --removemissing --force {name}."
            yield _refusal("part", where, what, fix)
        elif group["open"] and not group["own"]:
            what = f"somebody has volumes of it open: {', '.join(group['open'])}."
            fix = "Detach them from their hosts, or take their targets away (`targetcli ls`, /sys/kernel/config/nvmet)."
            yield _refusal("open", where, what, fix)


def _refusal(code: str, where: str, what: str, fix: str) -> Finding:
    return Finding("error", f"erasure.{code}", where, what, fix)


def _changes(current: dict[str, Any]) -> list[Change]:
    found = current["disks"]
    changes = [Change(place, "unmount", device) for device, disk in found.items() for place in disk["mounts"]]
    kept = {disk["kept"]["key"]: disk["kept"] for disk in found.values() if disk["kept"]}
    changes += [Change(part["name"], "close", key, "", part) for key, part in kept.items()]
    for name, group in current["groups"].items():
        members = [device for device, disk in found.items() if disk["group"] == name]
        before = [f"disk {device}" for device in members] + [f"volume {volume}" for volume in group["volumes"]]
        changes.append(Change(name, "remove", "\n".join(before), "", {"group": True}))
    for device, disk in found.items():
        if disk["holds"]:
            data = {"size": disk["size"], "part": disk["group"] is not None}
            changes.append(Change(device, "erase", "\n".join(disk["holds"]), "empty", data))
    return changes
