# SPDX-License-Identifier: Apache-2.0
"""The guard: the script that hosts run is run here, by the shell, on files of the test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.host import guard
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Host, Result


class Here(Host):
    """This machine, without its service manager and without root."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.change = ""

    def run(self, argv: Sequence[str], **options: Any) -> Result:
        self.commands.append(list(argv))
        return Result(0, "", "")

    def write(self, path: str, content: str | bytes, **options: Any) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_text(str(content))

    def make_directory(self, path: str, **options: Any) -> None:
        if not path.startswith("/var"):
            os.makedirs(path, exist_ok=True)


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script, working in the test's directory."""
    written = tmp_path / "guard"
    written.write_text(guard._SCRIPT.replace(guard.STATE, str(tmp_path / "state")))
    monkeypatch.setattr(guard, "STATE", str(tmp_path / "state"))
    monkeypatch.setattr(guard, "SCRIPT", str(tmp_path / "usr/guard"))
    monkeypatch.setattr(guard, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(guard, "_ENABLED", str(tmp_path / "units/wants/boot"))
    return written


@pytest.fixture
def changed(script: Path, tmp_path: Path) -> Here:
    """A change that waits for its confirmation: one file rewritten, one new, one removed, a link turned."""
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "old").write_text("before")
    (etc / "old").chmod(0o640)
    (etc / "gone").write_text("was here")
    (etc / "link").symlink_to("old")
    io = Here()
    paths = [str(etc / name) for name in ("old", "new", "gone", "link")]
    guard.arm(io, "network", paths=paths, undo=[f"echo undone >> {tmp_path}/log", "false"], seconds=30, change="1")
    io.change = guard.waiting(io, "network")
    (etc / "old").write_text("after")
    (etc / "new").write_text("after")
    (etc / "gone").unlink()
    (etc / "link").unlink()
    (etc / "link").symlink_to("new")
    return io


def run(script: Path, *words: str) -> str:
    return subprocess.run(["/bin/sh", script, *words], check=True, capture_output=True, text=True).stdout


def confirm(io: Here) -> bool:
    """Confirm the change that was begun first."""
    return guard.confirm(io, "network", io.change)


def is_left(tmp_path: Path) -> bool:
    """Whether a change waits, or is being undone."""
    return any((tmp_path / f"state/network/{state}").exists() for state in ("pending", "undoing"))


def assert_as_before(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    assert (etc / "old").read_text() == "before"
    assert (etc / "old").stat().st_mode & 0o777 == 0o640
    assert (etc / "gone").read_text() == "was here"
    assert not (etc / "new").exists()
    assert (etc / "link").readlink() == Path("old")


def test_a_change_that_nobody_confirms_is_undone(script: Path, changed: Here, tmp_path: Path) -> None:
    assert is_left(tmp_path)
    assert "Nobody confirmed the change of network" in run(script, "network")
    assert_as_before(tmp_path)
    assert (tmp_path / "log").read_text() == "undone\n"
    assert not is_left(tmp_path)
    assert not confirm(changed), "it is too late"


def test_a_confirmed_change_stays(script: Path, changed: Here, tmp_path: Path) -> None:
    assert confirm(changed)
    assert run(script, "network") == ""
    assert run(script, "--boot") == ""
    assert (tmp_path / "etc/old").read_text() == "after"
    assert not (tmp_path / "log").exists()
    assert not confirm(changed), "there is nothing left to confirm"
    assert [guard.SYSTEMCTL, "stop", "holdfast-guard@network.timer"] in changed.commands


def test_who_comes_to_confirm_a_change_does_not_confirm_another(script: Path, changed: Here, tmp_path: Path) -> None:
    """A killed run's process that still waits, while the next run has undone its change and begun its own."""
    run(script, "network")
    guard.arm(changed, "network", paths=[str(tmp_path / "etc/old")], undo=[], seconds=30, change="2")
    (tmp_path / "etc/old").write_text("after")
    assert not confirm(changed)
    assert not guard.confirm(changed, "network", "")
    run(script, "network")
    assert_as_before(tmp_path)


def test_what_a_killed_confirmation_left_undoes_no_other_change(script: Path, changed: Here, tmp_path: Path) -> None:
    state = tmp_path / "state/network"
    (state / "confirmed").mkdir()
    (state / "confirmed/paths").write_text("left")
    assert confirm(changed)
    assert run(script, "network") == ""
    assert (tmp_path / "etc/old").read_text() == "after"
    assert not (state / "confirmed").exists()


def test_after_a_restart_the_files_are_back_before_the_network_and_nothing_else_is_run(
    script: Path, changed: Here, tmp_path: Path
) -> None:
    assert "Undid the change of network" in run(script, "--boot")
    assert_as_before(tmp_path)
    assert not (tmp_path / "log").exists()
    assert not is_left(tmp_path)


@pytest.mark.parametrize("word", ["network", "--boot"])
def test_undoing_that_was_killed_is_finished(script: Path, changed: Here, tmp_path: Path, word: str) -> None:
    state = tmp_path / "state/network"
    (state / "pending").rename(state / "undoing")
    (tmp_path / "etc/old").unlink()
    assert is_left(tmp_path)
    assert not confirm(changed)
    run(script, word)
    assert_as_before(tmp_path)
    assert not is_left(tmp_path)


@pytest.mark.parametrize("word", ["network", "--boot"])
def test_undoing_on_a_full_disk_loses_no_file_and_is_made_up_for(
    script: Path, changed: Here, tmp_path: Path, word: str
) -> None:
    full = tmp_path / "bin"
    full.mkdir()
    (full / "cp").write_text("#!/bin/sh\nexit 1\n")
    (full / "cp").chmod(0o755)
    path = {**os.environ, "PATH": f"{full}:{os.environ['PATH']}"}
    subprocess.run(["/bin/sh", script, word], check=False, capture_output=True, env=path)
    assert (tmp_path / "etc/old").read_text() == "after"
    assert (tmp_path / "log").exists() == (word == "network"), "what can be undone is"
    assert is_left(tmp_path)
    run(script, word)
    assert_as_before(tmp_path)
    assert not is_left(tmp_path)
    assert sorted(os.listdir(tmp_path / "etc")) == ["gone", "link", "old"]


def test_undoing_twice_keeps_the_trace_of_the_last(script: Path, changed: Here, tmp_path: Path) -> None:
    run(script, "network")
    guard.arm(changed, "network", paths=[str(tmp_path / "etc/old")], undo=[], seconds=30, change="2")
    run(script, "network")
    assert (tmp_path / "state/network/undone/paths").read_text() == f"{tmp_path}/etc/old\n"


def test_arming_that_was_killed_is_no_change(script: Path, changed: Here, tmp_path: Path) -> None:
    run(script, "network")
    (tmp_path / "state/network/new").mkdir()
    (tmp_path / "state/network/new/paths").write_text(f"{tmp_path}/etc/old\n")
    assert not is_left(tmp_path)
    assert run(script, "--boot") == ""
    assert_as_before(tmp_path)


def test_the_units_are_there_before_the_change_is_pending_and_only_written_once(script: Path, changed: Here) -> None:
    timers = [command for command in changed.commands if command[0].endswith("systemd-run")]
    assert timers == [[
        "/usr/bin/systemd-run", "--quiet", "--unit=holdfast-guard@network.service", "--on-active=30",
        "--timer-property=AccuracySec=100ms",
    ]]  # fmt: skip
    assert [guard.SYSTEMCTL, "daemon-reload"] in changed.commands
    assert changed.commands.index([guard.SYSTEMCTL, "daemon-reload"]) < changed.commands.index(timers[0])
    boot = Path(guard.UNITS, "holdfast-guard-boot.service").read_text()
    assert "Before=network-pre.target systemd-networkd.service" in boot
    changed.commands.clear()
    guard.arm(changed, "firewall", paths=[], undo=[], seconds=30, change="2")
    assert [guard.SYSTEMCTL, "daemon-reload"] not in changed.commands
