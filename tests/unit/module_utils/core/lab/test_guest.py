# SPDX-License-Identifier: Apache-2.0
"""The guest: what it is built from decides its name, it is built once, and its scripts are shell."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import guest

from .lab_machine import machine

SOURCE = Path(__file__).resolve().parents[5] / "roles/lab/files/guest"
FILES = sorted(path for path in SOURCE.rglob("*") if path.is_file())
WANTED = {"cache_dir": "/c", "layers": ["/c/layers/archives-1", "/c/layers/base-2"], "source": "/s", "log": "/l"}
CURRENT = {"root": True, "place": "/c/guests/tiny-1", "cached": [], "free": 2**40}


def read(**files: str) -> dict[str, Any]:
    io = machine(**{"/c/guests/tiny-old/tiny.raw": "", "/s/init": "a", "/s/etc/rc": "b", **files})
    io.answers |= {"id": "0\n", "stat": "100 4096\n"}
    io.digest = io.files.get
    return guest.read(io, WANTED)


def test_a_name_follows_from_what_it_is_built_from() -> None:
    found = read()
    assert found == {**read(), "root": True, "cached": ["/c/guests/tiny-old"], "free": 409600}
    assert found["place"].startswith("/c/guests/tiny-")
    assert read(**{"/s/etc/rc": "c"})["place"] != found["place"]
    assert read(**{"/s/etc/more": "b"})["place"] != found["place"]


def test_it_is_built_once_and_another_goes() -> None:
    plan = guest.plan({**CURRENT, "cached": ["/c/guests/tiny-0"]}, WANTED)
    assert plan.summary() == ["build /c/guests/tiny-1", "delete /c/guests/tiny-0"]
    assert not guest.plan({**CURRENT, "cached": ["/c/guests/tiny-1"], "root": False, "free": 0}, WANTED)


@pytest.mark.parametrize(("state", "code"), [({"root": False}, "lab.not_root"), ({"free": 10**8}, "lab.no_space")])
def test_what_can_not_be_built_is_refused(state: dict[str, Any], code: str) -> None:
    assert [finding.code for finding in guest.plan({**CURRENT, **state}, WANTED).errors] == [code]


def test_it_is_built_by_the_script_and_under_the_lock() -> None:
    io = machine()
    guest.apply(io, guest.plan({**CURRENT, "cached": ["/c/guests/tiny-0"]}, WANTED))
    assert io.files["/c/build/guest.sh"] == guest.script(WANTED, "/c/build/guest")
    built = next(argv for argv in io.ran if argv[0] == "flock")
    assert built[-3:] == ["/l", "/c/build/guest", "/c/guests/tiny-1"]
    assert io.ran[-1] == ["rm", "-rf", "--one-file-system", "/c/guests/tiny-0"]


def test_each_format_has_its_file() -> None:
    assert guest.result(CURRENT, WANTED) == {
        "files": {"raw": "/c/guests/tiny-1/tiny.raw", "qcow2": "/c/guests/tiny-1/tiny.qcow2"}
    }


def test_it_fits_into_what_is_allowed() -> None:
    assert guest.SIZE_MIB <= 32


def test_the_script_is_shell() -> None:
    text = guest.script(WANTED, "/c/build/it's")
    inner = text.partition("<<'BUILD'\n")[2].partition("\nBUILD\n")[0]
    for part in (text, inner):
        assert subprocess.run(["sh", "-n"], input=part, text=True, capture_output=True, check=False).stderr == ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_of_its_root(path: Path) -> None:
    """Scripts are shell; each module that they load is in the image."""
    text = path.read_text()
    if text.startswith("#!"):
        assert subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False).stderr == ""
    if path.name == "rc":
        loaded = text.partition("modprobe -a ")[2].partition("\n")[0].split()
        assert loaded == list(guest.MODULES)
