# SPDX-License-Identifier: Apache-2.0
"""OSDs: what is refused, what is taken over, and that a killed run goes on with the same number."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import values as ceph
from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.kinds import ceph_osd
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError, RefusedError
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.ceph.test_ceph import COMPLETE, FSID, label

DISK, FAST = "/dev/disk/by-id/ata-one", "/dev/disk/by-partlabel/db-one"
UUID = ceph.osd_uuid(FSID, "storage1", DISK)
OTHER = "11111111-3b7a-4a55-9e5a-0b8f7a3f4a11"
SIZE = 8 * 1024**3


class FakeCluster:
    """Gives numbers by UUID, as the monitors do."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.secrets: list[dict[str, str]] = []
        self.silent = False

    def __enter__(self) -> FakeCluster:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def tell(self, prefix: str, *, stdin: str = "", **arguments: Any) -> Any:
        if prefix == "osd purge-new":
            self.numbers = {uuid: number for uuid, number in self.numbers.items() if number != arguments["id"]}
            return None
        assert prefix == "osd new"
        if stdin:
            self.secrets.append(json.loads(stdin))
        return {"osdid": self.numbers.setdefault(arguments["uuid"], len(self.numbers))}


class FakeHost:
    """A host with a disk and a partition of a faster one."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {"/proc/sys/kernel/hostname": "storage1\n", "/proc/self/mountinfo": ""}
        self.links: dict[str, str] = {}
        self.blocks = {DISK: bytes(4096), FAST: bytes(4096)}
        self.signatures: dict[str, list[dict[str, Any]]] = {}
        self.addresses = {"192.0.2.1", "198.51.100.1"}
        self.active: set[str] = set()
        self.enabled: set[str] = set()
        self.commands: list[list[str]] = []
        self.cluster = FakeCluster()
        self.die_in = ""

    def block_number(self, path: str) -> str | None:
        return {DISK: "8:16", FAST: "259:1"}.get(path)

    def realpath(self, path: str) -> str:
        return path

    def exists(self, path: str) -> bool:
        return path in self.files or path in self.blocks or path.rpartition("/")[2] in self.enabled

    def read_text(self, path: str) -> str | None:
        if path.startswith("/sys/dev/block"):
            return str(SIZE // 512) if path.endswith("/size") else "0"
        return self.files.get(path)

    def read_at(self, path: str, offset: int, length: int) -> bytes:
        return self.blocks[path][offset : offset + length] if offset < 4096 else b""

    def listdir(self, path: str) -> list[str]:
        below = {
            name[len(path) + 1 :].split("/")[0] for name in (*self.files, *self.links) if name.startswith(f"{path}/")
        }
        return sorted(below)

    def stat(self, path: str) -> dict[str, Any] | None:
        return {"target": self.links[path]} if path in self.links else None

    def has_address(self, address: str) -> bool:
        return address in self.addresses

    @contextlib.contextmanager
    def claimed(self, path: str) -> Iterator[None]:
        yield

    def ceph(self, entity: str, keyring: str, timeout: float) -> FakeCluster:
        if entity.startswith("osd."):
            assert keyring == f"{ceph.OSD_HOMES}/ceph-{entity[4:]}/keyring"
            if self.cluster.silent:
                raise HoldfastError("no answer")
            if int(entity[4:]) not in self.cluster.numbers.values():
                raise RefusedError("no such key")
            return self.cluster
        assert (entity, keyring) == ("client.bootstrap-osd", ceph_osd.KEYRING)
        return self.cluster

    def admin_socket(self, path: str, command: str) -> Any:
        return {"state": "active"}

    def write(self, path: str, content: str, **access: str) -> None:
        self.files[path] = content

    def link(self, path: str, target: str) -> None:
        self.links[path] = target

    def make_directory(self, path: str, **access: str) -> None:
        pass

    def remove(self, path: str) -> None:
        self.files.pop(path, None)

    def run(self, argv: list[str], *, stdin: str = "", check: bool = True, timeout: float | None = None) -> Result:
        self.commands.append(list(argv))
        program = argv[0].rpartition("/")[2]
        if program == "wipefs" and "--json" in argv:
            return Result(0, json.dumps({"signatures": self.signatures.get(argv[-1], [])}), "")
        if program == self.die_in:
            raise KeyboardInterrupt
        if program == "ceph-osd":
            uuid, number = argv[argv.index("--osd-uuid") + 1], argv[argv.index("--id") + 1]
            self.blocks[DISK] = label(uuid, **{**COMPLETE, "whoami": number})
        if program == "ceph-bluestore-tool":
            self.files[f"{argv[-1]}/keyring"] = "primed"
        if program == "wipefs":
            self.signatures.pop(argv[-1], None)
            self.blocks[argv[-1]] = bytes(4096)
        if argv[1:2] == ["show"]:
            names = [name for name in argv if name.startswith("ceph-osd@")]
            states = [
                f"ActiveState={'active' if name in self.active else 'inactive'}\n"
                f"UnitFileState={'enabled' if name in self.enabled else 'disabled'}"
                for name in names
            ]
            return Result(0, "\n\n".join(states), "")
        if argv[1:2] == ["enable"]:
            self.enabled |= set(argv)
        if argv[1:2] == ["start"]:
            self.active |= set(argv)
        if argv[1:2] == ["stop"]:
            self.active -= set(argv)
        if program == "rm":
            self.files = {name: text for name, text in self.files.items() if not name.startswith(argv[-1])}
            self.links = {name: target for name, target in self.links.items() if not name.startswith(argv[-1])}
        if argv[1:2] == ["disable"]:
            self.enabled -= set(argv)
        return Result(0, "", "")

    def ran(self, program: str) -> list[list[str]]:
        return [argv for argv in self.commands if argv[0].endswith(f"/{program}")]


def wanted(remove: Any = (), **osd: Any) -> dict[str, Any]:
    return {
        "fsid": FSID,
        "host": "storage1",
        "addresses": ["192.0.2.1", "198.51.100.1"],
        "osds": [{"device": DISK, "class": "hdd", "mode": "raw", "encrypted": False, "uuid": UUID, **osd}],
        "remove": list(remove),
    }


def planned(io: FakeHost, want: dict[str, Any]) -> Any:
    return ceph_osd.plan(ceph_osd.read(io, ceph_osd.question(want)), want)


def converge(io: FakeHost, want: dict[str, Any]) -> Any:
    plan = planned(io, want)
    assert not plan.errors
    ceph_osd.apply(io, plan)
    return plan


def codes(io: FakeHost, want: dict[str, Any]) -> list[str]:
    return [finding.code for finding in planned(io, want).errors]


def test_an_empty_disk_becomes_an_osd_that_runs_and_nothing_more_is_to_do():
    io = FakeHost()
    plan = converge(io, wanted(db_device=FAST))
    assert plan.summary() == [f"prepare {DISK}"]
    assert io.links == {"/var/lib/ceph/osd/ceph-0/block": DISK, "/var/lib/ceph/osd/ceph-0/block.db": FAST}
    assert "ceph-osd@0.service" in io.active & io.enabled
    assert io.cluster.secrets[0]["crush_device_class"] == "hdd"
    io.blocks[FAST] = label(UUID, "bluefs db")
    assert not planned(io, wanted(db_device=FAST))


def test_the_key_is_in_no_command_and_no_diff():
    io = FakeHost()
    plan = converge(io, wanted())
    key = io.cluster.secrets[0]["cephx_secret"]
    assert ceph.is_key(key)
    assert not any(key in word for argv in io.commands for word in argv)
    assert key not in repr(plan.diff())
    assert key in io.files["/var/lib/ceph/osd/ceph-0/keyring"]


@pytest.mark.parametrize("program", ["ceph-osd", "systemctl", "chown"])
def test_a_run_that_was_killed_goes_on_with_its_number_and_key(program):
    io = FakeHost()
    io.die_in = program
    with pytest.raises(KeyboardInterrupt):
        ceph_osd.apply(io, ceph_osd.plan(ceph_osd.read(io, ceph_osd.question(wanted())), wanted()))
    io.die_in = ""
    converge(io, wanted())
    assert io.cluster.numbers == {UUID: 0}
    assert len({secret["cephx_secret"] for secret in io.cluster.secrets}) == 1
    assert not planned(io, wanted())
    assert not [name for name in io.files if name.startswith(ceph_osd.NOTES)]


def test_a_half_made_osd_of_ours_is_finished():
    io = FakeHost()
    io.blocks[DISK] = label(UUID, ceph_fsid=FSID, whoami="0")
    io.files[f"{ceph_osd.NOTES}/osd-{UUID}.json"] = json.dumps(
        {"device": DISK, "size": SIZE, "key": ceph.make_key(b"k" * 16)}
    )
    assert converge(io, wanted()).summary() == [f"prepare {DISK}"]


def test_a_half_made_osd_of_nobody_is_refused():
    io = FakeHost()
    io.blocks[DISK] = label(UUID, ceph_fsid=FSID, whoami="0")
    assert codes(io, wanted()) == ["disk.holds_data"]


def test_an_osd_of_this_cluster_is_taken_over_whoever_made_it():
    io = FakeHost()
    io.blocks[DISK] = label(**{**COMPLETE, "whoami": "7"})
    plan = converge(io, wanted())
    assert plan.summary() == ["activate /var/lib/ceph/osd/ceph-7", "start ceph-osd@7.service"]
    assert not io.ran("ceph-osd")
    assert "ceph-osd@7.service" in io.active
    assert not planned(io, wanted())


@pytest.mark.parametrize("osd", [{}, {"wipe": DISK}])
def test_an_osd_of_another_cluster_is_refused_also_with_wipe(osd):
    io = FakeHost()
    io.blocks[DISK] = label(**{**COMPLETE, "ceph_fsid": OTHER})
    assert codes(io, wanted(**osd)) == ["ceph_osd.foreign"]
    assert OTHER in planned(io, wanted(**osd)).errors[0].what


def test_a_disk_that_holds_anything_is_refused_and_given_up_by_its_name_only():
    io = FakeHost()
    io.signatures[DISK] = [{"type": "ext4", "usage": "filesystem", "label": "mine"}]
    assert codes(io, wanted()) == ["disk.holds_data"]
    assert codes(io, wanted(wipe=FAST)) == ["disk.wipe"]
    assert converge(io, wanted(wipe=DISK)).summary() == [f"prepare {DISK}"]


def test_a_database_disk_that_holds_something_is_refused():
    io = FakeHost()
    io.signatures[FAST] = [{"type": "xfs", "usage": "filesystem", "label": None}]
    assert codes(io, wanted(db_device=FAST)) == ["disk.holds_data"]
    io.signatures.clear()
    io.blocks[FAST] = label(OTHER, "bluefs db")
    assert codes(io, wanted(db_device=FAST)) == ["disk.holds_data"]


def test_the_database_of_an_osd_is_no_disk_for_data():
    io = FakeHost()
    io.blocks[DISK] = label(OTHER, "bluefs db")
    assert codes(io, wanted()) == ["ceph_osd.part"]


def test_a_disk_is_named_once_and_has_to_be_there():
    io = FakeHost()
    assert codes(io, wanted(db_device=DISK)) == ["ceph_osd.twice"]
    missing = wanted()
    missing["osds"][0]["device"] = "/dev/disk/by-id/gone"
    assert codes(io, missing) == ["disk.missing"]


@pytest.mark.parametrize("address", ["192.0.2.1", "198.51.100.1"])
def test_networks_are_checked_before_a_disk_is_written(address):
    io = FakeHost()
    io.addresses.discard(address)
    with pytest.raises(HoldfastError, match=address.replace(".", r"\.")):
        converge(io, wanted())
    assert not io.ran("ceph-osd")
    assert not io.cluster.numbers


def test_a_stopped_osd_is_started():
    io = FakeHost()
    converge(io, wanted())
    io.active.clear()
    assert converge(io, wanted()).summary() == ["start ceph-osd@0.service"]
    verbs = [argv[1] for argv in io.ran("systemctl")]
    assert verbs[-3:] == ["reset-failed", "enable", "start"]


@pytest.mark.parametrize("notices", [True, False])
def test_nothing_stays_on_the_host_of_an_osd_that_left(notices):
    """Also when its daemon has not noticed yet: otherwise a run finds nothing to do, and the next does."""
    io = FakeHost()
    converge(io, wanted())
    io.files["/var/lib/ceph/osd/ceph-0/fsid"] = f"{UUID}\n"
    gone = {**wanted(remove=[UUID]), "osds": []}
    assert not planned(io, gone)
    io.active.clear()
    assert not planned(io, gone), "it is down, and the cluster has it still"
    io.cluster.silent = True
    assert not planned(io, gone), "nobody knows whether the cluster has it still"
    io.cluster.silent = False
    io.cluster.numbers.clear()
    if not notices:
        io.active.add("ceph-osd@0.service")
    assert converge(io, gone).summary() == ["retire /var/lib/ceph/osd/ceph-0"]
    assert "ceph-osd@0.service" not in io.enabled | io.active
    assert not [name for name in io.files if name.startswith(ceph.OSD_HOMES)]
    assert not planned(io, gone)
