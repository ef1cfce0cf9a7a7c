# SPDX-License-Identifier: Apache-2.0
"""Volume groups: what is made of empty disks, what is adopted, and what is never touched."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import volume_group
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result

ONE, TWO = "/dev/disk/by-id/wwn-1", "/dev/disk/by-id/wwn-2"
GIB = 1024**3
TAG = "holdfast.lab.storage1"
GROUP: dict[str, Any] = {"name": "volumes", "tag": TAG, "devices": [ONE, TWO], "thin": True, "wipe": [], "adopt": None}


class FakeHost:
    """A host with two disks, whose LVM answers as the real one does. ``parts`` are groups by disk."""

    def __init__(self) -> None:
        self.numbers = {ONE: "8:16", TWO: "8:32", "/dev/sdb": "8:16", "/dev/sdc": "8:32"}
        self.signatures: dict[str, list[str]] = {ONE: [], TWO: []}
        self.parts: dict[str, str] = {}
        self.tags: dict[str, set[str]] = {}
        self.pools: dict[str, int] = {}
        self.missing = 0
        self.lists: dict[str, list[str]] = {}
        self.files: dict[str, str] = {
            "/proc/sys/kernel/hostname": "storage1\n",
            "/proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw",
            "/sys/class/misc/device-mapper": "",
            volume_group.CONFIGURATION: "local {\n}\n",
        }
        for number in ("8:16", "8:32"):
            self.files |= {
                f"/sys/dev/block/{number}/size": str(8 * GIB // 512),
                f"/sys/dev/block/{number}/ro": "0",
                f"/sys/dev/block/{number}/removable": "0",
            }
        self.commands: list[list[str]] = []
        self.die_in = ""

    def realpath(self, path: str) -> str:
        return {ONE: "/dev/sdb", TWO: "/dev/sdc"}.get(path, path)

    def block_number(self, path: str) -> str | None:
        return self.numbers.get(path)

    def exists(self, path: str) -> bool:
        return path in self.files or path in self.numbers

    def listdir(self, path: str) -> list[str]:
        return self.lists.get(path, [])

    def read_text(self, path: str) -> str | None:
        return self.files.get(path)

    def read_at(self, path: str, offset: int, length: int) -> bytes:
        return bytes(16)

    @contextlib.contextmanager
    def claimed(self, path: str) -> Iterator[None]:
        yield

    def write(self, path: str, content: str, **access: str) -> None:
        self.files[path] = content

    def rename(self, path: str, new: str) -> None:
        self.files[new] = self.files.pop(path)

    def remove(self, path: str) -> None:
        self.files.pop(path, None)

    def run(self, argv: Any, check: bool = True, timeout: float | None = None) -> Result:
        argv = list(argv)
        self.commands.append(argv)
        command = argv[0].rpartition("/")[2]
        if command == "wipefs" and "--json" in argv:
            found = [{"type": kind, "usage": None, "label": None} for kind in self.signatures[argv[-1]]]
            return Result(0, json.dumps({"signatures": found}), "")
        if command == "wipefs":
            self.signatures[argv[-1]] = []
        if command == "pvs":
            names = {ONE: "/dev/sdb", TWO: "/dev/sdc"}
            rows = [{"pv_name": names[disk], "vg_name": group} for disk, group in self.parts.items()]
            return self.report("pv", rows)
        if command == "vgs":
            rows = [
                {
                    "vg_name": name,
                    "vg_uuid": f"{name}-uuid",
                    "vg_tags": ",".join(tags),
                    "vg_missing_pv_count": str(self.missing),
                    "vg_size": str(16 * GIB),
                }
                for name, tags in self.tags.items()
            ]
            return self.report("vg", rows)
        if command == "lvs":
            assert "--select segtype=thin-pool" in " ".join(argv), "the volumes of users are listed"
            rows = [{"vg_name": "volumes", "lv_name": name, "lv_size": str(size)} for name, size in self.pools.items()]
            return self.report("lv", rows)
        if command == self.die_in != "lvm":
            self.parts |= dict.fromkeys(argv[argv.index("volumes") + 1 :], "")
            self.signatures |= {disk: ["LVM2_member"] for disk in argv[argv.index("volumes") + 1 :]}
            raise KeyboardInterrupt
        if command in ("vgcreate", "vgextend"):
            disks = argv[argv.index("volumes") + 1 :]
            self.parts |= dict.fromkeys(disks, "volumes")
            self.signatures |= {disk: ["LVM2_member"] for disk in disks}
            self.tags.setdefault("volumes", set()).update({TAG} if "--addtag" in argv else set())
        if command == "vgchange":
            self.tags[argv[-1]].add(argv[2])
        if command in ("lvcreate", "lvextend"):
            self.pools["volumes-pool"] = 15 * GIB
        if command == "lvm":
            if self.die_in == "lvm":
                raise KeyboardInterrupt
            self.files[f"/etc/lvm/devices/{argv[argv.index('--devicesfile') + 1]}"] += f"{argv[-1]}\n"
        return Result(0, "", "")

    def report(self, kind: str, rows: list[dict[str, str]]) -> Result:
        return Result(0, json.dumps({"report": [{kind: rows}]}), "")

    def wrote(self) -> list[str]:
        readers = ("pvs", "vgs", "lvs", "modprobe")
        named = [(argv[0].rpartition("/")[2], argv) for argv in self.commands]
        return [name for name, argv in named if name not in readers and "--no-act" not in argv]


def wanted(**options: Any) -> dict[str, Any]:
    return {"groups": [{**GROUP, **options}], "confined": False}


def planned(io: FakeHost, asked: dict[str, Any]) -> Any:
    return volume_group.plan(volume_group.read(io, volume_group.question(asked)), asked)  # type: ignore[arg-type]


def applied(io: FakeHost, asked: dict[str, Any]) -> Any:
    plan = planned(io, asked)
    assert not plan.errors, plan.errors
    volume_group.apply(io, plan)  # type: ignore[arg-type]
    return plan


def refused(io: FakeHost, asked: dict[str, Any]) -> list[str]:
    plan = planned(io, asked)
    assert not plan.changes
    assert io.wrote() == [], "nothing was written"
    return [finding.code for finding in plan.errors]


def test_a_group_and_its_pool_are_made_of_empty_disks_and_then_left_alone() -> None:
    io = FakeHost()
    plan = applied(io, wanted())
    assert plan.summary() == ["create volumes", "create volumes/volumes-pool"]
    assert ["/usr/sbin/vgcreate", "--yes", "--addtag", TAG, "volumes", ONE, TWO] in io.commands
    assert io.pools
    assert not planned(io, wanted())
    assert volume_group._note("volumes") not in io.files


def test_planning_writes_nothing() -> None:
    io = FakeHost()
    assert planned(io, wanted())
    assert io.wrote() == []


def test_without_thin_there_is_no_pool() -> None:
    io = FakeHost()
    assert applied(io, wanted(thin=False)).summary() == ["create volumes"]
    assert not io.pools


@pytest.mark.parametrize("signature", ["ext4", "gpt", "crypto_LUKS", "LVM2_member", "ceph_bluestore"])
def test_a_disk_that_holds_anything_is_refused_with_the_whole_group(signature: str) -> None:
    io = FakeHost()
    io.signatures[TWO] = [signature]
    assert refused(io, wanted()) == ["disk.holds_data"]


def test_a_disk_is_given_up_by_name_alone() -> None:
    io = FakeHost()
    io.signatures[TWO] = ["ext4"]
    assert refused(io, wanted(wipe=[ONE])) == ["disk.holds_data"]
    applied(io, wanted(wipe=[TWO]))
    wiped = [argv[-1] for argv in io.commands if argv[0].endswith("wipefs") and "--all" in argv]
    assert wiped == [TWO]


def test_a_disk_of_another_group_is_refused_whatever_is_said() -> None:
    io = FakeHost()
    io.parts[TWO] = "system"
    io.signatures[TWO] = ["LVM2_member"]
    io.tags["system"] = set()
    assert refused(io, wanted(wipe=[TWO], adopt="volumes")) == ["volume_group.member"]


def test_a_group_that_lvm_does_not_list_is_told_as_it_is() -> None:
    io = FakeHost()
    io.parts[ONE] = "volumes"
    io.signatures[ONE] = ["LVM2_member"]
    plan = planned(io, wanted(devices=[ONE]))
    assert [finding.code for finding in plan.errors] == ["volume_group.unlisted"]
    assert f"--adddev {ONE}" in plan.errors[0].fix


def test_a_group_of_the_name_without_the_tag_is_anothers() -> None:
    io = FakeHost()
    io.parts = {ONE: "volumes", TWO: "volumes"}
    io.tags["volumes"] = {"holdfast.lab.storage2"}
    assert refused(io, wanted()) == ["volume_group.foreign"]
    assert refused(io, wanted(adopt="system")) == ["volume_group.foreign"]


def test_a_group_is_adopted_by_name_and_gets_nothing_but_the_tag() -> None:
    io = FakeHost()
    io.parts = {ONE: "volumes", TWO: "volumes"}
    io.tags["volumes"] = {"theirs"}
    io.pools["volumes-pool"] = GIB
    assert applied(io, wanted(adopt="volumes")).summary() == ["adopt volumes"]
    assert io.wrote() == ["vgchange"]
    assert not planned(io, wanted())


def root_volume(io: FakeHost) -> None:
    io.files["/proc/self/mountinfo"] = "22 1 253:0 / / rw - ext4 /dev/mapper/volumes-volume--1 rw"
    io.files["/sys/dev/block/253:0"] = ""


def swap_volume(io: FakeHost) -> None:
    io.files["/proc/swaps"] = "Filename Type Size Used Priority\n/dev/dm-0 partition 1 0 -2\n"
    io.numbers["/dev/dm-0"] = "253:0"


def root_of_btrfs(io: FakeHost) -> None:
    io.files["/proc/self/mountinfo"] = "22 1 0:30 / / rw - btrfs /dev/mapper/volumes-volume--1 rw"
    io.lists = {"/sys/fs/btrfs": ["id"], "/sys/fs/btrfs/id/devices": ["dm-0"]}
    io.numbers["/dev/dm-0"] = "253:0"
    io.files["/sys/dev/block/253:0"] = ""


@pytest.mark.parametrize("use", [root_volume, swap_volume, root_of_btrfs])
def test_the_systems_own_group_is_not_adopted(use: Any) -> None:
    io = FakeHost()
    io.parts = {ONE: "volumes"}
    io.tags["volumes"] = set()
    use(io)
    # Of another group a volume of the same length is in use: the kernel's name has the ids of group and volume.
    for uuid, said in (("LVM-volumesuuidAbCdEf", ["volume_group.system"]), ("LVM-othergrpuuidAbCdEf", [])):
        io.files["/sys/dev/block/253:0/dm/uuid"] = f"{uuid}\n"
        assert [one.code for one in planned(io, wanted(devices=[ONE], adopt="volumes")).errors] == said


def test_two_groups_of_the_same_name_are_refused() -> None:
    io = FakeHost()
    applied(io, wanted())
    io.commands.clear()
    run = io.run

    def twice(argv: Any, **options: Any) -> Result:
        done = run(argv, **options)
        if not argv[0].endswith("/vgs"):
            return done
        rows = json.loads(done.out)["report"][0]["vg"]
        return io.report("vg", [{**rows[0], "vg_tags": "", "vg_uuid": "other"}, *rows])

    io.run = twice  # type: ignore[method-assign]
    assert refused(io, wanted()) == ["volume_group.ambiguous"]


def test_a_new_disk_extends_the_group_and_the_pool_and_an_absent_one_stays() -> None:
    io = FakeHost()
    applied(io, wanted(devices=[ONE]))
    assert applied(io, wanted()).summary() == ["extend volumes", "extend volumes/volumes-pool"]
    assert ["/usr/sbin/vgextend", "--yes", "volumes", TWO] in io.commands
    assert not planned(io, wanted(devices=[ONE]))


def test_a_pool_that_a_killed_run_did_not_come_to_grows_in_the_next() -> None:
    io = FakeHost()
    applied(io, wanted(devices=[ONE]))
    plan = planned(io, wanted())
    volume_group.apply(io, type(plan)(plan.changes[:1]))  # type: ignore[arg-type]
    assert applied(io, wanted()).summary() == ["extend volumes/volumes-pool"]
    assert not planned(io, wanted())


def test_a_group_that_misses_a_disk_is_not_changed() -> None:
    io = FakeHost()
    applied(io, wanted())
    io.commands.clear()
    io.missing = 1
    assert refused(io, wanted()) == ["volume_group.incomplete"]


def test_one_disk_by_two_names_is_refused() -> None:
    io = FakeHost()
    io.numbers[TWO] = "8:16"
    assert "volume_group.twice" in refused(io, wanted())


def test_a_kernel_without_device_mapper_is_refused() -> None:
    io = FakeHost()
    del io.files["/sys/class/misc/device-mapper"]
    assert not planned(io, wanted()).errors, "it can be loaded"
    io.run = lambda *arguments, **more: Result(127, "", "")  # type: ignore[method-assign]
    assert "volume_group.no_mapper" in [finding.code for finding in planned(io, wanted()).errors]


def test_what_a_killed_run_began_is_finished_and_nobody_elses() -> None:
    io = FakeHost()
    io.die_in = "vgcreate"
    with pytest.raises(KeyboardInterrupt):
        applied(io, wanted())
    io.die_in = ""
    applied(io, wanted())
    assert io.parts == {ONE: "volumes", TWO: "volumes"}
    other = FakeHost()
    other.parts, other.signatures[ONE] = {ONE: ""}, ["LVM2_member"]
    assert refused(other, wanted()) == ["disk.holds_data"]


def test_a_disk_that_was_filled_since_the_plan_is_not_written() -> None:
    io = FakeHost()
    plan = planned(io, wanted())
    io.signatures[ONE] = ["xfs"]
    with pytest.raises(HoldfastError, match="holds xfs"):
        volume_group.apply(io, plan)  # type: ignore[arg-type]
    assert io.wrote() == []


def test_lvm_is_confined_to_the_disks_that_it_has() -> None:
    io = FakeHost()
    io.parts, io.tags["system"] = {ONE: "system"}, set()
    asked = {"groups": [], "confined": True}
    assert applied(io, asked).summary() == [f"create {volume_group.DEVICES}", f"update {volume_group.CONFIGURATION}"]
    assert io.files[volume_group.DEVICES].endswith("\n/dev/sdb\n")
    assert io.files[volume_group.CONFIGURATION].startswith("local {\n}\n"), "the host's own settings stay"
    assert "use_devicesfile = 1" in io.files[volume_group.CONFIGURATION]
    assert io.wrote() == ["lvm"], "the volume group of the system is not written"
    assert not planned(io, asked)


def test_where_lvm_has_no_disk_the_list_is_made_all_the_same() -> None:
    io = FakeHost()
    applied(io, {"groups": [], "confined": True})
    assert volume_group.DEVICES in io.files


def test_a_list_without_the_systems_disks_is_not_put_into_force() -> None:
    io = FakeHost()
    io.parts, io.tags["system"], io.die_in = {ONE: "system"}, set(), "lvm"
    with pytest.raises(KeyboardInterrupt):
        applied(io, {"groups": [], "confined": True})
    assert "use_devicesfile" not in io.files[volume_group.CONFIGURATION]
    assert volume_group.DEVICES not in io.files


def test_a_host_without_lvm_has_no_groups() -> None:
    io = FakeHost()
    real = io.run
    lvm = ("pvs", "vgs", "lvs")
    io.run = lambda argv, **more: (  # type: ignore[method-assign]
        Result(127, "", "") if argv[0].rpartition("/")[2] in lvm else real(argv, **more)
    )
    assert planned(io, wanted()).summary() == ["create volumes", "create volumes/volumes-pool"]
