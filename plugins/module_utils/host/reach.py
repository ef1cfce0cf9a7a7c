# SPDX-License-Identifier: Apache-2.0
"""Echoes and connections to many addresses at once, by one process. Standard library only; echoes need root."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

SMALL = 56  # bytes
ROUND_SECONDS = 1.0
ROUNDS = 3

_ECHO_REQUEST, _ECHO_REPLY = 8, 0
_IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE = 10, 3  # may not be fragmented, and ignores what the kernel learnt of the path


def echo(targets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each target with ``small`` and ``full``, milliseconds or None without an answer, and ``error``, a reason or "".

    ``full`` is an echo of ``size`` bytes that may not be fragmented. Takes ``ROUNDS`` seconds at most.
    """
    results = [{**target, "small": None, "full": None, "error": ""} for target in targets]
    identifier = os.getpid() & 0xFFFF
    waiting = {(index << 1 | full): (result, full) for index, result in enumerate(results) for full in (0, 1)}
    sent: dict[int, float] = {}
    with contextlib.ExitStack() as stack:
        sockets: dict[tuple[str, str], socket.socket | str] = {}
        selector = stack.enter_context(selectors.DefaultSelector())
        for result in results:
            key = (result["source"], result["bridge"])
            if key not in sockets:
                sockets[key] = _echo_socket(*key)
                if isinstance(opened := sockets[key], socket.socket):
                    selector.register(stack.enter_context(opened), selectors.EVENT_READ)
        for _ in range(ROUNDS):
            for number, (result, full) in list(waiting.items()):
                opened = sockets[result["source"], result["bridge"]]
                if isinstance(opened, str):
                    result["error"] = opened
                    del waiting[number]
                    continue
                packet = _request(identifier, number, result["size"] if full else SMALL)
                sent[number] = time.monotonic()
                with contextlib.suppress(OSError):  # larger than the MTU here, or no neighbour: no answer either
                    opened.sendto(packet, (result["address"], 0))
                _collect(selector, identifier, waiting, sent, 0)
            deadline = time.monotonic() + ROUND_SECONDS
            while waiting and (left := deadline - time.monotonic()) > 0:
                _collect(selector, identifier, waiting, sent, left)
    return results


def connect(targets: Sequence[Mapping[str, Any]], seconds: float = 3.0) -> list[dict[str, Any]]:
    """Each target with ``state``: open, closed (it answers, nothing listens) or filtered (no answer)."""
    results = [{**target, "state": "filtered"} for target in targets]
    deadline = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for result in results:
            opened = stack.enter_context(socket.socket())
            opened.setblocking(False)
            try:
                opened.bind((result["source"], 0))
                opened.connect_ex((result["address"], result["port"]))
            except OSError:
                continue
            selector.register(opened, selectors.EVENT_WRITE, result)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                reason = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # type: ignore[union-attr]
                if reason in (0, 111):  # ECONNREFUSED
                    key.data["state"] = "closed" if reason else "open"
                selector.unregister(key.fileobj)
    return results


def _echo_socket(source: str, bridge: str) -> socket.socket | str:
    """A socket for one source on one bridge, or why there is none."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bridge.encode())
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE)
        opened.bind((source, 0))
        opened.setblocking(False)
    except OSError as error:
        opened.close()
        return error.strerror or str(error)
    return opened


def _collect(
    selector: selectors.BaseSelector,
    identifier: int,
    waiting: dict[int, tuple[dict[str, Any], int]],
    sent: Mapping[int, float],
    seconds: float,
) -> None:
    for key, _ in selector.select(seconds):
        with contextlib.suppress(BlockingIOError):
            packet, (sender, _) = key.fileobj.recvfrom(65535)  # type: ignore[union-attr]
            start = (packet[0] & 0x0F) * 4
            kind, _, _, number_of, number = struct.unpack("!BBHHH", packet[start : start + 8])
            if kind == _ECHO_REPLY and number_of == identifier and number in waiting:
                result, full = waiting[number]
                if sender == result["address"]:
                    result["full" if full else "small"] = round((time.monotonic() - sent[number]) * 1000, 2)
                    del waiting[number]


def _request(identifier: int, number: int, size: int) -> bytes:
    content = bytes(size)
    checksum = _checksum(struct.pack("!BBHHH", _ECHO_REQUEST, 0, 0, identifier, number) + content)
    return struct.pack("!BBHHH", _ECHO_REQUEST, 0, checksum, identifier, number) + content


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) & ~1]))
    if len(data) & 1:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
