# SPDX-License-Identifier: Apache-2.0
"""What crosses the network in clear, on this machine's loopback."""

from __future__ import annotations

import os
import socket
import struct
import threading

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.host import capture


def packet(source: int, target: int, data: bytes, *, protocol: int = 6, padding: bytes = b"") -> bytes:
    """An IPv4 packet with a TCP segment with 12 bytes of options."""
    segment = struct.pack("!HHIIBBHHH", source, target, 0, 0, 8 << 4, 0, 0, 0, 0) + bytes(12) + data
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, protocol, 0, b"aaaa", b"bbbb")
    return head + segment + padding


def test_a_segment_is_taken_apart() -> None:
    for ends in ((6200, 40000), (40000, 6200)):
        found = capture._payload(packet(*ends, b"PUT /d1", padding=b"\0\0"), {6200})
        assert found
        assert found[1] == b"PUT /d1"
    assert capture._payload(packet(40000, 443, b"PUT"), {6200}) is None
    assert capture._payload(packet(40000, 6200, b"PUT", protocol=17), {6200}) is None
    assert capture._payload(b"short", {6200}) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what others say")
def test_what_is_said_is_heard_also_when_it_is_cut_in_two() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def say() -> None:
            client = socket.create_connection(("127.0.0.1", port))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            taken, _ = server.accept()
            reader = threading.Thread(target=lambda: taken.recv(100))
            reader.start()
            for part in (b"X-Auth-Token: sec", b"ret\r\n"):
                client.sendall(part)
            reader.join()
            client.close()
            taken.close()

        size, found = capture.carried([port], ["secret", "other"], say)
        assert found == {"secret"}
        assert size >= 23
        assert capture.carried([port + 1], ["secret"], say) == (0, set())
