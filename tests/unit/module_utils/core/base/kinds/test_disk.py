# SPDX-License-Identifier: Apache-2.0
"""Disks: what is refused, what is done to an empty one, and what a killed run leaves to the next."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import disk
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result

DEVICE = "/dev/disk/by-id/ata-one"
MOUNTINFO = "22 1 8:1 / / rw - ext4 /dev/sda1 rw"
SIZE = 2 * 1024**3
WANTED: dict[str, Any] = {
    "disks": [{"device": DEVICE, "label": "hf-one", "mount": "/srv/node/d1", "owner": "swift", "group": "swift"}]
}


class FakeHost:
    """A host with one disk, /dev/sdb (8:16), behind DEVICE. Commands change it as the real ones would."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {
            "/proc/sys/kernel/hostname": "storage1\n",
            "/proc/self/mountinfo": MOUNTINFO,
            "/proc/swaps": "Filename Type Size Used Priority\n",
            "/run/udev/control": "",
            "/sys/dev/block/8:16/size": str(SIZE // 512),
            "/sys/dev/block/8:16/ro": "0",
            "/sys/dev/block/8:16/removable": "0",
            "/sys/dev/block/8:1/dev": "8:1",
        }
        self.lists: dict[str, list[str]] = {"/dev/disk/by-id": ["ata-one"]}
        self.links = {DEVICE: "/dev/sdb"}
        self.content: dict[int, bytes] = {}
        self.signatures: list[dict[str, str | None]] = []
        self.access = {"owner": "root", "group": "root", "mode": "0755"}
        self.commands: list[list[str]] = []
        self.die_in = ""

    def realpath(self, path: str) -> str:
        return self.links.get(path, path)

    def block_number(self, path: str) -> str | None:
        return "8:16" if self.realpath(path) == "/dev/sdb" else None

    def exists(self, path: str) -> bool:
        return path in self.files or path in self.links or path == "/dev/sdb"

    def listdir(self, path: str) -> list[str]:
        return self.lists.get(path, [])

    def read_text(self, path: str) -> str | None:
        return self.files.get(path)

    def read_at(self, path: str, offset: int, length: int) -> bytes:
        data = bytearray(min(length, SIZE - offset))
        for start, content in self.content.items():
            if offset <= start < offset + length:
                data[start - offset : start - offset + len(content)] = content
        return bytes(data[:length])

    def stat(self, path: str) -> dict[str, Any] | None:
        return dict(self.access)

    @contextlib.contextmanager
    def claimed(self, path: str) -> Iterator[None]:
        yield

    def write(self, path: str, content: str, **access: str) -> None:
        self.files[path] = content

    def remove(self, path: str) -> None:
        self.files.pop(path, None)

    def make_directory(self, path: str, **access: str) -> None:
        self.commands.append(["mkdir", path, access["mode"]])

    def set_owner(self, path: str, *, mode: str, owner: str, group: str) -> None:
        self.access = {"owner": owner, "group": group, "mode": mode}

    def run(self, argv: list[str], check: bool = True) -> Result:
        self.commands.append(list(argv))
        command = argv[0].rpartition("/")[2]
        if command == "wipefs" and "--json" in argv:
            return Result(0, json.dumps({"signatures": self.signatures}), "")
        if command == self.die_in:
            self.content[4096] = b"XAGF"
            raise KeyboardInterrupt
        if command == "wipefs":
            self.signatures = []
        if command == "mkfs.xfs":
            self.format(argv[argv.index("-L") + 1])
        if argv[1:2] == ["enable"]:
            self.files[f"{disk.UNITS}/local-fs.target.wants/{argv[-1]}"] = ""
        if argv[1:2] == ["start"]:
            self.files["/proc/self/mountinfo"] += "\n40 22 8:16 / /srv/node/d1 rw - xfs /dev/sdb rw"
        return Result(0, "", "")

    def format(self, label: str, *, complete: bool = True) -> None:
        block = bytearray(512)
        block[:4] = b"XFSB"
        block[108 : 108 + len(label)] = label.encode()
        block[126] = 0 if complete else 1
        self.content = {0: bytes(block)}
        self.signatures = [{"type": "xfs", "usage": "filesystem", "label": label}]

    def ran(self, command: str) -> list[list[str]]:
        return [argv for argv in self.commands if argv[0].endswith(command)]


def planned(io: FakeHost, wanted: dict[str, Any] = WANTED) -> Any:
    return disk.plan(disk.read(io, disk.question(wanted)), wanted)  # type: ignore[arg-type]


def with_disk(**options: str) -> dict[str, Any]:
    return {"disks": [{**WANTED["disks"][0], **options}]}


def test_an_empty_disk_is_formatted_and_mounted_and_then_left_alone() -> None:
    io = FakeHost()
    plan = planned(io)
    assert [change.action for change in plan] == ["format", "create", "mount"]
    assert not io.ran("mkfs.xfs"), "planning writes nothing"
    disk.apply(io, plan)  # type: ignore[arg-type]
    assert io.ran("mkfs.xfs") == [["/usr/sbin/mkfs.xfs", "-q", "-L", "hf-one", DEVICE]]
    assert ["mkdir", "/srv/node/d1", "0000"] in io.commands
    assert io.access == {"owner": "swift", "group": "swift", "mode": "0755"}
    assert not planned(io)
    assert not planned(io).findings


def test_the_mount_unit_goes_by_label_where_udev_is_and_by_name_where_it_is_not() -> None:
    io = FakeHost()
    assert "What=LABEL=hf-one\n" in planned(io).changes[1].after
    del io.files["/run/udev/control"]
    assert f"What={DEVICE}\n" in planned(io).changes[1].after


def signature(kind: str, usage: str) -> Any:
    def prepare(io: FakeHost) -> None:
        io.signatures = [{"type": kind, "usage": usage, "label": None}]

    return prepare


def sysfs(name: str, text: str) -> Any:
    def prepare(io: FakeHost) -> None:
        io.files[f"/sys/dev/block/8:16/{name}"] = text

    return prepare


def proc(name: str, line: str) -> Any:
    def prepare(io: FakeHost) -> None:
        io.files[f"/proc/{name}"] += f"\n{line}"

    return prepare


def bytes_at(offset: int) -> Any:
    def prepare(io: FakeHost) -> None:
        io.content[offset] = b"x"

    return prepare


def mounted_partition(io: FakeHost) -> None:
    io.lists["/sys/dev/block/8:16"] = ["sdb1"]
    io.files["/sys/dev/block/8:16/sdb1/partition"] = "1"
    io.files["/sys/dev/block/8:16/sdb1/dev"] = "8:17"
    io.files["/proc/self/mountinfo"] += "\n41 22 8:17 / /data rw - ext4 /dev/sdb1 rw"


def root_disk(io: FakeHost) -> None:
    io.files["/sys/dev/block/8:1/partition"] = "1"
    io.links["/sys/dev/block/8:1"] = "/sys/devices/sdb/sdb1"
    io.files["/sys/dev/block/8:1"] = ""
    io.files["/sys/dev/block/8:16"] = ""
    io.files["/sys/devices/sdb/sdb1/../dev"] = "8:16"


def held(io: FakeHost) -> None:
    io.lists["/sys/dev/block/8:16/holders"] = ["dm-0"]


def partition(io: FakeHost) -> None:
    """The device is a partition of the disk 8:0."""
    io.files["/sys/dev/block/8:16/partition"] = "1"
    io.links["/sys/dev/block/8:16"] = "/sys/devices/sda/sda1"
    io.files["/sys/dev/block/8:16"] = io.files["/sys/dev/block/8:0"] = ""
    io.files["/sys/devices/sda/sda1/../dev"] = "8:0"
    io.links["/sys/dev/block/8:0"] = "/sys/devices/sda"


def removable_partition(io: FakeHost) -> None:
    partition(io)
    del io.files["/sys/dev/block/8:16/removable"]
    io.files["/sys/dev/block/8:0/removable"] = "1"


def held_below(io: FakeHost) -> None:
    partition(io)
    io.lists["/sys/dev/block/8:0/holders"] = ["dm-0"]


def mounted_btrfs(io: FakeHost) -> None:
    """A mount of btrfs has a number of its own; the kernel lists the devices of the file system elsewhere."""
    mounted_partition(io)
    mounts = io.files["/proc/self/mountinfo"]
    mounts = mounts.replace("8:17 / /data rw - ext4 /dev/sdb1", "0:41 / /data rw - btrfs /dev/sdc")
    io.files["/proc/self/mountinfo"] = mounts
    io.lists["/sys/fs/btrfs"] = ["6d0c9f84-3b7a-4a55-9e5a-0b8f7a3f4a11", "features"]
    io.lists["/sys/fs/btrfs/6d0c9f84-3b7a-4a55-9e5a-0b8f7a3f4a11/devices"] = ["sdb1", "sdc"]


def root_of_btrfs(io: FakeHost) -> None:
    mounted_btrfs(io)
    io.files["/proc/self/mountinfo"] = io.files["/proc/self/mountinfo"].replace("0:41 / /data", "0:41 / /")


def foreign_label(io: FakeHost) -> None:
    io.format("hf-two")


def unfinished(io: FakeHost) -> None:
    io.format("hf-one", complete=False)


REFUSED = {
    "ext4": (signature("ext4", "filesystem"), "disk.holds_data", "ext4 filesystem"),
    "partition table": (signature("gpt", "partition-table"), "disk.holds_data", "gpt partition-table"),
    "LVM": (signature("LVM2_member", "raid"), "disk.holds_data", "LVM2_member"),
    "LUKS": (signature("crypto_LUKS", "crypto"), "disk.holds_data", "crypto_LUKS"),
    "BlueStore": (signature("ceph_bluestore", "other"), "disk.holds_data", "ceph_bluestore"),
    "another label": (foreign_label, "disk.holds_data", "'hf-two'"),
    "an XFS that nobody finished": (unfinished, "disk.holds_data", "xfs"),
    "unknown bytes at the start": (bytes_at(5), "disk.holds_data", "unknown form"),
    "unknown bytes at the end": (bytes_at(SIZE - 3), "disk.holds_data", "unknown form"),
    "mounted": (proc("self/mountinfo", "9 22 8:16 / /data rw - xfs /dev/sdb rw"), "disk.in_use", "mounted on /data"),
    "a mounted partition": (mounted_partition, "disk.in_use", "/dev/sdb1 is mounted on /data"),
    "swap": (proc("swaps", "/dev/sdb partition 1 0 -2"), "disk.in_use", "swap"),
    "the root disk": (root_disk, "disk.in_use", "root file system"),
    "held": (held, "disk.in_use", "dm-0"),
    "a partition of a disk that is held": (held_below, "disk.in_use", "dm-0"),
    "a partition of a mounted btrfs": (mounted_btrfs, "disk.in_use", "/dev/sdb1 is a part of a mounted btrfs"),
    "the root disk, with btrfs": (root_of_btrfs, "disk.in_use", "/dev/sdb1 is a part of a mounted btrfs"),
    "a partition of a removable disk": (removable_partition, "disk.removable", "removable"),
    "read-only": (sysfs("ro", "1"), "disk.read_only", "read-only"),
    "removable": (sysfs("removable", "1"), "disk.removable", "removable"),
    "too small": (sysfs("size", "2048"), "disk.too_small", "1048576 bytes"),
    "its place taken": (
        proc("self/mountinfo", "9 22 0:40 / /srv/node/d1 rw - tmpfs tmpfs rw"),
        "disk.mount_taken",
        "tmpfs",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    prepare, code, text = REFUSED[case]
    io = FakeHost()
    prepare(io)
    plan = planned(io)
    assert [finding.code for finding in plan.errors] == [code]
    assert text in plan.errors[0].what
    assert plan.errors[0].fix
    assert plan.errors[0].where == f"storage1: {DEVICE}"
    assert not plan.changes


def test_a_path_that_is_not_there_and_one_that_is_no_disk() -> None:
    io = FakeHost()
    io.files["/etc/hosts"] = ""
    assert "no such path" in planned(io, with_disk(device="/dev/disk/by-id/none")).errors[0].what
    assert "not a block device" in planned(io, with_disk(device="/etc/hosts")).errors[0].what


def test_a_name_that_may_change_is_refused_with_the_stable_one() -> None:
    refused = planned(FakeHost(), with_disk(device="/dev/sdb")).errors
    assert [finding.code for finding in refused] == ["disk.unstable_name"]
    assert DEVICE in refused[0].fix


def test_one_disk_by_two_names_is_refused() -> None:
    io = FakeHost()
    io.links["/dev/disk/by-path/one"] = "/dev/sdb"
    second = {**WANTED["disks"][0], "device": "/dev/disk/by-path/one", "label": "hf-2", "mount": "/srv/node/d2"}
    plan = planned(io, {"disks": [*WANTED["disks"], second]})
    assert [finding.code for finding in plan.errors] == ["disk.twice"]


def test_wipe_gives_up_the_disk_that_it_names_and_no_other() -> None:
    io = FakeHost()
    signature("ext4", "filesystem")(io)
    assert [finding.code for finding in planned(io, with_disk(wipe="/dev/disk/by-id/other")).errors] == ["disk.wipe"]
    wanted = with_disk(wipe=DEVICE)
    disk.apply(io, planned(io, wanted))  # type: ignore[arg-type]
    assert not planned(io, wanted), "a disk of ours is not wiped again"
    assert len(io.ran("mkfs.xfs")) == 1


def test_wipe_does_not_take_a_disk_in_use() -> None:
    io = FakeHost()
    mounted_partition(io)
    assert [finding.code for finding in planned(io, with_disk(wipe=DEVICE)).errors] == ["disk.in_use"]


def test_data_that_comes_between_plan_and_apply_stops_the_writing() -> None:
    io = FakeHost()
    plan = planned(io)
    signature("ext4", "filesystem")(io)
    with pytest.raises(HoldfastError, match="ext4"):
        disk.apply(io, plan)  # type: ignore[arg-type]
    assert not io.ran("mkfs.xfs")


@pytest.mark.parametrize("left", ["bytes", "unfinished"])
def test_a_run_killed_in_mkfs_converges(left: str) -> None:
    io = FakeHost()
    io.die_in = "mkfs.xfs"
    with pytest.raises(KeyboardInterrupt):
        disk.apply(io, planned(io))  # type: ignore[arg-type]
    if left == "unfinished":
        unfinished(io)
    io.die_in = ""
    plan = planned(io)
    assert [change.action for change in plan] == ["format", "create", "mount"]
    disk.apply(io, plan)  # type: ignore[arg-type]
    assert io.ran("mkfs.xfs")[-1][2] == "-f"
    assert not planned(io)
    assert not [path for path in io.files if path.startswith(disk.NOTES)]


def test_a_note_of_a_killed_run_does_not_give_up_what_others_put_there() -> None:
    io = FakeHost()
    io.die_in = "mkfs.xfs"
    with pytest.raises(KeyboardInterrupt):
        disk.apply(io, planned(io))  # type: ignore[arg-type]
    signature("ext4", "filesystem")(io)
    assert [finding.code for finding in planned(io).errors] == ["disk.holds_data"]


@pytest.mark.parametrize("label", ["hf-two", "data", ""])
def test_a_note_of_a_killed_run_does_not_give_up_an_xfs_of_others(label: str) -> None:
    io = FakeHost()
    io.die_in = "mkfs.xfs"
    with pytest.raises(KeyboardInterrupt):
        disk.apply(io, planned(io))  # type: ignore[arg-type]
    io.die_in = ""
    io.format(label)
    assert [finding.code for finding in planned(io).errors] == ["disk.holds_data"]


def test_a_run_killed_between_mkfs_and_mount_converges_without_another_mkfs() -> None:
    io = FakeHost()
    io.format("hf-one")
    plan = planned(io)
    assert [change.action for change in plan] == ["create", "mount"]
    disk.apply(io, plan)  # type: ignore[arg-type]
    assert not io.ran("mkfs.xfs")
    assert not planned(io)


def test_a_note_that_outlived_the_mount_is_forgotten() -> None:
    io = FakeHost()
    disk.apply(io, planned(io))  # type: ignore[arg-type]
    io.files[f"{disk.NOTES}/hf-one"] = f"formatting {DEVICE} of {SIZE} bytes\n"
    plan = planned(io)
    assert plan.summary() == ["forget /srv/node/d1"]
    disk.apply(io, plan)  # type: ignore[arg-type]
    assert not planned(io)
    assert not [path for path in io.files if path.startswith(disk.NOTES)]


def test_the_note_stays_until_the_disk_is_mounted() -> None:
    io = FakeHost()
    run = io.run

    def killed(argv: list[str], check: bool = True) -> Result:
        if argv[1:2] == ["start"]:
            raise KeyboardInterrupt
        return run(argv, check)

    io.run = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        disk.apply(io, planned(io))  # type: ignore[arg-type]
    assert [path for path in io.files if path.startswith(disk.NOTES)]
    io.run = run  # type: ignore[method-assign]
    disk.apply(io, planned(io))  # type: ignore[arg-type]
    assert not planned(io)
    assert len(io.ran("mkfs.xfs")) == 1


def test_the_owner_of_a_mounted_disk_is_set() -> None:
    io = FakeHost()
    disk.apply(io, planned(io))  # type: ignore[arg-type]
    io.access["owner"] = "root"
    assert planned(io).summary() == ["own /srv/node/d1"]


def test_labels_are_short_and_differ_between_hosts_and_deployments() -> None:
    labels = {disk.label(d, h, n) for d in ("lab", "site") for h in ("s1", "s2") for n in ("d1", "d2")}
    assert len(labels) == 8
    assert all(len(text) == 12 for text in labels)
