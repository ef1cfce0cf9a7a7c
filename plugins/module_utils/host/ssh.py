# SPDX-License-Identifier: Apache-2.0
"""Hosts that boot, as SSH sees them. On the controller, which has paramiko."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import paramiko

CONNECT_SECONDS = 1
"""To a connection. A host that boots has no address yet: another try finds it sooner than the first when repeated."""
ANSWER_SECONDS = 60
"""To an answer with its key: an emulated host that still boots takes its time."""
PAUSE_SECONDS = 0.2

# What it has to say of hosts that do not answer yet is no news.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


def wait(keys: Mapping[str, str], seconds: float, port: int = 22) -> list[str]:
    """Wait until each address answers with its own key; returns those that did not within ``seconds``.

    ``keys``: the Ed25519 key of each address, in base64. All are asked side by side.
    """
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(max(1, len(keys))) as pool:
        answered = pool.map(lambda address: _answers(address, keys[address], end, port), keys)
        return [address for address, has in zip(keys, answered, strict=True) if not has]


def _answers(address: str, key: str, end: float, port: int) -> bool:
    while True:
        if _key(address, port, end) == key:
            return True
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE_SECONDS)


def _key(address: str, port: int, end: float) -> str:
    """The key of which a host shows that it has it; empty when there is no answer."""
    try:
        channel = socket.create_connection((address, port), timeout=CONNECT_SECONDS)
    except OSError:
        return ""
    with channel:
        transport = paramiko.Transport(channel)
        transport.banner_timeout = ANSWER_SECONDS
        transport.get_security_options().key_types = ("ssh-ed25519",)
        try:
            transport.start_client(timeout=max(CONNECT_SECONDS, min(ANSWER_SECONDS, end - time.monotonic())))
            return transport.get_remote_server_key().get_base64()
        except (paramiko.SSHException, OSError, EOFError):
            return ""
        finally:
            transport.close()
            transport.join(CONNECT_SECONDS)
