# SPDX-License-Identifier: Apache-2.0
"""What a guest is told and what it says, and that its own script makes the content that is expected here."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import guest_console as console
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Answer

PATTERN = Path(__file__).resolve().parents[5] / "roles/lab/files/guest/bin/pattern"
LOG = """
Please press Enter to activate this console. <<boot begins>>\r
<<boot>> name one\r
<<boot>> disk vdb bytes=1073741824 serial=none holds=swap label=none\r
<<boot ends 0>>\r
[   12.3] virtio_blk virtio3: [vdc] <<write begins>>\r
<<write>> wrote 1048576 bytes\r
<<read begins>>\r
<<write>> \r
<<read>> half\r
<<read ends 7>>\r
<<late begins>>\r
"""


class Cloud:
    """A compute API whose guest's console grows with each look."""

    def __init__(self, *logs: str, status: int = 200) -> None:
        self.logs, self.status = list(logs), status
        self.asked: list[tuple[str, Any]] = []

    def endpoint(self, service: str) -> str:
        return f"https://cloud/{service}"

    def request(self, method: str, url: str, body: bytes, headers: Any) -> Answer:
        self.asked.append((url, json.loads(body) if body else method))
        if method == "DELETE":
            return Answer(204, {}, b"")
        log = self.logs.pop(0) if len(self.logs) > 1 else self.logs[0]
        return Answer(self.status, {}, json.dumps({"output": log}).encode())


def guest(*logs: str, status: int = 200) -> Any:
    """A guest, and how long it was waited for."""
    waited = [0.0]
    cloud: Any = Cloud(*logs, status=status)
    pause = lambda seconds: waited.__setitem__(0, waited[0] + seconds)  # noqa: E731
    return console.Guest(cloud, "g1", pause, lambda: waited[0]), cloud


def test_what_commands_say_is_kept_apart() -> None:
    said = console.parse(LOG)
    assert said["write"] == console.Said(["wrote 1048576 bytes", ""], None)
    assert said["read"] == console.Said(["half"], 7)
    assert said["late"] == console.Said([], None)
    assert said["boot"].value("name") == "one"
    assert said["boot"].table("disk")["vdb"] == {
        "bytes": "1073741824", "serial": "none", "holds": "swap", "label": "none",
    }  # fmt: skip


def test_a_guest_that_boots_again_begins_anew() -> None:
    assert console.parse(LOG + LOG.replace("name one", "name two"))["boot"].value("name") == "two"


def test_what_was_not_said_is_told() -> None:
    with pytest.raises(HoldfastError, match="nothing about `sha256`, but: name one"):
        console.parse(LOG)["boot"].value("sha256")


def test_commands_become_a_script() -> None:
    text = base64.b64decode(console.user_data({"a": "echo 'x'", "b.2": "true"})).decode()
    assert text == "#!/bin/sh\nrun a sh -c 'echo '\"'\"'x'\"'\"''\nrun b.2 sh -c true\n"


def test_commands_become_metadata() -> None:
    assert console.metadata({"a": "pattern read /dev/vdb 4"}) == {"run-a": "pattern read /dev/vdb 4"}


@pytest.mark.parametrize("commands", [{"a": "x" * 256}, {"a": "two\nlines"}, {"a": "é"}, {"a b": "true"}, {"": "true"}])
def test_what_does_not_fit_into_metadata_is_refused(commands: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r":"):
        console.metadata(commands)


def test_a_command_is_run_by_metadata_and_waited_for() -> None:
    one, cloud = guest("", "<<a begins>>", "<<a begins>>\n<<a>> sha256 00\n<<a ends 0>>")
    assert one.run("a", "pattern read /dev/vdb 1", 60).value("sha256") == "00"
    assert cloud.asked[0] == (
        "https://cloud/compute/servers/g1/metadata", {"metadata": {"run-a": "pattern read /dev/vdb 1"}}
    )  # fmt: skip


def test_a_command_that_has_begun_is_taken_out_of_the_metadata() -> None:
    """A guest that boots again would run it again."""
    one, cloud = guest("", "", "<<a begins>>")
    one.begin({"a": "true"})
    urls = [url.rpartition("/")[2] for url, _ in cloud.asked]
    assert urls == ["metadata", "action", "action", "run-a"]
    assert cloud.asked[-1] == ("https://cloud/compute/servers/g1/metadata/run-a", "DELETE")


def test_a_command_that_never_begins_is_told() -> None:
    one, _ = guest("<<b begins>>")
    with pytest.raises(HoldfastError, match=r"did not begin `a` within 120 s\."):
        one.begin({"a": "true", "b": "true"})


def test_a_command_that_fails_is_told_with_what_it_said() -> None:
    one, _ = guest(LOG)
    with pytest.raises(HoldfastError, match=r"`read` with status 7\. It said: half"):
        one.wait("read", 60)


def test_a_command_that_takes_too_long_is_told() -> None:
    one, _ = guest(LOG)
    with pytest.raises(HoldfastError, match=r"did not end `write` within 10 s\. It said: wrote 1048576 bytes"):
        one.wait("write", 10)


def test_a_guest_that_does_not_run_yet_has_no_console() -> None:
    one, _ = guest("", status=409)
    assert one.console() == ""


def shell(tmp_path: Path, *words: str) -> str:
    """What the guest's script says, with what this machine has in place of busybox."""
    (tmp_path / "disk").write_text('#!/bin/sh\necho "$1"\n')
    (tmp_path / "usleep").write_text("#!/bin/sh\n")
    for program in ("disk", "usleep"):
        (tmp_path / program).chmod(0o755)
    # What a kernel has in memory of this machine's disks stays there.
    script = PATTERN.read_text().replace("/proc/sys/vm/drop_caches", "/nowhere")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-s", *words], input=script, env=environment, text=True, capture_output=True, check=True
    )
    return done.stdout


def test_the_guest_writes_what_is_expected_here(tmp_path: Path) -> None:
    disk = tmp_path / "content"
    disk.write_bytes(bytes(3 * console.MIB))
    assert shell(tmp_path, "write", str(disk), "seed-1", "1", "1") == "wrote 1048576 bytes\n"
    content = disk.read_bytes()
    assert content == bytes(console.MIB) + console.pattern("seed-1", 1) + bytes(console.MIB)
    assert shell(tmp_path, "read", str(disk), "1", "1") == f"sha256 {console.digest('seed-1', 1)}\n"
    assert shell(tmp_path, "read", str(disk), "3") == f"sha256 {hashlib.sha256(content).hexdigest()}\n"


def test_a_stream_tells_what_is_lost(tmp_path: Path) -> None:
    disk = tmp_path / "content"
    disk.write_bytes(bytes(console.MIB))
    said = shell(tmp_path, "stream", str(disk), "s", "5")
    assert said.splitlines() == [f"acknowledged {number}" for number in range(5)]
    assert shell(tmp_path, "last", str(disk), "s", "10") == "blocks 5 of 5\n"
    with disk.open("r+b") as stream:
        stream.seek(2 * 4096)
        stream.write(bytes(4096))
    assert shell(tmp_path, "last", str(disk), "s", "10") == "blocks 2 of 4\n"
