# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from ansible_collections.holdfast.storage.plugins.module_utils.host import ssh


@pytest.fixture
def key(tmp_path) -> paramiko.Ed25519Key:
    private = ed25519.Ed25519PrivateKey.generate()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    (tmp_path / "key").write_bytes(private.private_bytes(*form))
    return paramiko.Ed25519Key.from_private_key_file(str(tmp_path / "key"))


@contextlib.contextmanager
def host(key: paramiko.Ed25519Key | None, listens_after: float = 0) -> Iterator[int]:
    """The port of a host that boots: it listens after a while, and answers by SSH when it has a key."""
    done = threading.Event()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))

        def serve() -> None:
            done.wait(listens_after)
            listener.listen()
            listener.settimeout(0.05)
            with contextlib.ExitStack() as held:
                while not done.is_set():
                    with contextlib.suppress(TimeoutError):
                        channel = held.enter_context(listener.accept()[0])
                        if key:
                            transport = paramiko.Transport(channel)
                            held.callback(transport.join, 1)
                            held.callback(transport.close)
                            transport.add_server_key(key)
                            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                                transport.start_server(server=paramiko.ServerInterface())

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            server.join()


def test_a_host_that_boots_is_waited_for_until_it_answers_with_its_key(key):
    begun = time.monotonic()
    with host(key, listens_after=0.5) as port:
        assert ssh.wait({"127.0.0.1": key.get_base64()}, 20, port) == []
    assert 0.4 < time.monotonic() - begun < 15


def test_a_host_with_another_key_is_another_host(key):
    with host(key) as port:
        assert ssh.wait({"127.0.0.1": "AAAA"}, 0.5, port) == ["127.0.0.1"]


@pytest.mark.parametrize("listens_after", [0, 60])
def test_who_does_not_answer_is_told_when_the_time_is_over(monkeypatch, listens_after):
    monkeypatch.setattr(ssh, "CONNECT_SECONDS", 0.3)
    begun = time.monotonic()
    with host(None, listens_after) as port:
        assert ssh.wait({"127.0.0.1": "AAAA", "127.0.0.2": "BBBB"}, 0.5, port) == ["127.0.0.1", "127.0.0.2"]
        assert time.monotonic() - begun < 5


def test_nobody_is_not_waited_for():
    assert ssh.wait({}, 60) == []
