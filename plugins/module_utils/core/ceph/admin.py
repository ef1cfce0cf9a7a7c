# SPDX-License-Identifier: Apache-2.0
"""The administrator's conversation with a cluster."""

from __future__ import annotations

import time

from ..errors import HoldfastError, RefusedError
from ..host_io import IO, Cluster

ADMIN = "client.admin"
KEYRING = "/etc/ceph/ceph.client.admin.keyring"
MONITORS = "/var/lib/ceph/mon"
QUORUM_SECONDS = 120


def opened(io: IO, timeout: float) -> Cluster:
    """A conversation as the administrator, or as the host's own monitor where the administrator's key is refused.

    So the administrator's key can be changed, and a lost one replaced. Raises HoldfastError when nobody answers within
    ``timeout`` seconds.
    """
    try:
        return io.ceph(ADMIN, KEYRING, timeout)
    except RefusedError:
        for store in io.listdir(MONITORS):
            if io.exists(keyring := f"{MONITORS}/{store}/keyring"):
                return io.ceph("mon.", keyring, timeout)
        raise


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
