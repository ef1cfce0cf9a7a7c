# SPDX-License-Identifier: Apache-2.0
"""Bridges as tests want them, and what they look at in the files that are made of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st


def bridge(name: str, address: str, port: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"mtu": 1500, "gateway": None, "dns": [], "routes": []}
    return {"bridge": name, "addresses": [address], "port": dict(port), **empty, **more}


def wanted(*bridges: dict[str, Any]) -> dict[str, Any]:
    return {"bridges": list(bridges), "rollback_seconds": 45}


SIMPLE = wanted(
    bridge("br-mgmt", "172.29.236.21/22", {"interface": "eth0"}, gateway="172.29.236.1", dns=["9.9.9.9"]),
    bridge("br-storage", "172.29.244.21/22", {"interface": "eth1"}, mtu=9000),
)
BOND = {"name": "bond0", "mode": "802.3ad", "interfaces": ["eth2", "eth3"]}
METAL = wanted(
    bridge("br-mgmt", "172.29.236.21/22", {"interface": "eth0"}, routes=[{"to": "10.0.0.0/8", "via": "172.29.236.2"}]),
    bridge("br-storage", "172.29.244.21/22", {"bond": BOND, "vlan": 244}, mtu=9000),
    bridge("br-repl", "172.29.248.21/22", {"bond": BOND, "vlan": 248}),
)


def sections(text: str) -> dict[str, dict[str, list[str]]]:
    """A unit file: sections, keys, all values of each key."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif "=" in line:
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return found


@st.composite
def declarations(draw: st.DrawFn) -> dict[str, Any]:
    """Up to three bridges on NICs, bonds and VLANs that do not exclude each other."""
    bridges = []
    nics = iter(f"eth{n}" for n in range(9))
    shared: list[tuple[dict[str, Any], set[int]]] = []
    for number, name in enumerate(
        draw(st.lists(st.sampled_from(["mgmt", "storage", "repl"]), min_size=1, unique=True))
    ):
        if draw(st.booleans()) and shared:
            base, tags = draw(st.sampled_from(shared))
            vlan: int | None = draw(st.sampled_from(sorted(set(range(1, 4095)) - tags)))
        else:
            base = {"interface": next(nics)}
            if draw(st.booleans()):
                base = {
                    "bond": {"name": f"bond{number}", "mode": "active-backup", "interfaces": [next(nics), next(nics)]}
                }
            tags, vlan = set(), draw(st.none() | st.integers(1, 4094))
            if vlan:
                shared.append((base, tags))
        if vlan:
            tags.add(vlan)
        network_of = ipaddress.ip_network(f"10.{number}.0.0/16")
        bridges.append(
            bridge(
                f"br-{name}",
                f"{network_of[draw(st.integers(1, 65534))]}/16",
                {**base, **({"vlan": vlan} if vlan else {})},
                mtu=draw(st.integers(1280, 9216)),
                gateway=str(network_of[1]) if number == 0 and draw(st.booleans()) else None,
            )
        )
    return wanted(*bridges)
