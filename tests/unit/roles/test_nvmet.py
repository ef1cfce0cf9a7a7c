# SPDX-License-Identifier: Apache-2.0
"""The stand-in for the Python module nvmet, on a directory that behaves as the kernel's configfs does."""

from __future__ import annotations

import json
import os
import types
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "roles/cinder/templates/nvmet.py.j2"
NQN = "nqn.2010-10.org.openstack:volume-1"
# What the kernel makes beneath a new directory.
FILES = {
    "subsystems": {"attr_allow_any_host": "0"},
    "namespaces": {"device_nguid": "", "device_uuid": "", "device_path": "(null)", "enable": "0"},
    "ports": dict.fromkeys(("addr_adrfam", "addr_traddr", "addr_treq", "addr_trsvcid", "addr_trtype"), ""),
}
SUBSYSTEM: dict[str, Any] = {
    "nqn": NQN,
    "attr": {"allow_any_host": "1"},
    "allowed_hosts": [],
    "namespaces": [{"nsid": 10, "enable": 1, "device": {"nguid": "g", "uuid": "u", "path": "/dev/vg/volume-1"}}],
}
ADDRESS = {"adrfam": "ipv4", "traddr": "10.0.0.1", "treq": "not specified", "trsvcid": 4420, "trtype": "tcp"}
PORT: dict[str, Any] = {"portid": 1, "addr": ADDRESS, "referrals": [], "subsystems": [NQN]}


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """Where configfs is. What is made there gets what the kernel gives it, and goes with it."""
    make, remove = os.mkdir, os.rmdir

    def mkdir(path, *more):
        make(path, *more)
        kind = os.path.basename(os.path.dirname(path))
        for name, value in FILES.get(kind, {}).items():
            Path(path, name).write_text(value)
        for inner in {"subsystems": ["namespaces"], "ports": ["subsystems"]}.get(kind, ()):
            if os.path.basename(os.path.dirname(os.path.dirname(path))) == "nvmet":
                make(f"{path}/{inner}")

    def rmdir(path, *more):
        for entry in Path(path).iterdir():
            entry.rmdir() if entry.is_dir() else entry.unlink()
        remove(path, *more)

    monkeypatch.setattr(os, "mkdir", mkdir)
    monkeypatch.setattr(os, "rmdir", rmdir)
    for name in ("subsystems", "ports"):
        (tmp_path / "nvmet" / name).mkdir(parents=True, exist_ok=True)
        for stray in (tmp_path / "nvmet" / name).iterdir():
            stray.unlink() if stray.is_file() else stray.rmdir()
    return tmp_path


def load(kernel: Path) -> Any:
    module = types.ModuleType("nvmet")
    exec(compile(SOURCE.read_text(), str(SOURCE), "exec"), module.__dict__)
    module.CONFIGFS, module.STATE = str(kernel / "nvmet"), str(kernel / "state.json")
    return module


def test_what_cinder_makes_is_in_the_kernel_and_in_the_file(kernel):
    nvmet = load(kernel)
    with pytest.raises(nvmet.nvme.CFSNotFound):
        nvmet.Subsystem(NQN, mode="lookup")
    nvmet.Subsystem.setup(SUBSYSTEM, err_func=None)
    nvmet.Port.setup(nvmet.Root(), PORT, err_func=None)
    (namespace,) = nvmet.Subsystem(NQN, mode="lookup").namespaces
    assert (namespace.nsid, namespace.get_attr("device", "path"), namespace.get_enable()) == (10, "/dev/vg/volume-1", 1)
    assert nvmet.Port("1", mode="lookup").subsystems == [NQN]
    state = json.loads((kernel / "state.json").read_text())
    assert state["ports"][0]["addr"]["traddr"] == "10.0.0.1"
    assert (kernel / "state.json").stat().st_mode & 0o777 == 0o600


def test_after_a_reboot_all_is_as_it_was(kernel):
    nvmet = load(kernel)
    nvmet.Subsystem.setup(SUBSYSTEM)
    nvmet.Port.setup(None, PORT)
    before = nvmet._state()
    port = nvmet.Port(1, "lookup")
    (kernel / "nvmet/ports/1/subsystems" / NQN).unlink()
    os.rmdir(port.path)
    os.rmdir(f"{kernel}/nvmet/subsystems/{NQN}/namespaces/10")
    os.rmdir(f"{kernel}/nvmet/subsystems/{NQN}")
    assert nvmet._state() == {"subsystems": [], "ports": []}
    assert nvmet.restore() == []
    assert nvmet._state() == before


def test_what_is_removed_does_not_come_back(kernel):
    nvmet = load(kernel)
    nvmet.Subsystem.setup(SUBSYSTEM)
    nvmet.Port.setup(None, PORT)
    nvmet.Port(1, "lookup").remove_subsystem(NQN)
    nvmet.Subsystem(NQN, "lookup").delete()
    state = json.loads((kernel / "state.json").read_text())
    assert (state["subsystems"], state["ports"][0]["subsystems"]) == ([], [])


def test_nothing_was_ever_made(kernel):
    assert load(kernel).restore() == []


def test_what_cinder_never_makes_is_refused(kernel):
    nvmet = load(kernel)
    with pytest.raises(nvmet.CFSError, match="no hosts"):
        nvmet.Host("nqn.x")
