# SPDX-License-Identifier: Apache-2.0
"""Rules about ports: what carries the networks on each host."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import Finding
from ...inventory.draft import Draft, DraftHost, listed, rule
from ...inventory.schema import KeyPath
from .. import wires
from ..networkd import vlan_name
from .networks import PORTS, named, no_network


@rule
def ports(draft: Draft) -> Iterator[Finding]:
    """A port is an interface or a bond, of a network that is there."""
    for host in draft.hosts.values():
        for name, port in host.ports.items():
            path = (PORTS, name)
            if name not in named(draft):
                yield no_network(draft, path, name, host)
            if "interface" in port and "bond" in port:
                yield draft.error("networks.port", path, "has both interface and bond.", "Give one of them.", host)
            elif not _carrier(port) and not draft.was_refused(path, host):
                yield draft.error("networks.port", path, "has neither interface nor bond.", "Give one of them.", host)


@rule
def sharing(draft: Draft) -> Iterator[Finding]:
    """What networks of a host share an interface, they share by VLANs."""
    for host in draft.hosts.values():
        seen: dict[tuple[str, Any], str] = {}
        for name, port in host.ports.items():
            carrier = _carrier(port)
            if not carrier:
                continue
            key = (carrier, port.get("vlan"))
            other = seen.setdefault(key, name)
            if other == name:
                continue
            if port.get("vlan"):
                yield draft.error(
                    "networks.vlan-twice",
                    (PORTS, name, "vlan"),
                    f"{port['vlan']} is also the VLAN of {other} on {carrier}.",
                    "Give each network a VLAN of its own.",
                    host,
                )
            else:
                yield draft.error(
                    "networks.port-twice",
                    (PORTS, name, "bond" if "bond" in port else "interface"),
                    f"{carrier} also carries {other}, both without a VLAN: an interface is in one bridge only.",
                    "Give the networks different interfaces, or VLANs.",
                    host,
                )


@rule
def bonds(draft: Draft) -> Iterator[Finding]:
    """An interface is in one bond, and a bond is the same for all networks on it."""
    for host in draft.hosts.values():
        described: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for name, port in host.ports.items():
            bond = port.get("bond")
            if isinstance(bond, dict) and "name" in bond:
                first, same = described.setdefault(bond["name"], (name, bond))
                if same != bond:
                    yield draft.error(
                        "networks.bond-differs",
                        (PORTS, name, "bond"),
                        f"{bond['name']} is described otherwise for {first}.",
                        "Describe a bond alike wherever networks share it.",
                        host,
                    )
        yield from _interfaces_twice(draft, host, described)


def _interfaces_twice(
    draft: Draft, host: DraftHost, described: Mapping[str, tuple[str, Mapping[str, Any]]]
) -> Iterator[Finding]:
    """What is in a bond carries nothing else, neither itself nor by a VLAN."""
    used: dict[str, str] = {}
    for bond_name, (name, bond) in described.items():
        for interface in (str(member) for member in bond.get("interfaces") or () if member):
            owner = used.setdefault(interface, bond_name)
            if owner != bond_name:
                yield _interface_twice(draft, host, (PORTS, name, "bond", "interfaces"), interface, f"the bond {owner}")
            if interface in described:
                yield _interface_twice(
                    draft, host, (PORTS, name, "bond", "interfaces"), interface, "the name of a bond"
                )
    for name, bond in described.values():
        for interface in (str(member) for member in bond.get("interfaces") or () if member):
            if parent := next((parent for parent in wires.parents(interface) if parent in used), None):
                owner = f"the bond {used[parent]}"
                yield _interface_twice(draft, host, (PORTS, name, "bond", "interfaces"), parent, owner)
    for name, port in host.ports.items():
        interface = str(port.get("interface") or "")
        if interface in described:
            yield _interface_twice(draft, host, (PORTS, name, "interface"), interface, "the name of a bond")
        elif taken := next((one for one in (interface, *wires.parents(interface)) if one in used), None):
            yield _interface_twice(draft, host, (PORTS, name, "interface"), taken, f"the bond {used[taken]}")


@rule
def interface_names(draft: Draft) -> Iterator[Finding]:
    """What carries a bridge is not a bridge itself."""
    bridges = {network.bridge: network.name for network in draft.networks.values()}
    for host in draft.hosts.values():
        for name, port in host.ports.items():
            carrier = _carrier(port)
            kind = "bond" if "bond" in port else "interface"
            named = {carrier, *_wires(port)} - {None}
            for used in named.union(*(wires.parents(str(one)) for one in named)):
                if used in bridges:
                    yield draft.error(
                        "networks.name-taken",
                        (PORTS, name, kind),
                        f"{used} is the bridge of {bridges[str(used)]}, and can not carry a network itself.",
                        "Name the interface below the bridge.",
                        host,
                    )


@rule
def vlan_names(draft: Draft) -> Iterator[Finding]:
    """The interfaces that are made for VLANs, such as eth1.244, have names that nothing else has."""
    for host in draft.hosts.values():
        for name, tagged, owner in _taken(draft, host):
            port = host.ports[name]
            yield draft.error(
                "networks.name-taken",
                (PORTS, name, "vlan"),
                f"is {port['vlan']}, whose interface on {_carrier(port)} is {tagged}, and {owner} has that name.",
                f"Give both as a VLAN of {_carrier(port)}, each its own, or other interfaces."
                if owner in host.ports
                else "Choose another VLAN, or another name.",
                host,
            )


def _taken(draft: Draft, host: DraftHost) -> Iterator[tuple[str, str, str]]:
    """The networks whose VLAN makes an interface of a name that another has: each with that name, and whose it is."""
    owners: dict[str, str] = {network.bridge: f"the bridge of {network.name}" for network in draft.networks.values()}
    for name, port in host.ports.items():
        owners.update(dict.fromkeys({_carrier(port) or "", *_wires(port)} - {""}, name))
    made: dict[str, tuple[tuple[str, int], str]] = {}
    for name, port in host.ports.items():
        carrier, vlan = _carrier(port), port.get("vlan")
        if not carrier or not vlan:
            continue
        tagged = vlan_name(carrier, vlan)
        first, maker = made.setdefault(tagged, ((carrier, vlan), name))
        if tagged in owners or first != (carrier, vlan):
            yield name, tagged, owners.get(tagged, maker)


@rule
def vlan_ids(draft: Draft) -> Iterator[Finding]:
    """A network has one VLAN id, wherever it is tagged."""
    ids: dict[str, dict[int, DraftHost]] = defaultdict(dict)
    for host in draft.hosts.values():
        for name, port in host.ports.items():
            if port.get("vlan"):
                ids[name].setdefault(port["vlan"], host)
    for name, hosts in ids.items():
        if len(hosts) > 1:
            said = " and ".join(f"{vlan} on {host.name}" for vlan, host in sorted(hosts.items()))
            yield draft.advice(
                "networks.vlan-differs",
                (PORTS, name, "vlan"),
                f"is {said}: unless the switches make one of them, these hosts do not reach each other.",
                "Give the network the same VLAN on every host.",
                list(hosts.values())[-1],
            )


@rule
def single_bonds(draft: Draft) -> Iterator[Finding]:
    """A bond of one interface protects from nothing."""
    for host in draft.hosts.values():
        for name, port in host.ports.items():
            if port.get("bond") and len(_wires(port)) == 1:
                yield draft.advice(
                    "networks.bond-single",
                    (PORTS, name, "bond", "interfaces"),
                    f"is {listed(_wires(port))} alone: when it fails, nothing takes over.",
                    "Add a second interface, or use interface instead of bond.",
                    host,
                )


@rule
def mtus(draft: Draft) -> Iterator[Finding]:
    """An interface takes the packets of every network on it."""
    for host in draft.hosts.values():
        said: dict[str, tuple[str, int]] = {}
        for name, port in host.ports.items():
            carrier = _carrier(port)
            if carrier and "mtu" in port:
                first, mtu = said.setdefault(carrier, (name, port["mtu"]))
                if mtu != port["mtu"]:
                    yield draft.error(
                        "networks.mtu-differs",
                        (PORTS, name, "mtu"),
                        f"{port['mtu']} differs from {mtu}, which {first} says of the same {carrier}.",
                        "Give an interface one MTU.",
                        host,
                    )
        for name, port in host.ports.items():
            network, carrier = draft.networks.get(name), _carrier(port)
            if network and carrier in said and network.mtu > said[carrier][1]:
                yield draft.error(
                    "networks.mtu",
                    (PORTS, said[carrier][0], "mtu"),
                    f"{said[carrier][1]} of {carrier} is less than {network.mtu}, the MTU of {network.bridge}: larger "
                    "packets would be lost.",
                    f"Raise the interface's MTU to {network.mtu} or more, or lower networks_bridges.{name}.mtu.",
                    host,
                )
        yield from _vlans_over_wires(draft, host)


def _vlans_over_wires(draft: Draft, host: DraftHost) -> Iterator[Finding]:
    """The kernel gives no VLAN's interface, by its name, a larger MTU than that under it has."""
    largest: dict[str, int] = {}
    for name, port in host.ports.items():
        if (carrier := _carrier(port)) and name in draft.networks:
            mtu = port["mtu"] if isinstance(port.get("mtu"), int) else draft.networks[name].mtu
            largest[carrier] = max(mtu, largest.get(carrier, 0))
    for name, port in host.ports.items():
        carrier = _carrier(port) or ""
        for parent in wires.parents(carrier):
            if carrier in largest and largest[carrier] > largest.get(parent, largest[carrier]):
                below = next(other for other, one in host.ports.items() if _carrier(one) == parent)
                yield draft.error(
                    "networks.mtu",
                    (PORTS, name),
                    f"{carrier} is to have an MTU of {largest[carrier]}, and {parent} under it, of {below}, "
                    f"{largest[parent]}: the kernel refuses that.",
                    f"Set {PORTS}.{below}.mtu to {largest[carrier]} or more, or lower that of {name}.",
                    host,
                )


@rule
def same_wire(draft: Draft) -> Iterator[Finding]:
    """Replication may flood its wire: on the one that serves data, users wait for it."""
    sharing: dict[str, list[str]] = defaultdict(list)
    for host in draft.hosts.values():
        under = wires.of(host.ports)
        storage, repl = under.get("storage", set()), under.get("repl", set())
        if any({name, owner} == {"storage", "repl"} for name, _, owner in _taken(draft, host)):
            # They would be one interface, which is told already.
            continue
        if common := storage & repl:
            sharing[f"repl shares {listed(common)} with storage"].append(host.name)
        elif storage and repl and (hidden := {wire for wire in storage | repl if wires.tells_no_wire(wire)}):
            sharing[f"{listed(hidden)} does not tell its wire, and repl may share it with storage"].append(host.name)
    for how, names in sharing.items():
        host = draft.hosts[names[0]]
        what = f"{how} on {listed(names)}: replication slows down what users wait for."
        if draft.acknowledges("repl_on_storage_wire"):
            yield draft.advice(
                "networks.same-wire", (PORTS, "repl"), what, "Give repl interfaces of its own when you can.", host
            )
        else:
            yield draft.error(
                "networks.same-wire",
                (PORTS, "repl"),
                what,
                "Give repl an interface of its own, a VLAN as {interface: NAME, vlan: ID}, or accept it: "
                "holdfast_acknowledge: [repl_on_storage_wire].",
                host,
            )


def _interface_twice(draft: Draft, host: DraftHost, path: KeyPath, interface: str, owner: str) -> Finding:
    return draft.error(
        "networks.interface-twice",
        path,
        f"{interface} is already {owner if owner.startswith('the name') else f'in {owner}'}.",
        "Use each interface once; networks share a bond by VLANs.",
        host,
    )


def _carrier(port: Mapping[str, Any]) -> str | None:
    """The interface or bond under a network, without its VLAN."""
    bond = port.get("bond")
    carrier = bond.get("name") if isinstance(bond, dict) else port.get("interface")
    return str(carrier) if carrier else None


def _wires(port: Mapping[str, Any]) -> set[str]:
    """The interfaces that a network's packets pass on the host."""
    bond = port.get("bond")
    if isinstance(bond, dict):
        return {str(name) for name in bond.get("interfaces") or () if name}
    return {str(port["interface"])} if "interface" in port else set()
