# SPDX-License-Identifier: Apache-2.0
"""What is known of drivers, and what our helper keeps of the kernel's list of exports."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.manila import drivers

ROOT = Path(__file__).parents[5]
HELPER = ROOT / "roles/manila/templates/holdfast_exports.py.j2"
MOUNTS = "/var/lib/manila/mnt"


@pytest.mark.parametrize(
    ("driver", "makes"),
    [
        ("manila.share.drivers.cephfs.driver.CephFSDriver", False),
        ("lvm.LVMShareDriver", False),
        ("manila.share.drivers.container.driver.ContainerShareDriver", True),
        ("manila.share.drivers.netapp.dataontap.cluster_mode.drv_multi_svm.NetAppCmodeMultiSvmShareDriver", True),
        ("manila.share.drivers.netapp.dataontap.cluster_mode.drv_single_svm.NetAppCmodeSingleSvmShareDriver", False),
        ("manila.share.drivers.netapp.common.NetAppDriver", None),
        ("manila.share.drivers.generic.GenericShareDriver", None),
        ("vendor.drivers.New", None),
    ],
)
def test_whether_a_driver_makes_file_servers(driver: str, makes: bool | None) -> None:
    assert drivers.handles_share_servers(driver) is makes


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The module, with a stand-in of manila's own helper."""
    helpers = types.ModuleType("helpers")
    helpers.NFSHelper = type("NFSHelper", (), {})  # type: ignore[attr-defined]
    package = types.ModuleType("manila.share.drivers")
    package.helpers = helpers  # type: ignore[attr-defined]
    for name in ("manila", "manila.share"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "manila.share.drivers", package)
    module = types.ModuleType("holdfast_exports")
    exec(compile(HELPER.read_text(), str(HELPER), "exec"), module.__dict__)
    return module


def test_manilas_exports_are_kept_and_no_others(helper: types.ModuleType) -> None:
    exported = (
        f"{MOUNTS}/share-b\t172.29.244.41(rw,sync,no_root_squash)\n"
        f"{MOUNTS}/share-a\t172.29.246.0/24(ro,sync,no_root_squash,mountpoint)\n"
        "/srv/data\t10.0.0.0/8(rw,sync)\n"
        f"{MOUNTS}\t*(rw)\n"
    )
    assert helper.kept(exported, MOUNTS) == (
        f"{MOUNTS}/share-a\t172.29.246.0/24(ro,sync,no_root_squash,mountpoint)\n"
        f"{MOUNTS}/share-b\t172.29.244.41(rw,sync,no_root_squash,mountpoint)\n"
    )


def test_they_go_to_a_file_of_their_own(
    helper: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mnt"
    mounts.mkdir()
    listed = tmp_path / "etab"
    listed.write_text(f"{mounts}/share-a\t172.29.244.41(rw)\n/srv\t*(ro)\n")
    monkeypatch.setattr(helper, "EXPORTED", str(listed))
    seen: list[list[str]] = []
    text: list[str] = []

    def run(server: object, command: list[str]) -> None:
        seen.append(command)
        if command[1] == "cp":
            text.append(Path(command[2]).read_text())

    made = helper.NFSHelper()
    made.configuration = types.SimpleNamespace(share_mount_path=str(mounts))
    made._ssh_exec = run
    made._sync_nfs_temp_and_perm_files(None)
    assert [command[1] for command in seen] == ["cp", "exportfs"]
    assert seen[0][3] == "/etc/exports.d/holdfast-manila.exports"
    assert text == [f"{mounts}/share-a\t172.29.244.41(rw,mountpoint)\n"]
    assert [path.name for path in tmp_path.iterdir()] == ["mnt", "etab"] or len(list(tmp_path.iterdir())) == 2
