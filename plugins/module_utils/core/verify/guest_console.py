# SPDX-License-Identifier: Apache-2.0
"""How stories have a guest do something, and read what came of it: by its metadata, and by its console.

The lab's guest (roles/lab/files/guest) runs commands of two sources: user data that is a script, when it has booted,
and keys ``run-NAME`` of its metadata, within some seconds of when they are set, each once and beside the others. What a
command says stands on the console with its name, so that several do not mix::

    <<write begins>>
    <<write>> wrote 8388608 bytes
    <<write ends 0>>

The command ``boot`` is the guest's own: what it is, when it has booted.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..errors import HoldfastError
from .story import Cloud, expect, require

MIB = 1024 * 1024
CHUNK = 64 * 1024
LONGEST_COMMAND, LONGEST_SEED = 255, 23
"""Characters: of a value of metadata, and of the beginning of a header."""
BOOT = "boot"
POLL_SECONDS = 2
BEGIN_SECONDS = 120
"""Within which a guest begins what it is told; the metadata service keeps what it knows of an instance for a while."""

_LINE = "what stands behind a header is the same in each chunk of 64 KiB\n"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_SAID = re.compile(r"<<(?P<name>[A-Za-z0-9_.-]{1,40})(?: (?P<state>begins|ends (?P<status>\d+)))?>>(?: (?P<text>.*))?")


@dataclass
class Said:
    """What a command said so far.

    Attributes:
        lines: its lines, without its name.
        status: its exit status; None while it runs.
    """

    lines: list[str] = field(default_factory=list)
    status: int | None = None

    def value(self, word: str) -> str:
        """What follows ``word`` on the last line that begins with it. Raises HoldfastError when there is none."""
        found = [line.partition(" ")[2] for line in self.lines if line.partition(" ")[0] == word]
        require(found, f"The guest said nothing about `{word}`, but: {' / '.join(self.lines[-5:]) or 'nothing'}")
        return found[-1]

    def table(self, word: str) -> dict[str, dict[str, str]]:
        """The lines ``WORD NAME KEY=VALUE...`` as values by key by name, such as the guest's disks (``disk``)."""
        rows = (line.split() for line in self.lines)
        return {
            row[1]: dict(pair.partition("=")[::2] for pair in row[2:]) for row in rows if row[:1] == [word] and row[1:]
        }


def parse(console: str) -> dict[str, Said]:
    """What each command said, by its name, from the text of a console. The last one of a name counts."""
    said: dict[str, Said] = {}
    for line in console.splitlines():
        if not (found := _SAID.search(line.rstrip("\r"))):
            continue
        name, state = found["name"], found["state"]
        if state == "begins":
            said[name] = Said()
        elif state:
            said.setdefault(name, Said()).status = int(found["status"])
        else:
            said.setdefault(name, Said()).lines.append(found["text"] or "")
    return said


def user_data(commands: Mapping[str, str]) -> str:
    """Commands by name, one after the other, as the compute API takes user data (base64)."""
    lines = [f"run {_checked(name)} sh -c {shlex.quote(command)}" for name, command in commands.items()]
    return base64.b64encode("\n".join(["#!/bin/sh", *lines, ""]).encode()).decode()


def metadata(commands: Mapping[str, str]) -> dict[str, str]:
    """Commands by name as keys of a server's metadata. Raises ValueError for one that does not fit there."""
    for name, command in commands.items():
        if len(command) > LONGEST_COMMAND or not re.fullmatch(r"[ -~]+", command):
            raise ValueError(f"{name}: not one line of at most {LONGEST_COMMAND} plain characters")
    return {f"run-{_checked(name)}": command for name, command in commands.items()}


def pattern(seed: str, mebibytes: int) -> bytes:
    """What `pattern write` of the guest puts on a disk. ``seed`` has at most 23 characters."""
    if len(seed) > LONGEST_SEED:
        raise ValueError(f"{seed}: over {LONGEST_SEED} characters")
    headers = [f"{seed:<{LONGEST_SEED}} {number:07d}\n".encode() for number in range(mebibytes * MIB // CHUNK)]
    body = (_LINE * (CHUNK // len(_LINE) + 1)).encode()[: CHUNK - len(headers[0])] if headers else b""
    return b"".join(header + body for header in headers)


def digest(seed: str, mebibytes: int) -> str:
    """What `pattern read` says of it: the SHA-256, in hexadecimal."""
    return hashlib.sha256(pattern(seed, mebibytes)).hexdigest()


@dataclass(frozen=True)
class Guest:
    """A guest that runs.

    Attributes:
        cloud: whose account may see its console and set its metadata.
        server: its id.
        pause: waits so many seconds.
        clock: seconds that only grow.
    """

    cloud: Cloud
    server: str
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def console(self) -> str:
        """All of its console that is kept; empty when it has none yet."""
        url = f"{self.cloud.endpoint('compute')}/servers/{self.server}/action"
        body = json.dumps({"os-getConsoleOutput": {}}).encode()
        answer = self.cloud.request("POST", url, body, {"Content-Type": "application/json"})
        # 404 and 409: it does not run yet.
        expect(answer, 200, 404, 409, doing=f"Reading the console of {self.server}")
        return str(answer.json().get("output") or "") if answer.status == 200 else ""

    def wait(self, name: str, seconds: float) -> Said:
        """What a command said, when it has ended with status 0. Raises HoldfastError when it fails or takes longer."""
        deadline = self.clock() + seconds
        while (said := parse(self.console()).get(name, Said())).status is None:
            if self.clock() > deadline:
                ending = " / ".join(said.lines[-5:]) or "nothing"
                raise HoldfastError(f"The guest did not end `{name}` within {seconds:g} s. It said: {ending}.")
            self.pause(POLL_SECONDS)
        ending = " / ".join(said.lines[-5:]) or "nothing"
        require(said.status == 0, f"The guest ended `{name}` with status {said.status}. It said: {ending}.")
        return said

    def begin(self, commands: Mapping[str, str]) -> None:
        """Have it run commands by name, beside each other; return when it has begun them. A name can be used once.

        It remembers nothing over a boot. So the commands are taken out of its metadata, or it would run them again:
        what a host lost of a disk would be written anew, and nobody would notice.
        """
        url = f"{self.cloud.endpoint('compute')}/servers/{self.server}/metadata"
        keys = metadata(commands)
        body = json.dumps({"metadata": keys}).encode()
        answer = self.cloud.request("POST", url, body, {"Content-Type": "application/json"})
        expect(answer, 200, doing=f"Telling {self.server} to run {', '.join(commands)}")
        deadline = self.clock() + BEGIN_SECONDS
        while missing := ", ".join(sorted({*commands} - {*parse(self.console())})):
            require(self.clock() <= deadline, f"The guest did not begin `{missing}` within {BEGIN_SECONDS} s.")
            self.pause(POLL_SECONDS)
        for key in keys:
            answer = self.cloud.request("DELETE", f"{url}/{key}", None, {})
            expect(answer, 204, 404, doing=f"Taking {key} out of the metadata of {self.server}")

    def run(self, name: str, command: str, seconds: float) -> Said:
        """Have it run a command, and wait for what comes of it. Raises HoldfastError when it fails or takes longer."""
        self.begin({name: command})
        return self.wait(name, seconds)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name}: no name of a command")
    return name
