# SPDX-License-Identifier: Apache-2.0
"""Rules about hosts that switch for instances: their switch, its ports, and their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import Finding
from ...inventory.draft import Draft, DraftHost, listed, mapping, rule
from ...networks import wires
from ...networks.networkd import vlan_name
from .. import chassis

# Bridges that OVN and Holdfast make have these names behind `br-`.
_RESERVED = {"int": "OVN's own bridge", "tun": "the bridge of tunnels of other switches"}


def providers(host: DraftHost) -> dict[str, Mapping[str, Any]]:
    """The physical networks of a host, as far as they are well-formed."""
    given = mapping(host.variables.get(chassis.PROVIDERS))
    return {name: port for name, port in given.items() if port.get("interface")}


@rule
def datapath(draft: Draft) -> Iterator[Finding]:
    """A switch that is a process takes tunnels from a bridge of its own: that is the network overlay's."""
    for host in draft.group(chassis.GROUP):
        missing = chassis.OVERLAY not in (draft.variables.get("networks_bridges") or {})
        if missing and chassis.datapath(host.variables) == "netdev":
            yield draft.error(
                "ovn.overlay-missing",
                ("networks_bridges", chassis.OVERLAY),
                f"is missing, and the switch of {host.name} is a process (openvswitch_datapath): of tunnels on the "
                "kernel's bridge br-storage it would get no packet.",
                f"Describe networks_bridges.{chassis.OVERLAY}, and give its hosts a port there. Or give hosts whose "
                "kernel has the module openvswitch_datapath: kernel.",
            )
            return


@rule
def names(draft: Draft) -> Iterator[Finding]:
    """Hosts that switch for instances have names of their own."""
    owners: dict[str, DraftHost] = {}
    for host in draft.group(chassis.GROUP):
        given = host.variables.get("openvswitch_system_id")
        if given and owners.setdefault(given, host) is not host:
            yield draft.error(
                "ovn.system-id",
                ("openvswitch_system_id",),
                f"is {given!r}, and so is that of {owners[given].name}: each would take the other's ports away.",
                "Give each host a name of its own, or leave the variable out.",
                host,
            )


@rule
def concerned(draft: Draft) -> Iterator[Finding]:
    """Who is given physical networks switches for instances."""
    if not draft.group("ovn_central"):
        return
    for host in draft.hosts.values():
        if host.variables.get(chassis.PROVIDERS) and chassis.GROUP not in host.groups:
            yield draft.error(
                "neutron.provider-unused",
                (chassis.PROVIDERS,),
                f"is given, and the host is in neither nova_compute nor {chassis.GATEWAYS}.",
                f"Put the host into {chassis.GATEWAYS}, or take the variable out.",
                host,
            )


@rule
def gateways(draft: Draft) -> Iterator[Finding]:
    """A host that leads networks out is on every external network, whichever router comes to it."""
    external = {
        network["physical_network"]
        for network in draft.variables.get("neutron_networks") or ()
        if isinstance(network, Mapping) and network.get("external") and network.get("physical_network")
    }
    for host in draft.group(chassis.GATEWAYS):
        if draft.was_refused((chassis.PROVIDERS,), host):
            continue
        given = providers(host)
        if not given:
            yield draft.error(
                "neutron.gateway",
                (chassis.PROVIDERS,),
                f"is empty, and the host is in {chassis.GATEWAYS}: it has no way out to lead anybody to.",
                f"Give a port for each external network, as {{external: {{interface: NAME}}}}, or take the host out of "
                f"{chassis.GATEWAYS}.",
                host,
            )
        elif missing := external - set(given):
            yield draft.error(
                "neutron.gateway",
                (chassis.PROVIDERS,),
                f"lacks {listed(missing)}, and the host is in {chassis.GATEWAYS}: routers to it would lead nowhere.",
                "Give a port for each physical network that has an external one.",
                host,
            )


@rule
def physical_names(draft: Draft) -> Iterator[Finding]:
    """The bridge of a physical network has a name that nothing else has."""
    own = {network.bridge: f"the bridge of {network.name}" for network in draft.networks.values()}
    for host in draft.hosts.values():
        for name in providers(host):
            bridge = chassis.provider_bridge(name)
            # Also of those that this deployment does not have.
            reserved = {**_RESERVED, **dict.fromkeys(("mgmt", "storage", "repl", chassis.OVERLAY), "a bridge of hosts")}
            if taken := own.get(bridge) or reserved.get(name):
                yield draft.error(
                    "neutron.physical-name",
                    (chassis.PROVIDERS, name),
                    f"would have the bridge {bridge}, which is {taken}.",
                    "Give the physical network another name, such as external.",
                    host,
                )


@rule
def ports(draft: Draft) -> Iterator[Finding]:
    """What the switch takes for a physical network carries nothing else."""
    for host in draft.hosts.values():
        below = wires.of(host.ports)
        used = {str(wire): name for name, wire_names in below.items() for wire in wire_names}
        for name, port in host.ports.items():
            bond = port.get("bond")
            carrier = bond.get("name") if isinstance(bond, Mapping) else port.get("interface")
            if carrier:
                used.setdefault(str(carrier), name)
                used |= {vlan_name(str(carrier), port["vlan"]): name} if port.get("vlan") else {}
        seen: dict[str, str] = {}
        for name, port in providers(host).items():
            yield from _port(draft, host, name, port, used, seen)


def _port(
    draft: Draft, host: DraftHost, name: str, port: Mapping[str, Any], used: Mapping[str, str], seen: dict[str, str]
) -> Iterator[Finding]:
    """``used`` and ``seen``: by link, the network of the host, or the other physical network, that has it."""
    link = chassis.provider_link(port)
    untagged = [wire for wire in (port["interface"], *wires.parents(port["interface"])) if wire in used]
    taken = used.get(link) or (used[untagged[0]] if untagged and not port.get("vlan") else None)
    if taken:
        yield draft.error(
            "neutron.port-taken",
            (chassis.PROVIDERS, name, "interface"),
            f"is {link}, which carries the network {taken} of the host: the switch would take it away from that.",
            "Give an interface of its own, or a VLAN of the same one.",
            host,
        )
    other = seen.setdefault(link, name)
    if other != name:
        yield draft.error(
            "neutron.port-twice",
            (chassis.PROVIDERS, name, "interface"),
            f"is {link}, as that of {other}: an interface is in one bridge only.",
            "Give each physical network an interface or a VLAN of its own.",
            host,
        )


@rule
def mtus(draft: Draft) -> Iterator[Finding]:
    """A physical network takes packets of one size, wherever a host is on it."""
    first: dict[str, tuple[DraftHost, int]] = {}
    for host in draft.group(chassis.GROUP):
        for name, port in providers(host).items():
            mtu = port.get("mtu") or 1500
            other, size = first.setdefault(name, (host, mtu))
            if size != mtu:
                yield draft.error(
                    "neutron.provider-mtu",
                    (chassis.PROVIDERS, name, "mtu"),
                    f"is {mtu}, and {size} on {other.name}: larger packets would be lost between them.",
                    "Give a physical network one mtu.",
                    host,
                )
