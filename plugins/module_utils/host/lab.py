# SPDX-License-Identifier: Apache-2.0
"""What modules of the lab need of the machine beyond commands and files."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator


@contextlib.contextmanager
def machine_lock() -> Iterator[None]:
    """Hold the lab's lock of this machine. It is on a directory that is always there, so it leaves no file."""
    directory = os.open("/run", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)
