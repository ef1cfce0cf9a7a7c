# SPDX-License-Identifier: Apache-2.0
"""A machine for tests of the lab: files, and answers to commands."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

MOUNTS = """proc /proc proc rw 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
"""
GROUP = "/sys/fs/cgroup/unified/holdfast-lab/one"


class Machine:
    """A machine of files and answers to commands; ``ran`` and ``asked`` are what it was told."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = {"/proc/mounts": MOUNTS, **files}
        self.answers = {"ip": "[]", "losetup": json.dumps({"loopdevices": []})}
        self.ran: list[list[str]] = []
        self.asked: list[tuple[str, str]] = []

    def run(self, argv: list[str], **_: Any) -> Any:
        self.ran.append(argv)
        return SimpleNamespace(rc=0, out=self.answers.get(" ".join(argv), self.answers.get(argv[0], "")), err="")

    def processes(self, group: str, *numbers: int) -> None:
        """Have processes in a control group."""
        self.answers[f"find {group} -name cgroup.procs -exec cat {{}} +"] = "".join(f"{n}\n" for n in numbers)

    def monitor(self, path: str, name: str, **_: Any) -> None:
        self.asked.append((path, name))

    def write(self, path: str, text: str, **_: Any) -> None:
        self.files[path] = text

    def read_text(self, path: str) -> str | None:
        return self.files.get(path)

    def exists(self, path: str) -> bool:
        return any(name == path or name.startswith(f"{path}/") for name in self.files)

    def listdir(self, path: str) -> list[str]:
        return sorted({name[len(path) + 1 :].split("/")[0] for name in self.files if name.startswith(f"{path}/")})


def machine(**files: str) -> Any:
    """A machine with these files, typed as what it stands for."""
    return Machine(files)
