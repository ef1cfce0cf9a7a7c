# SPDX-License-Identifier: Apache-2.0
"""Who can write a cache, against servers of a few lines."""

from __future__ import annotations

import os
import pwd
import socket
import ssl
import threading
from pathlib import Path

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations import secrets
from ansible_collections.holdfast.storage.plugins.module_utils.host import cache
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import certificates

ME = pwd.getpwuid(os.geteuid()).pw_name
CLIENT = secrets.FORMS["client_certificate"]


def _serve(server: socket.socket, context: ssl.SSLContext | None = None) -> None:
    with server:
        connection, _ = server.accept()
        try:
            with context.wrap_socket(connection, server_side=True) if context else connection as talk:
                talk.sendall(b"STORED\r\n" if talk.recv(200).startswith(b"set holdfast-verify ") else b"ERROR\r\n")
        except OSError:
            pass


def _started(server: socket.socket, context: ssl.SSLContext | None = None) -> threading.Thread:
    thread = threading.Thread(target=_serve, args=(server, context), daemon=True)
    thread.start()
    return thread


def test_an_entry_is_written_to_a_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    thread = _started(server)
    found = cache.attempt({"name": "own", "user": ME, "place": f"unix:{path}"})
    thread.join(5)
    assert found == {"name": "own", "written": True, "said": "STORED"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_does_not_reach_a_socket_of_ours(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        os.chmod(path, 0o700)
        server.listen()
        found = cache.attempt({"name": "nobody", "user": "nobody", "place": f"unix:{path}"})
    assert found["written"] is False
    assert "Permission denied" in found["said"]


def test_a_user_that_is_not_there_is_absent() -> None:
    assert cache.attempt({"name": "x", "user": "no-such-user", "place": "unix:/x"}) == {"name": "x", "absent": True}


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        found = cache.attempt({"name": "x", "user": ME, "place": f"127.0.0.1:{unused.getsockname()[1]}"})
    assert found["written"] is False
    assert "refused" in found["said"]


@pytest.fixture(name="server_certificate")
def _server_certificate(tmp_path: Path) -> Path:
    path = tmp_path / "server.pem"
    path.write_bytes(certificates.server("127.0.0.1"))
    return path


@pytest.mark.parametrize(
    ("shown", "tls", "written"),
    [("own", True, True), ("another", True, False), (None, True, False), (None, False, False)],
)
def test_only_the_certificate_in_the_secret_writes(
    tmp_path: Path, server_certificate: Path, shown: str | None, tls: bool, written: bool
) -> None:
    made = {"own": CLIENT.make(), "another": CLIENT.make()}
    for name, pem in made.items():
        (tmp_path / f"{name}.pem").write_text(pem)
    (tmp_path / "clients.pem").write_text(secrets.certificate_of(made["own"]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_certificate)
    context.load_verify_locations(tmp_path / "clients.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    thread = _started(server, context)
    asked = {"name": "x", "user": ME, "place": f"127.0.0.1:{port}", "tls": tls, "authority": str(server_certificate)}
    found = cache.attempt({**asked, "certificate": str(tmp_path / f"{shown}.pem") if shown else None})
    thread.join(5)
    assert found["written"] is written, found["said"]
