# SPDX-License-Identifier: Apache-2.0
"""Back ends of the type nfs: the lists of their shares, and where cinder mounts these."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ..model import Host, Model
from ..nfs.shares import source
from .backends import Backend

# Each share is mounted below it, under a name that follows from its own.
MOUNTS = "/var/lib/cinder/mnt"


def share_files(model: Model, host: Host) -> list[dict[str, str]]:
    """``{path, content}`` of the list of exports of each back end, as cinder reads it."""
    return [
        {
            "path": f"/etc/cinder/nfs-{backend['name']}.shares",
            "content": "".join(f"{source(model, share)}\n" for share in backend["shares"]),
        }
        for backend in _backends(host)
    ]


def mounts(model: Model, host: Host) -> list[str]:
    """Where cinder has mounted the shares of a host's back ends. Nothing unmounts them when it stops."""
    return [
        f"{MOUNTS}/{hashlib.md5(source(model, share).encode(), usedforsecurity=False).hexdigest()}"
        for backend in _backends(host)
        for share in backend["shares"]
    ]


def _backends(host: Host) -> Iterator[Backend]:
    return (backend for backend in host.variables.get("cinder_backends") or () if backend["type"] == "nfs")
