# SPDX-License-Identifier: Apache-2.0
"""Connections on the loopback; echoes need root and a second host, so the networks scenario has them."""

from __future__ import annotations

import socket

from ansible_collections.holdfast.storage.plugins.module_utils.host import reach


def test_open_and_closed_ports_are_told_apart() -> None:
    with socket.socket() as listening, socket.socket() as bound:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        bound.bind(("127.0.0.1", 0))
        ports = [listening.getsockname()[1], bound.getsockname()[1]]
        states = reach.connect([{"source": "127.0.0.1", "address": "127.0.0.1", "port": port} for port in ports])
    assert [state["state"] for state in states] == ["open", "closed"]


def test_a_source_that_the_host_does_not_have_reaches_nothing() -> None:
    assert reach.connect([{"source": "192.0.2.1", "address": "127.0.0.1", "port": 9}])[0]["state"] == "filtered"


def test_an_echo_request_is_as_the_standard_says() -> None:
    packet = reach._request(0x1234, 7, 57)
    assert packet[:2] == b"\x08\x00"
    assert packet[4:8] == b"\x12\x34\x00\x07"
    assert len(packet) == 8 + 57
    assert reach._checksum(packet) == 0, "with its checksum in it, a packet sums up to nothing"
