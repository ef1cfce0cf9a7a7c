# SPDX-License-Identifier: Apache-2.0
"""Disks as people name them to give them up: only those that the inventory declares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import HoldfastError
from ..inventory.disks import Disks
from ..model import Host, Model


def named(model: Model, names: Any, finders: Iterable[Disks]) -> dict[str, list[str]]:
    """``{host: [device]}`` of ``HOST:DEVICE``. Raises HoldfastError when one is no disk that the inventory declares."""
    if not isinstance(names, list):
        raise HoldfastError(
            f"destroy_disks is {names!r} and no list: nothing was changed. "
            'Fix: -e \'{"destroy_disks": ["HOST:DEVICE"]}\'.'
        )
    finders = tuple(finders)
    found: dict[str, list[str]] = {}
    for text in names:
        host, _, device = str(text).partition(":")
        declared = _declared(model.hosts[host], finders) if host in model.hosts else []
        if device not in declared:
            known = f"Name one of {host}: {', '.join(declared) or 'none'}."
            raise HoldfastError(
                f"destroy_disks names {text!r}, which is no disk of the inventory: nothing was changed. Fix: "
                + (known if host in model.hosts else f"There is no host {host}.")
            )
        if device not in found.setdefault(host, []):
            found[host].append(device)
    return found


def _declared(host: Host, finders: tuple[Disks, ...]) -> list[str]:
    """Every disk that the variables of a host name, once, whatever it is for and in whatever groups the host is."""
    return list(dict.fromkeys(disk.device for find in finders for disk in find(host.variables)))
