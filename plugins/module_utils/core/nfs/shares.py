# SPDX-License-Identifier: Apache-2.0
"""Files over NFS: the shares of this deployment's own servers, who may have them, and how they are mounted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .. import flows
from ..model import Host, Model

ROOT = "/srv/nfs"
SHARE = "share"
_FLAGS = (
    "rw", "hard", "sync", "async", "dirsync", "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime",
    "strictatime", "nostrictatime", "lazytime", "nolazytime", "dev", "nodev", "suid", "nosuid", "exec", "noexec", "bg",
    "fg", "ac", "noac", "cto", "nocto", "intr", "nointr", "resvport", "noresvport", "sharecache", "nosharecache", "acl",
    "noacl", "rdirplus", "nordirplus", "fsc", "nofsc", "migration", "nomigration", "tcp",
)  # fmt: skip
_NUMBERS = (
    "rsize", "wsize", "timeo", "retrans", "retry", "acregmin", "acregmax", "acdirmin", "acdirmax", "actimeo",
    "nconnect", "max_connect",
)  # fmt: skip
MOUNT_OPTIONS: Mapping[str, str] = {
    **dict.fromkeys(_FLAGS, ""),
    **dict.fromkeys(_NUMBERS, "=[0-9]+"),
    **dict.fromkeys(("nfsvers", "vers"), r"=4(\.[0-2])?"),
    "minorversion": "=[0-2]",
    "proto": "=tcp",
    "port": "=2049",
    "sec": "=(sys|krb5[ip]?)(:(sys|krb5[ip]?))*",
    "lookupcache": "=(all|none|pos|positive)",
    "local_lock": "=none",
    "clientaddr": "=[0-9.]+",
    "xprtsec": "=(none|tls|mtls)",
}
"""What a share may be mounted with, and the form of the option's value: version 4, by one port."""
_LOST = "with which writes are given up when the server is away: data is lost"
UNSAFE_MOUNT_OPTIONS: Mapping[str, str] = {
    "soft": _LOST,
    "softerr": _LOST,
    "ro": "with which nothing can be written",
    "udp": "which NFS of version 4 does not speak",
    "nolock": "with which two hosts may write one file at once",
}
OPTIONS = "rw,sync,root_squash,no_subtree_check,sec=sys"
"""How shares are exported, beside whom root of a client is: the service that owns the share, and no more than that.

Services look into files as root, and only the owner may. A claim may say that root stays root (``root``).
"""


@dataclass(frozen=True)
class Share:
    """What a server exports: ``purpose`` is the service that it is for, ``disk`` the mount point that holds it."""

    path: str
    purpose: str
    disk: str


def mount_point(disk: str) -> str:
    """Where a server's disk is mounted."""
    return f"{ROOT}/{disk}"


def shares(variables: Mapping[str, Any]) -> Iterator[Share]:
    """The shares of a host, from its variables; what is incomplete is left out."""
    for entry in variables.get("nfs_shares") or ():
        if isinstance(entry, Mapping) and {"name", "disk", "purpose"} <= set(entry):
            disk = mount_point(entry["disk"])
            yield Share(f"{disk}/{entry['name']}", entry["purpose"], disk)


def split(source: str) -> tuple[str, str]:
    """Server and path of ``SERVER:/PATH``."""
    server, _, path = source.partition(":")
    return server, path


def source(model: Model, text: str) -> str:
    """``ADDRESS:/PATH`` of ``SERVER:/PATH``: a host of nfs_server is dialled on br-storage, an address is as it is."""
    server, path = split(text)
    host = model.hosts.get(server)
    return f"{flows.bind_address(model, host, 'nfs')}:{path}" if host else text


def crosses(model: Model, source: str | None, group: str) -> bool:
    """Whether all hosts of a group reach a share over br-storage: none of them is its server, by name or address."""
    if source is None:
        return False
    own = {name for host in model.group(group) for name in (host.name, host.addresses.get("storage"))}
    return split(source)[0] not in own


def clients(model: Model, purpose: str) -> tuple[str, ...]:
    """The addresses on br-storage of those who may mount a share, in numeric order."""
    groups = [group for claim in model.claims[SHARE] if claim["purpose"] == purpose for group in claim["groups"]]
    members = {host.addresses["storage"] for host in model.group(*groups) if "storage" in host.addresses}
    return tuple(address for address in flows.client_addresses(model, flows.flow("nfs")) if address in members)


def owners(claims: flows.Claims) -> dict[str, int]:
    """Who owns what is in a share, by its purpose and by number: a server need not know the users."""
    return {claim["purpose"]: claim["owner"] for claim in claims.get(SHARE, ())}


def rooted(claims: flows.Claims) -> frozenset[str]:
    """The purposes of shares on which root of a client is root."""
    return frozenset(claim["purpose"] for claim in claims.get(SHARE, ()) if claim.get("root"))


def mount_unit(source: str, where: str, options: str) -> str:
    """A systemd unit that mounts a share. What needs it has ``RequiresMountsFor``, and so does not run without it."""
    return (
        "# Managed by Holdfast.\n"
        "[Unit]\n"
        f"Description=Files of {source}\n"
        "Wants=network-online.target\n"
        "After=network-online.target\n\n"
        "[Mount]\n"
        f"What={source}\n"
        f"Where={where}\n"
        "Type=nfs\n"
        f"Options={options},_netdev\n"
        "TimeoutSec=60\n\n"
        "[Install]\n"
        "WantedBy=remote-fs.target\n"
    )


def exports(model: Model, host: Host) -> list[dict[str, Any]]:
    """``{path, disk, owner, clients, options}`` of each share of a server."""
    if "nfs_server" not in host.groups:
        return []
    found = []
    for share in shares(host.variables):
        owner = owners(model.claims)[share.purpose]
        options = OPTIONS.replace("root_squash", "no_root_squash") if share.purpose in rooted(model.claims) else OPTIONS
        found.append(
            {
                "path": share.path,
                "disk": share.disk,
                "owner": owner,
                "clients": list(clients(model, share.purpose)),
                "options": f"{options},anonuid={owner},anongid={owner}",
            }
        )
    return found
