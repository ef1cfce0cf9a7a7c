# SPDX-License-Identifier: Apache-2.0
"""What this host says to others, and hears, in clear. Standard library only."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection, Iterable

_ALL_PROTOCOLS = 0x0003
_IPV4, _TCP = 0x0800, 6
_MOST = 64 * 1024 * 1024
_SETTLES = 0.5


def carried(ports: Collection[int], texts: Iterable[str], act: Callable[[], None]) -> tuple[int, set[str]]:
    """How many bytes TCP carried from and to ``ports`` of any host while ``act`` ran, and which ``texts`` were in them.

    Sees every interface, the loopback too. Needs root. Raises OSError without it, and when there was too much to keep.
    """
    streams: dict[tuple[bytes, bytes], bytearray] = {}
    over = threading.Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PROTOCOLS)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024 * 1024)
        thread = threading.Thread(target=_listen, args=(listener, set(ports), streams, over), daemon=True)
        thread.start()
        try:
            act()
            time.sleep(_SETTLES)
        finally:
            over.set()
            thread.join()
    size = sum(map(len, streams.values()))
    if size > _MOST:
        raise OSError(f"More than {_MOST} bytes came by")
    return size, {text for text in texts if any(text.encode() in stream for stream in streams.values())}


def _listen(
    listener: socket.socket, ports: set[int], streams: dict[tuple[bytes, bytes], bytearray], over: threading.Event
) -> None:
    size = 0
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while not over.is_set() and size <= _MOST:
            if not selector.select(0.1):
                continue
            packet, (interface, protocol, *_) = listener.recvfrom(262144)
            if protocol == _IPV4 and (part := _payload(packet, ports)):
                ends, data = part
                streams.setdefault((interface.encode(), ends), bytearray()).extend(data)
                size += len(data)


def _payload(packet: bytes, ports: set[int]) -> tuple[bytes, bytes] | None:
    """Both ends, and what a TCP segment carries; None for another packet."""
    if len(packet) < 40 or packet[9] != _TCP:
        return None
    start = (packet[0] & 15) * 4
    end = struct.unpack_from("!H", packet, 2)[0] or len(packet)
    source, target = struct.unpack_from("!HH", packet, start)
    if source not in ports and target not in ports:
        return None
    data = packet[start + (packet[start + 12] >> 4) * 4 : end]
    return packet[12:20] + packet[start : start + 4], data
