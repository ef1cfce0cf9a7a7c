# SPDX-License-Identifier: Apache-2.0
"""Rules about files over NFS: servers with disks and shares, and how shares are mounted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..errors import Finding
from ..inventory import disks
from ..inventory.draft import Draft, DraftHost, entries, listed, rule
from ..inventory.schema import did_you_mean
from . import named_shares
from . import shares as nfs

DISKS, SHARES = "nfs_disks", named_shares.SHARES


@rule
def servers(draft: Draft) -> Iterator[Finding]:
    """A server has a kernel of its own, and shares on its disks."""
    for host in draft.group("nfs_server"):
        if host.is_container:
            yield draft.error(
                "nfs.container",
                ("holdfast_host_kind",),
                "is container, and the host is in nfs_server: the kernel serves files, and it is not the host's own.",
                "Put a physical host into nfs_server, or set holdfast_host_kind: metal if it is one.",
                host,
            )
        yield from _shares(draft, host, {disks.name(disk, index) for index, disk in entries(host.variables.get(DISKS))})


def _shares(draft: Draft, host: DraftHost, names: set[str]) -> Iterator[Finding]:
    given = list(entries(host.variables.get(SHARES)))
    if not given and not draft.was_refused((SHARES,), host) and SHARES in host.variables:
        yield draft.error(
            "nfs.no-shares",
            (SHARES,),
            "is empty, and the host is in nfs_server.",
            "Describe a share, or take the host out of the group.",
            host,
        )
    purposes = nfs.owners(draft.claims)
    seen: dict[tuple[str, str], int] = {}
    for index, share in given:
        if "disk" in share and share["disk"] not in names and not draft.was_refused((DISKS,), host):
            hint = did_you_mean(share["disk"], names)
            yield draft.error(
                "nfs.disk-unknown",
                (SHARES, index, "disk"),
                f"is {share['disk']!r}, which is no disk of {DISKS}.",
                f"{hint}Disks: {listed(names) or 'none'}.",
                host,
            )
        if "purpose" in share and share["purpose"] not in purposes:
            hint = did_you_mean(share["purpose"], purposes)
            yield draft.error(
                "nfs.purpose",
                (SHARES, index, "purpose"),
                f"is {share['purpose']!r}, and no service keeps files there for that.",
                f"{hint}Give one of: {listed(purposes)}.",
                host,
            )
        key = (str(share.get("disk")), str(share.get("name")))
        if (first := seen.setdefault(key, index)) != index and "name" in share:
            yield draft.error(
                "nfs.share-twice",
                (SHARES, index, "name"),
                f"is {share['name']!r} on {share.get('disk')}, as in {SHARES}[{first}].",
                "Give each share of a disk a name of its own.",
                host,
            )


@rule
def mount_options(draft: Draft) -> Iterator[Finding]:
    """Shares are mounted so that no write is lost, by options that there are and a protocol that passes."""
    for what, fix in unfit_mount_options(draft.variables.get("nfs_mount_options")):
        yield draft.error("nfs.mount-option", ("nfs_mount_options",), what, fix)


def unfit_mount_options(text: Any) -> Iterator[tuple[str, str]]:
    """Why no share may be mounted with some of the options, each with what to do about it."""
    for option in str(text).split(",") if text else ():
        if reason := _unfit_option(option):
            yield reason


def _unfit_option(option: str) -> tuple[str, str] | None:
    """Why no share may be mounted with an option, and what to do about it; None when it may."""
    name, equals, value = option.partition("=")
    if not name:
        return f"has {option!r} between commas, which is no option.", "Take it out, with its comma."
    if reason := nfs.UNSAFE_MOUNT_OPTIONS.get(name):
        return f"has {option!r}, {reason}.", "Take it out."
    if name not in nfs.MOUNT_OPTIONS:
        hint = did_you_mean(name, nfs.MOUNT_OPTIONS)
        fix = f"{hint}Give an option of nfs(5)."
        return f"has {option!r}, which is no option of nfs(5).", fix
    if not re.fullmatch(nfs.MOUNT_OPTIONS[name], f"{equals}{value}"):
        return f"has {option!r}, whose value does not work here.", "Give another value, or take the option out."
    return None
