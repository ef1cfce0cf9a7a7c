# SPDX-License-Identifier: Apache-2.0
"""A web socket as far as a proof needs it: one is asked for, something is sent, and what comes is read (RFC 6455)."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import time
from typing import BinaryIO
from urllib.parse import SplitResult

_TEXT, _BINARY, _CLOSE = 1, 2, 8


def talk(connection: socket.socket, url: SplitResult, sent: bytes, length: int, seconds: float) -> tuple[int, bytes]:
    """The status of the answer, and up to ``length`` bytes that came within ``seconds``; none unless it is 101."""
    deadline = time.monotonic() + seconds
    path = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}"
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: binary\r\n\r\n"
    )
    connection.settimeout(seconds)
    connection.sendall(head.encode())
    stream = connection.makefile("rb")
    status, said = 0, b""
    with contextlib.suppress(OSError, IndexError, ValueError):
        status = int(stream.readline(256).split()[1])
        while stream.readline(8192).strip():
            pass
        if status != 101:
            return status, b""
        if sent:
            connection.sendall(frame(sent, os.urandom(4)))
        while len(said) < length and time.monotonic() < deadline:
            kind, content = _read(stream)
            if kind == _CLOSE:
                break
            said += content if kind in (0, _TEXT, _BINARY) else b""
    return status, said[:length]


def frame(content: bytes, mask: bytes) -> bytes:
    """A frame of bytes, as a client sends it."""
    size = len(content)
    head = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
    return bytes([0x80 | _BINARY]) + head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(content))


def _read(stream: BinaryIO) -> tuple[int, bytes]:
    """The kind of the next frame, and its content. Raises OSError when there is none."""
    head = stream.read(2)
    if len(head) < 2:
        raise OSError("the connection was closed")
    size = head[1] & 0x7F
    if size > 125:
        size = int.from_bytes(stream.read(2 if size == 126 else 8), "big")
    return head[0] & 0x0F, stream.read(size)
