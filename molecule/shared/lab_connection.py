# SPDX-License-Identifier: Apache-2.0
"""testinfra's paramiko backend for hosts of a lab: one connection a host, kept over all tests of a scenario.

testinfra's own makes a connection for each test, and takes any host key.
"""

from __future__ import annotations

import atexit
import logging
import socket
from typing import Any

import paramiko
from testinfra.backend.base import CommandResult
from testinfra.backend.paramiko import ParamikoBackend

CONNECT_SECONDS = 10
ANSWER_SECONDS = 60
"""To each step of a new connection: an emulated host takes its time."""
SILENT_SECONDS = 30
"""After which a connection is given up when its host takes nothing any more, as when its power was cut."""
FAILURES = (OSError, EOFError, paramiko.SSHException)

_kept: dict[tuple[str, str], paramiko.SSHClient] = {}

# What it has to say of hosts that are down would stand among what tests say.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class LabBackend(ParamikoBackend):  # type: ignore[misc]
    """Speaks with a host as `ssh -F` with the lab's configuration does: with its user and key, checking the host's."""

    NAME = "paramiko"

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        """What a command gives. Raises RuntimeError when there is no connection; it is never sent twice."""
        encoded = self.encode(self.get_command(command, *args))
        try:
            with self._channel() as channel:
                channel.exec_command(encoded)
                output, errors = b"".join(channel.makefile("rb")), b"".join(channel.makefile_stderr("rb"))
                status = channel.recv_exit_status()
        except FAILURES as error:
            raise RuntimeError(f"{self.host.name}: {error}") from error
        if status < 0:
            raise RuntimeError(f"{self.host.name}: the connection ended before `{command}` did")
        return self.result(status, encoded, output, errors)

    def _channel(self) -> paramiko.Channel:
        """A channel of the host's connection, which is made when there is none, or the one that was kept is dead."""
        key = (str(self.ssh_config), self.host.name)
        if kept := _kept.get(key):
            try:
                return _channel_of(kept)
            except FAILURES:
                _kept.pop(key).close()
        _kept[key] = _connect(*key)
        return _channel_of(_kept[key])


def _connect(configuration: str, name: str) -> paramiko.SSHClient:
    known = paramiko.SSHConfig.from_path(configuration).lookup(name)
    client = paramiko.SSHClient()
    client.load_host_keys(known["userknownhostsfile"])
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    # Given up by the kernel when the host is silent, and not by a time-out of ours: a command may be silent for long.
    address, port = known["hostname"], int(known.get("port", 22))
    channel = socket.create_connection((address, port), timeout=CONNECT_SECONDS)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENT_SECONDS // 3)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, SILENT_SECONDS // 3)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_SECONDS * 1000)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        client.connect(
            address,
            port,
            username=known["user"],
            key_filename=known["identityfile"],
            allow_agent=False,
            look_for_keys=False,
            banner_timeout=ANSWER_SECONDS,
            auth_timeout=ANSWER_SECONDS,
            sock=channel,
        )
    except BaseException:
        client.close()
        channel.close()
        raise
    return client


def _channel_of(client: paramiko.SSHClient) -> paramiko.Channel:
    transport = client.get_transport()
    if not (transport and transport.is_active()):
        raise EOFError("the connection has ended")
    return transport.open_session(timeout=ANSWER_SECONDS)


@atexit.register
def end() -> None:
    """End all connections."""
    while _kept:
        _kept.popitem()[1].close()
