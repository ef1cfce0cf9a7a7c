# SPDX-License-Identifier: Apache-2.0
"""Directories that an inventory gives to a service: those that are the system's or another service's are not free."""

from __future__ import annotations

import posixpath
import re

from .domain import Domain

# Below these nothing else belongs, or nothing lasts.
_SYSTEM = re.compile(
    r"/(bin|boot|dev|efi|etc|lib|lib32|lib64|libx32|lost\+found|proc|root|run|sbin|snap|sys|tmp|usr|srv/(node|www|ftp|tftp)"
    r"|var/(tmp|run|lock|log|cache|spool|backups|mail|www|lib/(apt|dpkg|systemd|private|pam|ucf|dbus|polkit-1|udisks2|sudo|AccountsService"
    r"|misc|initramfs-tools|python|update-manager|logrotate|dhcp|dhcpcd|NetworkManager|chrony|ntpsec|usbutils|vim|shells"
    r"|mysql|mysql-files|mariadb|postgresql|memcached|redis|haproxy|etcd|nfs|nfsdcookies|libvirt|qemu|docker|containerd"
    r"|containers|kubelet|lxc|lxd|machines|portables|iscsi|multipath|open-iscsi|grub|os-prober|ca-certificates|sgml-base"
    r"|manila|neutron|heat|octavia|barbican|designate|ironic|magnum|trove|gnocchi|masakari|openvswitch|ovn|frr|pgsql"
    r"|apparmor|aide|fail2ban|unattended-upgrades|command-not-found|man-db|plymouth|ieee-data|dictionaries-common)))(/.*)?"
)
_PARENTS = re.compile(r"/(home|media|mnt|opt|srv|var(/(lib|local|opt))?)?")
_HOME = re.compile(r"/var/lib/([^/]+)(/.*)?")


def why_taken(domain: Domain, path: str, own: str) -> str:
    """What a directory is that a service may not have, for a sentence; empty when it may.

    Args:
        domain: the services that there are.
        path: where it is.
        own: the name of the service's own place below /var/lib, in which it may be.
    """
    plain = posixpath.normpath(path)
    if _SYSTEM.fullmatch(plain) or _PARENTS.fullmatch(plain):
        return "a directory of the system or of another service"
    home = _HOME.fullmatch(plain)
    if home and home[1] != own and home[1] in _owners(domain):
        return f"a directory of {home[1]}"
    return f"where {own} has other things too" if home and plain == f"/var/lib/{own}" else ""


def contains(upper: str, lower: str) -> bool:
    """Whether a directory lies in another."""
    return lower.startswith(f"{upper.rstrip('/')}/")


def overlap(one: str, two: str) -> bool:
    """Whether two directories are one, or one lies in the other."""
    return one == two or contains(one, two) or contains(two, one)


def _owners(domain: Domain) -> set[str]:
    """Who has a place below /var/lib: services, their users, and what they have files of others for."""
    found = {"holdfast"}
    for service in domain.services:
        found.add(service["service"])
        found |= {claim["purpose"] for claim in service.get("uses", {}).get("share", ())}
        for component in service.get("components", ()):
            found |= {component["user"]} if "user" in component else set()
            found |= {
                home[1] for entry in component.get("directories", ()) if (home := _HOME.match(entry.get("path", "")))
            }
    return found
