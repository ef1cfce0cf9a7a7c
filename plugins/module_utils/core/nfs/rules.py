# SPDX-License-Identifier: Apache-2.0
"""Rules about files over NFS: servers with disks and shares, and clients that name what is there, on br-storage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network

from ..cinder.rules.backends import BACKENDS, listed_backends
from ..errors import Finding
from ..glance.rules import STORES
from ..inventory import disks
from ..inventory.draft import Draft, DraftHost, address_of, entries, listed, rule
from ..inventory.schema import KeyPath, did_you_mean
from . import shares as nfs

DISKS, SHARES = "nfs_disks", "nfs_shares"


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
def clients(draft: Draft) -> Iterator[Finding]:
    """Whoever mounts a share names one that is there, for it, and reaches it over br-storage."""
    used: dict[str, str] = {}
    for host, index, backend in listed_backends(draft):
        for place, text in enumerate(backend.get("shares") or ()):
            path: KeyPath = (BACKENDS, index, "shares", place)
            yield from _known(draft, path, text, "cinder", host)
            other = used.setdefault(str(text), f"{BACKENDS}[{index}] ({backend.get('name')})")
            if other != f"{BACKENDS}[{index}] ({backend.get('name')})":
                yield draft.error(
                    "nfs.share-shared",
                    path,
                    f"is {text!r}, as in {other}: both would count its space as their own.",
                    "Give each back end shares of its own.",
                    host,
                )
    servers = draft.group("glance_api")
    for index, store in entries(draft.variables.get(STORES)):
        if "nfs" not in store or not servers:
            continue
        yield from _known(draft, (STORES, index, "nfs"), store["nfs"], "glance", None)
        for host in servers:
            if host.is_container:
                yield draft.error(
                    "nfs.client-container",
                    (STORES, index, "nfs"),
                    f"is {store['nfs']!r}, which {host.name} of glance_api would have to mount, and it is a container.",
                    "Put glance_api on hosts with a kernel of their own, or use another store.",
                )
    instances = draft.variables.get("attach_instances_nfs")
    if instances and draft.group("nova_compute"):
        yield from _known(draft, ("attach_instances_nfs",), instances, "nova", None)


def _known(draft: Draft, path: KeyPath, text: str, purpose: str, host: DraftHost | None) -> Iterator[Finding]:
    if not isinstance(text, str):
        return
    server, wanted = nfs.split(text)
    storage = draft.networks.get("storage")
    if address := address_of(server):
        ways = [storage.cidr, *(IPv4Network(to) for to in _routes(storage.content))] if storage else []
        if storage and address in (storage.cidr[0], storage.cidr[-1]):
            yield draft.error(
                "nfs.network",
                path,
                f"is {text!r}, and {server} is an end of {storage.cidr}, which no host has.",
                "Give the server's address on br-storage.",
                host,
            )
        if ways and not any(address in way for way in ways):
            yield draft.error(
                "nfs.network",
                path,
                f"is {text!r}, and {server} is not on br-storage ({listed(map(str, ways))}): files go over it alone.",
                "Give the server's address on br-storage, or a route to it in networks_bridges.storage.routes.",
                host,
            )
        return
    own = draft.hosts.get(server)
    known = [member.name for member in draft.group("nfs_server")]
    if own is None or server not in known:
        hint = did_you_mean(server, known)
        yield draft.error(
            "nfs.server-unknown",
            path,
            f"is {text!r}, and {server} is no host of nfs_server.",
            f"{hint}Servers: {listed(known) or 'none'}; a filer goes by address.",
            host,
        )
        return
    shares = {share.path: share.purpose for share in nfs.shares(own.variables)}
    if wanted not in shares and not draft.was_refused((SHARES,), own):
        hint = did_you_mean(wanted, shares)
        yield draft.error(
            "nfs.share-unknown",
            path,
            f"is {text!r}, and {server} has no such share.",
            f"{hint}Shares there: {listed(shares) or 'none'}.",
            host,
        )
    elif shares.get(wanted, purpose) != purpose:
        yield draft.error(
            "nfs.purpose",
            path,
            f"is {text!r}, a share for {shares[wanted]}: its owner is another.",
            f"Give a share with purpose: {purpose}.",
            host,
        )


def _routes(content: object) -> list[str]:
    routes = content.get("routes") if isinstance(content, dict) else None
    return [route["to"] for _, route in entries(routes) if "to" in route]


@rule
def mount_options(draft: Draft) -> Iterator[Finding]:
    """Shares are mounted so that no write is lost, by options that there are and a protocol that passes."""
    text = draft.variables.get("nfs_mount_options")
    for option in text.split(",") if text else ():
        if reason := _unfit_option(option):
            yield draft.error("nfs.mount-option", ("nfs_mount_options",), *reason)


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
        if given.get("nfs_snapshot_support", "false") == "true":
            yield draft.error(
                "nfs.snapshots",
                (BACKENDS, index, "options", "nfs_snapshot_support"),
                "is true: cinder's driver does not start with it while nas_secure_file_operations is on, as it mends "
                "snapshots of attached volumes as root.",
                "Take it out: volumes on NFS have no snapshots; use backups, or another type of back end.",
                host,
            )
        for name in ("nfs_shares_config", "nas_host", "nas_share_path"):
            if name in given:
                yield draft.error(
                    "nfs.option",
                    (BACKENDS, index, "options", name),
                    f"is {given[name]!r}, and the exports are those in shares.",
                    "Take it out.",
                    host,
                )
