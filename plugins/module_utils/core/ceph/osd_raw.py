# SPDX-License-Identifier: Apache-2.0
"""OSDs that have whole devices, as ceph-osd makes them: BlueStore's, with links to them in the OSD's directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..host_io import IO
from . import values as ceph

_CEPH = {"owner": "ceph", "group": "ceph"}


def make(io: IO, osd: Mapping[str, Any], number: str, key: str) -> None:
    """Make the OSD with the number and the key that the cluster has for it. Its devices are written."""
    home = ceph.osd_home(number)
    # What an OSD left that had the number before.
    io.run(["/usr/bin/rm", "-rf", "--one-file-system", "--", home])
    io.make_directory(home, mode="0750", **_CEPH)
    io.write(f"{home}/keyring", ceph.keyring({f"osd.{number}": key}), mode="0600", **_CEPH)
    if osd.get("class"):
        io.write(f"{home}/crush_device_class", f"{osd['class']}\n", mode="0600", **_CEPH)
    _link(io, osd, home)
    io.run(
        [
            "/usr/bin/ceph-osd", "--mkfs", "--id", number, "--osd-uuid", osd["uuid"], "--osd-data", home,
            "--keyfile", "-", "--setuser", "ceph", "--setgroup", "ceph",
        ],
        stdin=key,
        timeout=900,
    )  # fmt: skip


def activate(io: IO, osd: Mapping[str, Any], number: str) -> None:
    """Make the directory of an OSD that is on its disk already, as after a new installation of the host."""
    home = ceph.osd_home(number)
    io.make_directory(home, mode="0750", **_CEPH)
    if not io.exists(f"{home}/keyring"):
        io.run(["/usr/bin/ceph-bluestore-tool", "prime-osd-dir", "--dev", osd["device"], "--path", home])
        io.run(["/usr/bin/chown", "-R", "ceph:ceph", home])
    _link(io, osd, home)


def _link(io: IO, osd: Mapping[str, Any], home: str) -> None:
    for option, link, _ in ceph.OSD_PARTS:
        if device := osd.get(option):
            io.link(f"{home}/{link}", device)
            io.run(["/usr/bin/chown", "ceph:ceph", device])
