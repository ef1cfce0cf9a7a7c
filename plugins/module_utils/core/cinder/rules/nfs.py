# SPDX-License-Identifier: Apache-2.0
"""Rules about volumes that are files over NFS."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import Finding
from ...inventory.draft import Draft, rule
from ...inventory.schema import KeyPath
from ...inventory.shares import Use
from ...nfs.rules import unfit_mount_options
from .backends import BACKENDS, listed_backends


def shares(draft: Draft) -> Iterator[Use]:
    """The shares of back ends."""
    for host, index, backend in listed_backends(draft):
        for place, text in enumerate(backend.get("shares") or ()):
            path: KeyPath = (BACKENDS, index, "shares", place)
            yield Use(text, path, "cinder", f"{BACKENDS}[{index}] ({backend.get('name')})", host)


_TRUE = ("true", "1", "yes", "on")
# Options that an entry does not give, and why.
_OWN = {
    **dict.fromkeys(("nfs_shares_config", "nas_host", "nas_share_path"), "the exports are those in shares"),
    "nfs_mount_point_base": "exports are mounted where cinder has its state",
}


@rule
def secure(draft: Draft) -> Iterator[Finding]:
    """Volumes on NFS are the volume service's alone, and what that costs is said."""
    for host, index, backend in listed_backends(draft):
        if backend.get("type") != "nfs":
            continue
        given = {name: str(value).lower() for name, value in (backend.get("options") or {}).items()}
        for name in ("nas_secure_file_operations", "nas_secure_file_permissions"):
            if given.get(name, "true") != "true":
                yield draft.error(
                    "nfs.insecure",
                    (BACKENDS, index, "options", name),
                    f"is {given[name]!r}: volumes would be written by root, or readable by everybody on the share.",
                    "Take it out.",
                    host,
                )
        for name in ("nfs_mount_options", "nas_mount_options"):
            for what, fix in unfit_mount_options((backend.get("options") or {}).get(name)):
                yield draft.error("nfs.mount-option", (BACKENDS, index, "options", name), what, fix, host)
        if given.get("nfs_snapshot_support", "false") in _TRUE:
            yield draft.error(
                "nfs.snapshots",
                (BACKENDS, index, "options", "nfs_snapshot_support"),
                "is true: cinder's driver does not start with it while nas_secure_file_operations is on, as it mends "
                "snapshots of attached volumes as root.",
                "Take it out: volumes on NFS have no snapshots; use backups, or another type of back end.",
                host,
            )
        for name, why in _OWN.items():
            if name in given:
                yield draft.error(
                    "nfs.option",
                    (BACKENDS, index, "options", name),
                    f"is {given[name]!r}, and {why}.",
                    "Take it out.",
                    host,
                )
