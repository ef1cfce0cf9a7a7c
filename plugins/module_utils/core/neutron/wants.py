# SPDX-License-Identifier: Apache-2.0
"""Networks of instances: what a host should have of each kind. See ``subject.Wants``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import flows
from ..description.services import Services
from ..model import Host, Model
from ..networks import wires
from . import chassis
from .kinds import cloud_network as cloud_network_kind


def network(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{ports: [{interface, vlan, mtu}]}`` that the switch of the host takes for physical networks."""
    ports = [
        {"interface": port["interface"], "vlan": port.get("vlan"), "mtu": port.get("mtu") or 1500}
        for _, port in _providers(host)
    ]
    return {"ports": ports} if ports else {}


def virtual_switch(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{bridges: [{name, datapath, port, addresses}], external_ids}`` of a host that switches for instances."""
    if chassis.GROUP not in host.groups:
        return {}
    datapath = chassis.datapath(host.variables)
    own = [
        {
            "name": (network := model.networks[name]).bridge,
            "datapath": datapath,
            "port": wires.witness(host, network),
            "addresses": [f"{host.addresses[name]}/{network.prefix_length}"],
        }
        for name in host.switched
        if name in host.addresses
    ]
    bridges = [
        {
            "name": chassis.provider_bridge(name),
            "datapath": datapath,
            "port": chassis.provider_link(port),
            "addresses": [],
        }
        for name, port in _providers(host)
    ]
    return {"bridges": [*own, *bridges], "external_ids": _external_ids(model, host, datapath)}


def _external_ids(model: Model, host: Host, datapath: str) -> dict[str, str]:
    """What OVN reads of the host; an empty value is none."""
    mappings = ",".join(f"{name}:{chassis.provider_bridge(name)}" for name, _ in _providers(host))
    databases = flows.dial_addresses(model, host, "ovn_southbound")
    port = flows.port("ovn_southbound")
    return {
        "system-id": chassis.name(model, host),
        # As the compute service calls the host.
        "hostname": host.name,
        "ovn-remote": ",".join(f"ssl:{address}:{port}" for address in databases),
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": flows.bind_address(model, host, chassis.TUNNELS),
        "ovn-bridge-datapath-type": datapath,
        "ovn-bridge-mappings": mappings,
        "ovn-cms-options": "enable-chassis-as-gw" if chassis.GATEWAYS in host.groups else "",
        # A database that is busy for a minute is not gone.
        "ovn-remote-probe-interval": "60000",
        # One that starts again leaves what it finds until it knows what there should be.
        "ovn-ofctrl-wait-before-clear": "8000",
    }


def _providers(host: Host) -> list[tuple[str, Mapping[str, Any]]]:
    given = host.variables.get(chassis.PROVIDERS) or {}
    return sorted(given.items()) if chassis.GROUP in host.groups else []


def cloud_network(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The networks and routers that the deployment makes, on the first host of the network API."""
    if model.group("neutron_api")[:1] != (host,):
        return {}
    networks = [_network(entry) for entry in model.variables.get("neutron_networks") or ()]
    routers = [
        {
            "name": entry["name"],
            "project": entry.get("project") or "admin",
            "external_network": entry.get("external_network") or "",
            "subnets": list(entry.get("subnets") or ()),
        }
        for entry in model.variables.get("neutron_routers") or ()
    ]
    if not networks and not routers:
        return {}
    return {"credentials": cloud_network_kind.CREDENTIALS, "networks": networks, "routers": routers}


def _network(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": entry["name"],
        "project": entry.get("project") or "admin",
        "external": bool(entry.get("external")),
        "shared": bool(entry.get("shared")),
        "physical_network": entry.get("physical_network") or "",
        "vlan": entry.get("vlan"),
        "mtu": entry.get("mtu"),
        "subnets": [
            {
                "name": subnet["name"],
                "cidr": subnet["cidr"],
                "gateway": subnet.get("gateway"),
                "pool": list(subnet.get("pool") or ()),
                # A floating address is told to nobody, and a port on an external network has none to be told.
                "dhcp": bool(subnet.get("dhcp", True)) and not entry.get("external"),
                "dns": list(subnet.get("dns") or ()),
            }
            for subnet in entry.get("subnets") or ()
        ],
    }
