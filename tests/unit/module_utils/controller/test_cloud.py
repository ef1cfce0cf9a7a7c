# SPDX-License-Identifier: Apache-2.0
"""Requests in pieces or without an end, and connections that are held, against servers of a few lines."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller import cloud as controller
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import certificates


@pytest.fixture(name="certificate")
def _certificate(tmp_path: Path) -> Path:
    path = tmp_path / "server.pem"
    path.write_bytes(certificates.server("127.0.0.1"))
    return path


def client(certificate: Path | None = None) -> controller.Client:
    entry = {"auth": {"auth_url": "https://127.0.0.1:1", "username": "admin", "password": "x", "project_name": "admin"}}
    return controller.Client({**entry, "cacert": str(certificate)} if certificate else entry)


@pytest.mark.parametrize(
    ("answer", "status"), [(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n", 413), (b"", 0)]
)
def test_a_request_that_does_not_end_is_answered_or_not(certificate: Path, answer: bytes, status: int) -> None:
    heads: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve() -> None:
        for _ in range(2):
            plain, _ = server.accept()
            with context.wrap_socket(plain, server_side=True) as connection:
                heads.append(connection.recv(4096))
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    url = f"https://127.0.0.1:{server.getsockname()[1]}/v3/auth/tokens"
    with client(certificate).unfinished(url, 2, 4711) as begun:
        assert [one.status() for one in begun] == [status, status]
    thread.join(5)
    server.close()
    for head in heads:
        assert head.startswith(b"POST /v3/auth/tokens HTTP/1.1\r\n")
        assert b"\r\nContent-Length: 4711\r\n" in head
        assert head.endswith(b"\r\n\r\n{")


def test_a_body_in_pieces_is_sent_in_these_chunks(certificate: Path) -> None:
    received = bytearray()
    server = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve() -> None:
        plain, _ = server.accept()
        with context.wrap_socket(plain, server_side=True) as connection:
            while not received.endswith(b"0\r\n\r\n"):
                received.extend(connection.recv(4096))
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    url = f"https://127.0.0.1:{server.getsockname()[1]}/v2/images/1/file"
    answer = client(certificate).request("PUT", url, [b"some", b"more of it"], token=False)
    thread.join(5)
    server.close()
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert answer.status == 204
    assert b"\r\nTransfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    assert body.lower() == b"4\r\nsome\r\na\r\nmore of it\r\n0\r\n\r\n"


def test_connections_that_are_let_go_are_not_held() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        for number in range(5):
            connection, _ = server.accept()
            if number < 3:
                kept.append(connection)
            else:
                connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    mine, held = client().open_connections(f"https://127.0.0.1:{server.getsockname()[1]}", 5)
    thread.join(5)
    for connection in (*kept, server):
        connection.close()
    assert (mine, held) == ("127.0.0.1", 3)


def test_another_user_has_a_token_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    other = client().another("alice", "secret", "garden")
    assert other.auth["auth_url"] == "https://127.0.0.1:1"
    assert (other.auth["username"], other.auth["project_name"]) == ("alice", "garden")
    with pytest.raises(HoldfastError):
        _ = other.token_details
