# SPDX-License-Identifier: Apache-2.0
"""OSDs on logical volumes: made by ceph-volume, found again by its tags, and made anew when a run was killed."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import osd_volume as ceph_volume
from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.kinds import ceph_osd
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.ceph.kinds import test_ceph_osd as plain
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.ceph.test_ceph import COMPLETE, FSID, label

DISK, FAST, UUID = plain.DISK, plain.FAST, plain.UUID
REAL = {DISK: "/dev/vdb", FAST: "/dev/vdc1"}
NUMBERS = {**dict.fromkeys((DISK, "/dev/vdb"), "254:16"), **dict.fromkeys((FAST, "/dev/vdc1"), "254:33")}
NOTE = f"{ceph_osd.NOTES}/osd-{UUID}.json"
HOME = "/var/lib/ceph/osd/ceph-4"
GROUPS = {
    REAL[DISK]: "ceph-0a0b0c0d-0000-4000-8000-000000000000",
    REAL[FAST]: "ceph-1a1b1c1d-0000-4000-8000-000000000000",
}


class Host(plain.FakeHost):
    """A host with ceph-volume. ``killed`` says where it dies."""

    def __init__(self) -> None:
        super().__init__()
        self.listing: dict[str, list[dict[str, Any]]] = {}
        self.groups = dict(GROUPS)
        self.killed = ""

    def block_number(self, path: str) -> str | None:
        return NUMBERS.get(path)

    def realpath(self, path: str) -> str:
        return REAL.get(path, path)

    def read_text(self, path: str) -> str | None:
        return self.files.get(path) if path.endswith("/dm/name") else super().read_text(path)

    def run(self, argv: list[str], **options: Any) -> Result:
        verb = argv[1:3]
        if verb == ["lvm", "list"]:
            self.commands.append(argv)
            return Result(0, json.dumps(self.listing), "")
        if verb == ["lvm", "prepare"]:
            self.commands.append(argv)
            self._prepare(argv)
            return Result(0, "", "")
        if verb == ["lvm", "activate"]:
            self.files |= {f"{HOME}/keyring": "", f"{HOME}/fsid": f"{UUID}\n"}
            self.files["/proc/self/mountinfo"] = f"1 1 0:9 / {HOME} rw - tmpfs tmpfs rw\n"
        if verb == ["lvm", "deactivate"]:
            self.files["/proc/self/mountinfo"] = ""
        if argv[0].endswith("/pvs"):
            self.commands.append(argv)
            return Result(0, f"  {self.groups[argv[-1]]}\n" if self.signatures.get(argv[-1]) else "", "")
        if argv[0].endswith("/vgremove"):
            self.files = {name: text for name, text in self.files.items() if "/holders/" not in name}
            self.listing.clear()
        if argv[0].endswith("/wipefs") and "--all" in argv:
            # It writes over what it knows and nothing more.
            for name in (argv[-1], *(name for name, real in REAL.items() if real == argv[-1])):
                self.signatures.pop(name, None)
            return Result(0, "", "")
        return super().run(argv, **options)

    def write_zeros(self, path: str, places: list[tuple[int, int]]) -> None:
        if self.killed == "before it is empty":
            raise KeyboardInterrupt
        for offset, length in places:
            content = self.blocks[path]
            self.blocks[path] = content[:offset] + bytes(len(content[offset : offset + length]))
            self.blocks[path] += content[offset + length :]
        # LVM's label is at the start; what it says of its groups comes after.
        if not any(self.blocks[path][:4096]):
            self.signatures.pop(path, None)

    def _prepare(self, argv: list[str]) -> None:
        given = dict(itertools.pairwise(argv))
        parts = {"block": given["--data"], "db": given.get("--block.db")}
        tags = {
            "ceph.osd_fsid": given["--osd-fsid"],
            "ceph.cluster_fsid": FSID,
            "ceph.encrypted": "1" if "--dmcrypt" in argv else "0",
        }
        self.cluster.numbers[UUID] = 4
        found = []
        for place, (part, device) in enumerate(parts.items()):
            if device:
                number, volume = NUMBERS[device], f"ceph--0a-osd--{part}--1f"
                self.files[f"/sys/dev/block/{number}/holders/dm-{place}/dm/name"] = f"{volume}\n"
                for name in (device, *(name for name, real in REAL.items() if real == device)):
                    self.signatures[name] = [{"type": "LVM2_member", "usage": "raid", "label": None}]
                self.blocks[next(name for name, real in REAL.items() if real == device)] = bytes(512) + b"LVM" * 2000
                found.append({"type": part, "devices": [device], "path": "/dev/ceph/osd", "tags": tags})
        if self.killed != "before the tags":
            self.listing["4"] = found
        if self.killed:
            raise KeyboardInterrupt


@pytest.fixture
def io() -> Host:
    return Host()


def wanted(**osd: Any) -> dict[str, Any]:
    return plain.wanted(mode="lvm", db_device=FAST, encrypted=True, **osd)


def test_it_is_made_with_its_database_and_found_again_by_one_listing(io: Host) -> None:
    plain.converge(io, wanted())
    (prepared,) = [argv for argv in io.commands if argv[1:3] == ["lvm", "prepare"]]
    assert prepared[prepared.index("--data") + 1] == "/dev/vdb"
    assert prepared[prepared.index("--block.db") + 1] == "/dev/vdc1"
    assert {"--dmcrypt", UUID, "hdd"} <= set(prepared)
    assert NOTE not in io.files
    io.commands.clear()
    assert not plain.planned(io, wanted())
    assert len([argv for argv in io.commands if argv[0] == ceph_volume.VOLUME]) == 1


def test_at_boot_the_volumes_are_opened_before_the_daemon_starts(io: Host) -> None:
    plain.converge(io, wanted())
    assert f"ceph-volume@lvm-4-{UUID}.service" in io.enabled
    assert "ceph-osd@4.service" in io.active - io.enabled


def test_what_a_reboot_lost_is_activated_and_started(io: Host) -> None:
    plain.converge(io, wanted())
    io.files = {name: text for name, text in io.files.items() if not name.startswith(HOME)}
    io.active.clear()
    io.enabled.clear()
    assert plain.converge(io, wanted()).summary() == [f"activate {HOME}", "start ceph-osd@4.service"]
    assert not plain.planned(io, wanted())


@pytest.mark.parametrize("moment", ["before the tags", "after the tags"])
def test_a_run_that_was_killed_takes_its_volumes_away_and_makes_them_anew(io: Host, moment: str) -> None:
    io.killed = moment
    with pytest.raises(KeyboardInterrupt):
        plain.converge(io, wanted())
    assert NOTE in io.files
    io.killed = ""
    plain.converge(io, wanted())
    removed = [argv[-1] for argv in io.commands if argv[0].endswith("/vgremove")]
    assert removed == list(GROUPS.values())
    assert io.cluster.numbers == {UUID: 4}
    assert not plain.planned(io, wanted())


def test_one_that_was_killed_while_it_took_volumes_away_goes_on(io: Host) -> None:
    io.killed = "before the tags"
    with pytest.raises(KeyboardInterrupt):
        plain.converge(io, wanted())
    io.killed = "before it is empty"
    with pytest.raises(KeyboardInterrupt):
        plain.converge(io, wanted())
    io.killed = ""
    plain.converge(io, wanted())
    assert not plain.planned(io, wanted())


def test_volumes_of_others_are_refused_also_when_a_run_was_killed(io: Host) -> None:
    io.files[NOTE] = json.dumps({"device": DISK, "size": plain.SIZE})
    io.signatures[DISK] = [{"type": "LVM2_member", "usage": "raid", "label": None}]
    io.files["/sys/dev/block/254:16/holders/dm-0/dm/name"] = "system-home\n"
    assert plain.codes(io, wanted()) == ["disk.in_use", "disk.holds_data"]


def test_a_volume_group_that_others_made_since_is_not_taken_away(io: Host) -> None:
    io.killed = "before the tags"
    with pytest.raises(KeyboardInterrupt):
        plain.converge(io, wanted())
    # It is not active, so nothing tells what is in it.
    io.files = {name: text for name, text in io.files.items() if "/holders/" not in name}
    io.groups[REAL[DISK]], io.killed = "data", ""
    with pytest.raises(HoldfastError, match="data"):
        plain.converge(io, wanted())
    assert not [argv for argv in io.commands if argv[0].endswith("/vgremove")]


def test_an_osd_that_came_to_the_disk_since_a_run_was_killed_is_taken_up_and_not_taken_away(io: Host) -> None:
    plain.converge(io, wanted())
    io.files[NOTE] = json.dumps({"device": DISK, "size": plain.SIZE})
    for volume in io.listing["4"]:
        volume["tags"]["ceph.osd_fsid"] = plain.OTHER
    assert plain.converge(io, wanted()).summary() == ["start ceph-osd@4.service"]
    assert not [argv for argv in io.commands if argv[0].endswith("/vgremove")]


def test_a_database_of_another_osd_is_not_taken_away_after_a_run_that_was_killed(io: Host) -> None:
    plain.converge(io, wanted())
    io.files[NOTE] = json.dumps({"device": DISK, "size": plain.SIZE})
    io.files = {name: text for name, text in io.files.items() if "254:16/holders/" not in name}
    for name in (DISK, REAL[DISK]):
        io.signatures.pop(name)
    tags = {"ceph.osd_fsid": plain.OTHER, "ceph.cluster_fsid": FSID}
    io.listing = {"5": [{"type": part, "devices": [device], "path": "", "tags": tags}
                        for part, device in (("block", "/dev/vdz"), ("db", REAL[FAST]))]}  # fmt: skip
    assert "disk.holds_data" in plain.codes(io, wanted())


def test_a_listing_that_fails_is_not_taken_for_no_osd(io: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    plain.converge(io, wanted())
    answer = io.run

    def broken(argv: list[str], **options: Any) -> Result:
        return Result(1, "", "no daemon of LVM\n") if argv[1:3] == ["lvm", "list"] else answer(argv, **options)

    monkeypatch.setattr(io, "run", broken)
    # The volumes are closed, so nothing holds the disk.
    io.files = {name: text for name, text in io.files.items() if "/holders/" not in name}
    with pytest.raises(HoldfastError, match="no daemon of LVM"):
        plain.planned(io, wanted(wipe=DISK))


def test_a_database_on_volumes_of_another_osd_is_refused(io: Host) -> None:
    plain.converge(io, wanted())
    io.listing["5"] = [{**io.listing["4"].pop(), "type": "db"}]
    io.files[f"{HOME}/keyring"] = ""
    assert plain.codes(io, wanted()) == ["disk.in_use", "disk.holds_data"]


def test_an_osd_of_another_cluster_is_refused(io: Host) -> None:
    plain.converge(io, wanted())
    for volume in io.listing["4"]:
        volume["tags"]["ceph.cluster_fsid"] = plain.OTHER
    assert "ceph_osd.foreign" in plain.codes(io, wanted())


def test_a_raw_osd_of_the_cluster_is_not_made_another_also_with_wipe(io: Host) -> None:
    io.blocks[DISK] = label(**COMPLETE)
    assert plain.codes(io, wanted(wipe=DISK)) == ["ceph_osd.mode"]


def test_an_osd_is_not_encrypted_afterwards_and_says_so(io: Host) -> None:
    want = wanted()
    want["osds"][0]["encrypted"] = False
    plain.converge(io, want)
    plan = plain.planned(io, wanted())
    assert not plan.changes
    assert [(finding.severity, finding.code) for finding in plan.findings] == [("advice", "ceph_osd.encryption")]


def test_one_that_left_is_closed_and_no_longer_opened_at_boot(io: Host) -> None:
    plain.converge(io, wanted())
    io.active.clear()
    io.cluster.numbers.clear()
    gone = {**plain.wanted(remove=[UUID]), "osds": []}
    plain.converge(io, gone)
    assert [argv[-1] for argv in io.commands if argv[1:3] == ["lvm", "deactivate"]] == [UUID]
    assert not any(unit.startswith("ceph-volume@") for unit in io.enabled)
    assert not [name for name in io.files if name.startswith(HOME)]
