# SPDX-License-Identifier: Apache-2.0
"""Exports: directories on mounted disks, to the addresses that need them, loaded without stopping the server."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.nfs.kinds import nfs_export
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result

PATH, DISK = "/srv/nfs/d1/volumes", "/srv/nfs/d1"
WANTED: dict[str, Any] = {
    "exports": [
        {"path": PATH, "disk": DISK, "owner": 64061, "clients": ["10.0.0.2", "10.0.0.3"], "options": "rw,root_squash"}
    ]
}


class FakeHost:
    """A server with one disk, which may be mounted; exportfs fills its table from the file."""

    def __init__(self, *, mounted: bool = True, serving: bool = True) -> None:
        self.files = {
            "/proc/sys/kernel/hostname": "storage1\n",
            "/proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n",
            nfs_export.THREADS: "16\n" if serving else "0\n",
        }
        if mounted:
            self.files["/proc/self/mountinfo"] += f"40 22 8:16 / {DISK} rw - xfs /dev/sdb rw\n"
        self.access: dict[str, list[str]] = {}
        self.commands: list[list[str]] = []

    def read_text(self, path: str) -> str | None:
        return self.files.get(path)

    def write(self, path: str, content: str) -> None:
        self.files[path] = content

    def run(self, argv: list[str], check: bool = True) -> Result:
        self.commands.append(argv)
        command = argv[0].rpartition("/")[2]
        if command == "stat":
            found = self.access.get(argv[-1])
            return Result(0, f"{found[0]} {found[1]}\n", "") if found else Result(1, "", "No such file")
        if command == "mkdir":
            self.access.setdefault(argv[-1], ["0:0", "0755"])
        if command == "chown":
            self.access[argv[-1]][0] = argv[1]
        if command == "chmod":
            self.access[argv[-1]][1] = argv[1]
        if command == "exportfs":
            lines = [line.split() for line in self.files[nfs_export.FILE].splitlines() if line.startswith("/")]
            table = [f"{path}\t{client}" for path, *clients in lines for client in clients]
            self.files[nfs_export.TABLE] = "\n".join(table) + "\n"
        return Result(0, "", "")


def planned(io: FakeHost) -> Any:
    return nfs_export.plan(nfs_export.read(io, nfs_export.question(WANTED)), WANTED)  # type: ignore[arg-type]


def test_a_share_is_made_exported_and_then_left_alone() -> None:
    io = FakeHost()
    plan = planned(io)
    assert plan.summary() == [f"create {PATH}", f"create {nfs_export.FILE}"]
    nfs_export.apply(io, plan)  # type: ignore[arg-type]
    assert io.access[PATH] == ["64061:64061", "0770"]
    assert f"{PATH} 10.0.0.2(rw,root_squash) 10.0.0.3(rw,root_squash)\n" in io.files[nfs_export.FILE]
    assert not planned(io)


def test_nothing_is_made_beneath_a_disk_that_is_not_mounted() -> None:
    io = FakeHost(mounted=False)
    with pytest.raises(HoldfastError, match="no disk is mounted on /srv/nfs/d1"):
        nfs_export.apply(io, planned(io))  # type: ignore[arg-type]
    assert io.access == {}
    assert nfs_export.FILE not in io.files


def test_another_owner_is_set_right_and_what_is_in_it_is_not_touched() -> None:
    io = FakeHost()
    io.access[PATH] = ["0:0", "0755"]
    plan = planned(io)
    assert plan.summary()[0] == f"own {PATH}"
    nfs_export.apply(io, plan)  # type: ignore[arg-type]
    assert not [argv for argv in io.commands if "-R" in argv or "--recursive" in argv]


def test_a_table_that_lacks_a_client_is_loaded_again() -> None:
    io = FakeHost()
    nfs_export.apply(io, planned(io))  # type: ignore[arg-type]
    io.files[nfs_export.TABLE] = f"{PATH}\t10.0.0.2(rw)\n"
    plan = planned(io)
    assert plan.summary() == ["load exports"]
    nfs_export.apply(io, plan)  # type: ignore[arg-type]
    assert not planned(io)


def test_where_the_server_does_not_run_yet_the_file_is_enough() -> None:
    io = FakeHost(serving=False)
    nfs_export.apply(io, planned(io))  # type: ignore[arg-type]
    assert not [argv for argv in io.commands if argv[0].endswith("exportfs")]
    assert not planned(io)


def test_what_nobody_may_have_is_not_exported() -> None:
    text = nfs_export.render([{**WANTED["exports"][0], "clients": []}])
    assert PATH not in text, "a path without clients would be everybody's"
