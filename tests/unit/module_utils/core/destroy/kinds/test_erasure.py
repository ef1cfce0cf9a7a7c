# SPDX-License-Identifier: Apache-2.0
"""Disks given up by name: what goes with them, in which order, and what keeps them."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import osd_volume
from ansible_collections.holdfast.storage.plugins.module_utils.core.destroy.kinds.erasure import Erasure
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result

ONE, TWO, THREE = (f"/dev/disk/by-id/wwn-{number}" for number in (1, 2, 3))
NUMBERS = {ONE: "8:16", TWO: "8:32", THREE: "8:48"}
NAMES = {ONE: "/dev/sdb", TWO: "/dev/sdc", THREE: "/dev/sdd"}
TAG = "holdfast.lab.storage1"
OSD = "ceph-0a0b0c0d-0000-4000-8000-000000000000"
SIZE = 8 * 1024**3


ERASURE = Erasure(osd_volume)


class FakeHost:
    """A host with three disks. ``groups``: by volume group its disks; ``osds``: parts of OSDs by disk."""

    def __init__(self) -> None:
        self.content = dict.fromkeys(NUMBERS, True)
        self.signatures: dict[str, list[str]] = {disk: [] for disk in NUMBERS}
        self.groups: dict[str, list[str]] = {}
        self.tags: dict[str, str] = {}
        self.open: list[str] = []
        self.osds: dict[str, tuple[int, str]] = {}
        self.mounts: dict[str, str] = {}
        self.holders: dict[str, list[str]] = {}
        self.commands: list[list[str]] = []

    def block_number(self, path: str) -> str | None:
        return {**NUMBERS, **{NAMES[disk]: number for disk, number in NUMBERS.items()}}.get(path)

    def realpath(self, path: str) -> str:
        return NAMES.get(path, path)

    def exists(self, path: str) -> bool:
        return False

    def listdir(self, path: str) -> list[str]:
        return next((names for number, names in self.holders.items() if path == f"/sys/dev/block/{number}/holders"), [])

    def read_text(self, path: str) -> str | None:
        if path == "/proc/self/mountinfo":
            lines = [f"40 22 {NUMBERS[disk]} / {place} rw - xfs /dev/x rw" for place, disk in self.mounts.items()]
            return "\n".join(["22 1 8:1 / / rw - ext4 /dev/sda1 rw", *lines])
        if path == "/proc/sys/kernel/hostname":
            return "storage1\n"
        return str(SIZE // 512) if path.endswith("/size") else None

    def read_at(self, path: str, offset: int, length: int) -> bytes:
        return b"x" if self.content[path] else bytes(16)

    def write_zeros(self, path: str, places: list[tuple[int, int]]) -> None:
        assert all(offset + length <= SIZE for offset, length in places)
        self.commands.append(["zeros", path])
        # The start of the disk is the last that goes.
        self.content[path] = (0, 4096) not in places

    def run(self, argv: Any, check: bool = True, timeout: float | None = None) -> Result:
        argv = list(argv)
        command = argv[0].rpartition("/")[2]
        shown = argv[argv.index("--devices") + 1].split(",") if "--devices" in argv else []
        parts = {disk: name for name, members in self.groups.items() for disk in members}
        if command == "pvs":
            rows = [{"pv_name": NAMES[disk], "vg_name": parts[disk]} for disk in shown if disk in parts]
            return self.report("pv", rows)
        if command == "vgs":
            rows = [
                {"vg_name": name, "vg_tags": self.tags.get(name, ""), "vg_missing_pv_count": str(len(lost))}
                for name, members in self.groups.items()
                for lost in [set(members) - set(shown)]
                if set(members) & set(shown)
            ]
            return self.report("vg", rows)
        if command == "lvs":
            rows = [
                {"vg_name": name, "lv_name": volume, "lv_layout": layout, "lv_device_open": is_open}
                for name, members in self.groups.items()
                if set(members) & set(shown)
                for volume, layout, is_open in (
                    ("pool", "thin,pool", "open"),
                    ("volume-1", "thin,sparse", "open" if "volume-1" in self.open else ""),
                )
            ]
            return self.report("lv", rows)
        if command == "ceph-volume" and "list" in argv:
            found: dict[str, Any] = {}
            for disk, (number, kind) in self.osds.items():
                tags = {"ceph.osd_fsid": f"uuid-{number}", "ceph.cluster_fsid": "f", "ceph.encrypted": "1"}
                found.setdefault(str(number), []).append({"type": kind, "tags": tags, "devices": [NAMES[disk]]})
            return Result(0, json.dumps(found), "")
        if command == "wipefs" and "--json" in argv:
            known = [{"type": kind, "usage": None, "label": None} for kind in self.signatures[argv[-1]]]
            return Result(0, json.dumps({"signatures": known}), "")
        self.commands.append([command, *argv[1:]])
        if command == "umount":
            del self.mounts[argv[-1]]
        if command == "vgremove":
            del self.groups[argv[-1]]
        if command == "wipefs":
            self.signatures[argv[-1]] = []
        return Result(0, "", "")

    def report(self, kind: str, rows: list[dict[str, str]]) -> Result:
        return Result(0, json.dumps({"report": [{kind: rows}]}), "")


def plan_of(host: FakeHost, *devices: str, tag: str | None = TAG) -> Any:
    wanted = {"devices": list(devices), "tag": tag}
    return ERASURE.plan(ERASURE.read(host, ERASURE.question(wanted)), wanted)  # type: ignore[arg-type]


def erase(host: FakeHost, *devices: str) -> list[list[str]]:
    plan = plan_of(host, *devices)
    assert not plan.findings
    ERASURE.apply(host, plan)  # type: ignore[arg-type]
    assert not plan_of(host, *devices)
    return host.commands


def codes(plan: Any) -> list[str]:
    assert not plan.changes
    return [finding.code for finding in plan.errors]


def volumes(host: FakeHost) -> FakeHost:
    host.groups, host.tags = {"volumes": [ONE, TWO]}, {"volumes": f"other,{TAG}"}
    host.signatures |= {ONE: ["LVM2_member"], TWO: ["LVM2_member"]}
    host.holders = {NUMBERS[ONE]: ["dm-0"]}
    return host


def test_a_mounted_disk_is_unmounted_and_is_empty_then() -> None:
    host = FakeHost()
    host.mounts, host.signatures[ONE] = {"/srv/nfs/d1": ONE}, ["xfs"]
    assert erase(host, ONE) == [
        ["umount", "/srv/nfs/d1"], ["wipefs", "--all", "--quiet", ONE], ["zeros", ONE], ["zeros", ONE],
    ]  # fmt: skip


def test_what_a_tool_knows_nothing_of_is_erased_too() -> None:
    assert plan_of(FakeHost(), ONE).summary() == [f"erase {ONE}"]
    assert erase(FakeHost(), ONE)


def test_a_volume_group_goes_with_all_of_its_disks() -> None:
    host = volumes(FakeHost())
    plan = plan_of(host, ONE, TWO)
    assert plan.summary() == ["remove volumes", f"erase {ONE}", f"erase {TWO}"]
    # What check mode shows.
    assert plan.diff()[0]["before"] == f"disk {ONE}\ndisk {TWO}\nvolume volume-1\n"
    assert [command[:3] for command in erase(host, ONE, TWO)][:2] == [
        ["vgremove", "--force", "--yes"],
        ["pvremove", "--yes", ONE],
    ]


def test_a_volume_group_of_which_a_disk_is_not_named_stays() -> None:
    assert codes(plan_of(volumes(FakeHost()), ONE)) == ["erasure.part"]


def test_a_volume_group_of_others_stays() -> None:
    assert codes(plan_of(volumes(FakeHost()), ONE, TWO, tag="holdfast.lab.storage2")) == ["erasure.foreign"]
    assert codes(plan_of(volumes(FakeHost()), ONE, TWO, tag=None)) == ["erasure.foreign"]


def test_a_volume_that_somebody_has_open_keeps_its_group() -> None:
    host = volumes(FakeHost())
    host.open = ["volume-1"]
    plan = plan_of(host, ONE, TWO)
    assert codes(plan) == ["erasure.open"]
    assert "volume-1" in plan.errors[0].what


def test_an_osd_is_closed_before_its_volumes_go_and_its_database_goes_with_it() -> None:
    host = FakeHost()
    host.groups = {OSD: [ONE], OSD.replace("0a", "1a"): [TWO]}
    host.osds = {ONE: (3, "block"), TWO: (3, "db")}
    host.open = ["volume-1"]
    actions = [command[:3] for command in erase(host, ONE, TWO)]
    # Nothing looks for it at the next boot.
    assert host.commands[0] == ["systemctl", "disable", "--quiet", "ceph-volume@lvm-3-uuid-3.service"]
    assert actions[1] == ["ceph-volume", "lvm", "deactivate"]
    assert [command[0] for command in actions].count("vgremove") == 2
    assert [command[0] for command in actions].count("ceph-volume") == 1


def test_a_database_without_its_osd_stays() -> None:
    host = FakeHost()
    host.groups = {OSD: [TWO]}
    host.osds = {ONE: (3, "block"), TWO: (3, "db")}
    assert codes(plan_of(host, TWO)) == ["erasure.part"]


def test_a_disk_in_another_use_or_gone_stays() -> None:
    host = FakeHost()
    host.holders = {NUMBERS[THREE]: ["md0"]}
    assert codes(plan_of(host, THREE, "/dev/disk/by-id/gone")) == ["erasure.in_use", "erasure.missing"]
