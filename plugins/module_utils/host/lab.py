# SPDX-License-Identifier: Apache-2.0
"""The machine on which a lab runs, as its modules see it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping

from . import ssh
from .local import Host


class LabMachine(Host):
    """Commands and files, and the lab's hosts as they boot."""

    def wait_for_ssh(self, keys: Mapping[str, str], seconds: float) -> list[str]:
        """Wait until hosts answer by SSH; the addresses that did not. See ``ssh.wait``."""
        return ssh.wait(keys, seconds)


@contextlib.contextmanager
def machine_lock() -> Iterator[None]:
    """Hold the lab's lock of this machine. It is on a directory that is always there, so it leaves no file."""
    directory = os.open("/run", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)
