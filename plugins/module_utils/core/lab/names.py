# SPDX-License-Identifier: Apache-2.0
"""Names by which everything that a lab makes on a machine can be recognised."""

from __future__ import annotations

import hashlib

RUN = "/run/holdfast-lab"
"""Directory of what lives as long as the lab: ``owner.json``, ``network.json``, ``hosts/NAME/``."""

TABLE = "holdfast_lab"
"""Table of nftables, in the family inet."""

CGROUP = "holdfast-lab"
"""Control group of the lab where systemd is not PID 1; its children are hosts."""

SLICE = "holdfast.slice/holdfast-lab.slice"
"""Control group of the lab where systemd is PID 1; its children are units."""

PREFIX = "holdfast-"
"""Of a host's network namespace and, with ``lab-`` after it, of its unit."""

LINK_ALIAS = "holdfast-lab"
"""First word of the alias of each link that the lab makes."""


def namespace(host: str) -> str:
    """A host's network namespace, as `ip netns` knows it."""
    return f"{PREFIX}{host}"


def unit(host: str) -> str:
    """A host's transient unit, where systemd is PID 1."""
    return f"{PREFIX}lab-{host}.service"


def link(host: str, nic: str) -> str:
    """The switch's end of a host's NIC: 15 characters at most, the same each time."""
    return "hv-" + hashlib.sha256(f"{host} {nic}".encode()).hexdigest()[:10]
