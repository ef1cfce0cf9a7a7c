# SPDX-License-Identifier: Apache-2.0
"""Which TCP ports can be reached from here. Standard library only."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from typing import Any


def states(addresses: Iterable[str], ports: Iterable[int], timeout: float = 2.0) -> list[dict[str, Any]]:
    """``{address, port, state}`` of every port of every address: open, refused, or filtered when nothing answers.

    Asks all at once and sends nothing. ``timeout`` is in seconds, for all of them together.
    """
    ports = tuple(ports)
    found = {(address, port): "filtered" for address in addresses for port in ports}
    end = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for target in found:
            probe = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET)
            probe.setblocking(False)
            probe.connect_ex(target)
            selector.register(probe, selectors.EVENT_WRITE, (target, probe))
        while selector.get_map() and (left := end - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                target, probe = key.data
                failure = probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                found[target] = {0: "open", errno.ECONNREFUSED: "refused"}.get(failure, "filtered")
                selector.unregister(probe)
                probe.close()
        for key in list(selector.get_map().values()):
            key.data[1].close()
    return [{"address": address, "port": port, "state": state} for (address, port), state in found.items()]


@contextlib.contextmanager
def acting_as(user: str | None) -> Iterator[None]:
    """What is opened meanwhile belongs to ``user``; None is whoever runs this.

    Raises KeyError for a user that the host does not have, PermissionError where another may not be taken on.
    """
    before = os.geteuid()
    os.seteuid(pwd.getpwnam(user).pw_uid if user else before)
    try:
        yield
    finally:
        os.seteuid(before)
