# SPDX-License-Identifier: Apache-2.0
"""How the tests of scenarios speak with hosts, against a server on this machine."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import lab_connection
import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519


def new_key(path: Path) -> paramiko.Ed25519Key:
    private = ed25519.Ed25519PrivateKey.generate()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    path.write_bytes(private.private_bytes(*form))
    return paramiko.Ed25519Key.from_private_key_file(str(path))


class Server(paramiko.ServerInterface):
    """Lets the lab's key in as root, and says of each command how many there were on its connection."""

    def __init__(self, key: paramiko.PKey) -> None:
        self.key = key
        self.commands = 0

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        fits = username == "root" and key.asbytes() == self.key.asbytes()
        return paramiko.AUTH_SUCCESSFUL if fits else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.commands += 1
        # After it was told that its command is taken.
        threading.Timer(0.05, self._answer, (channel, command, self.commands)).start()
        return True

    def _answer(self, channel: paramiko.Channel, command: bytes, number: int) -> None:
        if command == b"die":
            channel.get_transport().close()
            return
        # On a busy machine a test may end the connection before all is told.
        with contextlib.suppress(EOFError, OSError):
            channel.sendall(f"{number} {command.decode()}".encode())
            channel.sendall_stderr(b"said")
            channel.send_exit_status(3)
            channel.close()


class Lab:
    """A host and what `ssh -F` needs for it."""

    def __init__(self, directory: Path) -> None:
        self.host_key, self.own_key = new_key(directory / "host"), new_key(directory / "id_ed25519")
        self.transports: list[paramiko.Transport] = []
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        self.known_hosts = directory / "known_hosts"
        self.trust(self.host_key)
        self.configuration = directory / "config"
        self.configuration.write_text(
            f'Host one\n    HostName 127.0.0.1\n    Port {self.port}\nHost *\n    User root\n'
            f'    IdentityFile "{directory}/id_ed25519"\n    UserKnownHostsFile "{self.known_hosts}"\n'
        )  # fmt: skip

    def trust(self, key: paramiko.PKey) -> None:
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} ssh-ed25519 {key.get_base64()}\n")

    def serve(self) -> None:
        while True:
            try:
                channel = self.listener.accept()[0]
            except OSError:
                return
            transport = paramiko.Transport(channel)
            transport.add_server_key(self.host_key)
            self.transports.append(transport)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=Server(self.own_key))

    def go_down(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """End all connections, as a host does that restarts."""
        while self.transports:
            transport = self.transports.pop()
            transport.close()
            transport.join(5)

    def backend(self) -> lab_connection.LabBackend:
        """A new one, as each test gets it."""
        return lab_connection.LabBackend("one", ssh_config=str(self.configuration))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    server = threading.Thread(target=made.serve)
    server.start()
    yield made
    lab_connection.end()
    made.go_down()
    server.join()
    made.listener.close()
    made.cut()


def test_tests_share_one_connection(lab: Lab) -> None:
    for number in (1, 2, 3):
        done = lab.backend().run("echo %s", "a b")
        assert (done.rc, done.stdout, done.stderr) == (3, f"{number} echo 'a b'", "said")
    assert len(lab.transports) == 1


def test_a_connection_that_ended_is_made_again(lab: Lab) -> None:
    backend = lab.backend()
    assert backend.run("true").stdout == "1 true"
    lab.cut()
    assert [backend.run("true").stdout for _ in range(2)] == ["1 true", "2 true"]


def test_a_command_whose_connection_ends_is_an_error_and_is_not_sent_again(lab: Lab) -> None:
    with pytest.raises(RuntimeError, match=r"^one: "):
        lab.backend().run("die")
    assert lab.backend().run("true").stdout == "1 true"
    assert len(lab.transports) == 2


def test_a_host_that_is_down_is_an_error(lab: Lab) -> None:
    lab.go_down()
    with pytest.raises(RuntimeError, match=r"^one: "):
        lab.backend().run("true")


@pytest.mark.parametrize("known", ["another", "none"])
def test_a_host_that_is_not_known_by_its_key_gets_no_command(lab: Lab, tmp_path: Path, known: str) -> None:
    if known == "another":
        lab.trust(new_key(tmp_path / "another"))
    else:
        lab.known_hosts.write_text("")
    with pytest.raises(RuntimeError, match=r"^one: .*(does not match|not found)"):
        lab.backend().run("true")
    lab.trust(lab.host_key)
    assert lab.backend().run("true").stdout == "1 true"
