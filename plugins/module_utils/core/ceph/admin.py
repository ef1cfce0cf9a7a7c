# SPDX-License-Identifier: Apache-2.0
"""Conversations with a cluster as one who may do everything in it."""

from __future__ import annotations

import time

from ..errors import HoldfastError
from ..host_io import IO, Cluster

ADMIN = "client.admin"
KEYRING = "/etc/ceph/ceph.client.admin.keyring"
MONITORS = "/var/lib/ceph/mon"
QUORUM_SECONDS = 120


def can_ask(io: IO) -> bool:
    """Whether the host has what a conversation needs: ``ceph.conf``, and a monitor or the administrator's keyring."""
    return io.exists("/etc/ceph/ceph.conf") and (bool(_own_monitor(io)) or io.exists(KEYRING))


def opened(io: IO, timeout: float) -> Cluster:
    """A conversation as the host's own monitor, or as the administrator where there is none.

    So the administrator's key rests on no disk of a monitor's host, can be changed, and a lost one replaced. Raises
    HoldfastError when nobody answers within ``timeout`` seconds.
    """
    if monitor := _own_monitor(io):
        return io.ceph("mon.", monitor, timeout)
    return io.ceph(ADMIN, KEYRING, timeout)


def with_manager(io: IO, own: Cluster, timeout: float) -> Cluster:
    """The administrator's conversation, by the key that ``own`` tells: managers listen to no monitor's."""
    return io.ceph(ADMIN, "", timeout, key=own.tell("auth get-key", entity=ADMIN)["key"])


def _own_monitor(io: IO) -> str:
    """The keyring of the host's own monitor; empty where it has none."""
    keyrings = (f"{MONITORS}/{store}/keyring" for store in io.listdir(MONITORS))
    return next(filter(io.exists, keyrings), "")


def connected(io: IO) -> Cluster:
    """The same, as soon as the monitors agree."""
    deadline = time.monotonic() + QUORUM_SECONDS
    while True:
        try:
            return opened(io, 10)
        except HoldfastError as error:
            if time.monotonic() > deadline:
                raise HoldfastError(
                    f"The monitors came to no agreement within {QUORUM_SECONDS} s: {error.message} "
                    "Fix: journalctl -u 'ceph-mon@*' on their hosts, and see that 3300 is open between them on storage."
                ) from None
            time.sleep(0.5)
