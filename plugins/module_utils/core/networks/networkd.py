# SPDX-License-Identifier: Apache-2.0
"""What systemd-networkd is told: the links that bridges need, and the file of each. Pure and in a stable order.

Our files sort before those of a provisioning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import HoldfastError

DIRECTORY = "/etc/systemd/network"
PREFIX = "00-holdfast-"

SWITCHED = "bridge of a switch"
"""The kind of a link that a switch makes, by whatever name the kernel knows it."""

_LONGEST_NAME = 15


def render(wanted: Mapping[str, Any]) -> dict[str, str]:
    """The files for systemd-networkd, by name, without their directory.

    Raises HoldfastError when two bridges want the same interface in ways that exclude each other.
    """
    return {
        f"{PREFIX}{name}.{suffix}": text
        for name, link in links_of(wanted).items()
        for suffix, text in (("link", link["link"]), ("netdev", link["netdev"]), ("network", link["network"]))
        if text
    }


def vlan_name(parent: str, vlan: int) -> str:
    """Name of a VLAN's interface: ``eth1.244``. The end of a parent's long name is kept, as that tells ports apart."""
    suffix = f".{vlan}"
    return parent[-(_LONGEST_NAME - len(suffix)) :].lstrip(".") + suffix


def links_of(wanted: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every link that the bridges need, by name: its files and the lines of state that the kernel should show.

    ``lowest`` marks those that must be there before us: NICs. A bridge that is ``switched`` is made by a switch, which
    takes the port; ``ports`` are links that a switch takes for something else. These links are only brought up.
    ``taken`` says for what.
    """
    links = _Links()
    for bridge in wanted["bridges"]:
        links.add_bridge(bridge)
    for port in wanted.get("ports") or ():
        links.add_taken(port)
    found = links.found
    for entry in found.values():
        for member in entry.get("members", ()):
            found[member]["mtu"] = entry["mtu"]
    for name, entry in found.items():
        entry["lowest"] = entry["kind"] is None
        entry["file"] = f"{PREFIX}{name}.network"
        entry["link"] = _device(name, entry)
        entry["netdev"] = _netdev(name, entry)
        entry["network"] = _network(name, entry, found)
        entry["state"] = _state(entry)
    return found


class _Links:
    """Links while they are collected: what each is, what is on it, and how large its packets are."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}

    def add_bridge(self, bridge: Mapping[str, Any]) -> None:
        """A bridge, with all that is below it."""
        name, port = bridge["bridge"], bridge["port"]
        needed = max(bridge["mtu"], port.get("mtu") or 0)
        kind = SWITCHED if bridge.get("switched") else "bridge"
        self._add(name, kind, addressing=bridge)["mtu"] = bridge["mtu"]
        base = self._add_base(name, port, needed)
        self._widen(base, needed)
        carrier = self._add_vlan(base, port["vlan"]) if port.get("vlan") else base
        if bridge.get("switched"):
            self._take(carrier, name, needed)
        else:
            self._enslave(carrier, name, needed if carrier == base else bridge["mtu"])

    def add_taken(self, port: Mapping[str, Any]) -> None:
        """A link that a switch takes for something else than a bridge of ``add_bridge``."""
        name = port["interface"]
        # It may be a bond of some bridge's.
        self.found.setdefault(name, self._new(None))
        if port.get("vlan"):
            self._widen(name, port["mtu"])
            name = self._add_vlan(name, port["vlan"])
        self._take(name, "what a switch takes it for", port["mtu"])

    @staticmethod
    def _new(kind: str | None, **more: Any) -> dict[str, Any]:
        return {"kind": kind, "mtu": 0, "master": None, "vlans": [], "vlan": None, **more}

    def _add(self, name: str, kind: str | None, **more: Any) -> dict[str, Any]:
        entry = self.found.setdefault(name, self._new(kind, **more))
        for key, value in (("kind", kind), *more.items()):
            if entry.get(key) != value:
                raise HoldfastError(
                    f"{name}: two bridges say different things of it: {key} is {entry.get(key)} and {value}."
                )
        return entry

    def _add_base(self, name: str, port: Mapping[str, Any], mtu: int) -> str:
        """The interface or bond of a bridge's port."""
        if port.get("bond"):
            bond = port["bond"]
            base = str(bond["name"])
            self._add(base, "bond", mode=bond.get("mode") or "active-backup", members=sorted(bond["interfaces"]))
            for member in bond["interfaces"]:
                self._add(member, None)
                self._enslave(member, base, mtu)
            return base
        if not port.get("interface"):
            raise HoldfastError(f"{name}: its port has neither an interface nor a bond.")
        self._add(port["interface"], None)
        return str(port["interface"])

    def _add_vlan(self, base: str, vlan: int) -> str:
        name = vlan_name(base, vlan)
        self._add(name, "vlan", vlan=vlan, parent=base)
        self.found[base]["vlans"].append(name)
        return name

    def _enslave(self, name: str, master: str, mtu: int) -> None:
        entry = self.found[name]
        if entry["master"] not in (None, master):
            raise HoldfastError(f"{name}: it cannot be in both {entry['master']} and {master}. Fix: use VLANs on it.")
        entry["master"] = master
        self._widen(name, mtu)

    def _take(self, name: str, purpose: str, mtu: int) -> None:
        self.found[name]["taken"] = purpose
        self._widen(name, mtu)

    def _widen(self, name: str, mtu: int) -> None:
        self.found[name]["mtu"] = max(self.found[name]["mtu"], mtu)


def _device(name: str, link: Mapping[str, Any]) -> str:
    """For udev: a bridge has its port's address and a bond a NIC's, so neighbours and switches keep theirs."""
    if link["lowest"] or link["kind"] == SWITCHED:
        return ""
    return _file(["[Match]", f"OriginalName={name}", "", "[Link]", "MACAddressPolicy=none"])


def _netdev(name: str, link: Mapping[str, Any]) -> str:
    if link["lowest"] or link["kind"] == SWITCHED:
        return ""
    # MACAddress=none: networkd leaves it to the kernel, too. See ``_device``.
    lines = ["[NetDev]", f"Name={name}", f"Kind={link['kind']}"]
    if link["kind"] == "bridge":
        lines += ["MACAddress=none", "", "[Bridge]", "STP=no", "ForwardDelaySec=0"]
    elif link["kind"] == "vlan":
        lines += ["", "[VLAN]", f"Id={link['vlan']}"]
    else:
        lines += ["MACAddress=none", "", "[Bond]", f"Mode={link['mode']}", "MIIMonitorSec=100ms"]
        if link["mode"] == "802.3ad":
            lines += ["LACPTransmitRate=fast", "TransmitHashPolicy=layer3+4"]
    return _file(lines)


def _network(name: str, link: Mapping[str, Any], links: Mapping[str, Any]) -> str:
    lines = ["[Match]", f"Name={name}", "", "[Link]", f"MTUBytes={link['mtu']}", "", "[Network]"]
    if link["master"]:
        lines.append(f"{'Bond' if links[link['master']]['kind'] == 'bond' else 'Bridge'}={link['master']}")
    if link.get("taken"):
        # Whoever has taken it keeps it.
        lines.append("KeepMaster=yes")
    lines += [f"VLAN={vlan}" for vlan in link["vlans"]]
    lines += ["DHCP=no", "LinkLocalAddressing=no", "IPv6AcceptRA=no"]
    if not link["master"]:
        # Strict: a packet that comes by another network than its answer would take is dropped, so that a host whose
        # ports are mixed up is found to be cut off instead of being reached by a detour. Below VLANs it keeps out what
        # comes without a tag, and past the firewall: the kernel answers for all its addresses on every interface.
        lines.append("IPv4ReversePathFilter=strict")
    if link["kind"] in ("bridge", SWITCHED):
        addressing = link["addressing"]
        lines.append("ConfigureWithoutCarrier=yes")
        lines += [f"Address={address}" for address in addressing["addresses"]]
        lines += [f"Gateway={addressing['gateway']}"] if addressing.get("gateway") else []
        lines += [f"DNS={server}" for server in addressing.get("dns") or ()]
        for route in addressing.get("routes") or ():
            lines += ["", "[Route]", f"Destination={route['to']}", f"Gateway={route['via']}"]
    return _file(lines)


def released_network(name: str) -> str:
    """The file of an interface that is ours no more: nothing reaches the host by it unawares."""
    lines = ["[Match]", f"Name={name}", "", "[Link]", "RequiredForOnline=no", ""]
    lines += ["[Network]", "DHCP=no", "LinkLocalAddressing=no", "IPv6AcceptRA=no"]
    # The kernel answers for all its addresses on every interface: strict, so that what comes by this one is dropped.
    return _file([*lines, "IPv4ReversePathFilter=strict"])


def _file(lines: list[str]) -> str:
    return "\n".join(["# Written by Holdfast, which replaces it.", *lines, ""])


def _state(link: Mapping[str, Any]) -> list[str]:
    lines = [f"kind {link['kind']}"] if link["kind"] not in (None, SWITCHED) else []
    lines += [f"vlan {link['vlan']} on {link['parent']}"] if link["vlan"] else []
    lines += [f"mode {link['mode']}"] if link.get("mode") else []
    lines += ["up", f"mtu {link['mtu']}"]
    lines += [f"in {link['master']}"] if link["master"] else []
    if link["kind"] in ("bridge", SWITCHED):
        addressing = link["addressing"]
        lines += [f"address {address}" for address in addressing["addresses"]]
        lines += [f"route default via {addressing['gateway']}"] if addressing.get("gateway") else []
        lines += [f"route {route['to']} via {route['via']}" for route in addressing.get("routes") or ()]
    return lines
