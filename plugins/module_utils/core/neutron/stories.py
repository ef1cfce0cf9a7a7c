# SPDX-License-Identifier: Apache-2.0
"""Stories of networks: made by the API, and used by two guests on two hosts.

Each guest runs a script and says what it found. One sends to the other when the security group lets it: until then it
says that it is refused. What it sends is made again here, to compare the digest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from .. import flows
from ..description.services import Services
from ..errors import HoldfastError
from ..model import Model
from ..verify import people
from ..verify.payload import MIB, sha256
from ..verify.story import NOISE, PREFIX, Cloud, Scene, Story, expect, require
from . import chassis, guests

SENT = 8 * MIB
"""Bytes that one guest sends to the other."""

_LINE = "Holdfast: from one guest to another, by the overlay alone."
_RECEIVE, _SERVE = 7777, 7778
_CIDR = "10.213.77.0/24"
_JSON = {"Content-Type": "application/json"}
WAIT_SECONDS = 180
SENDER, LISTENER = "sender", "listener"

# Input that stays open: a server whose input ends tells the sender that all is said.
_LISTEN = """#!/bin/sh
{about}
(sleep 100000 | nc -l -p {receive} | sha256sum | while read sum rest; do echo "hf: received $sum"; done) &
(while true; do echo holdfast | nc -l -p {serve}; done) &
echo "hf: ready"
wait
"""
_SEND = """#!/bin/sh
{about}
echo "hf: ready"
n=0
until yes '{line}' | head -c {size} | nc -w 5 {address} {receive} > /dev/null; do
  n=$((n + 1)); echo "hf: refused $n"; sleep 3
done
echo "hf: sent {size}"
"""
_ABOUT = """\
echo "hf: address $(ip -4 addr show | sed -n 's|.*inet \\([0-9.]*\\)/.* scope global.*|\\1|p' | head -n 1)"
echo "hf: instance $(wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json \\
  | sed -n 's|.*"uuid": "\\([0-9a-f-]*\\)".*|\\1|p')"\
"""


def facts(model: Model, services: Services) -> dict[str, Any]:
    """The hosts of the guests, the network that their packets cross, and the external one, if there is one."""
    computes = [host.name for host in model.group("nova_compute") if chassis.GROUP in host.groups]
    networks = model.variables.get("neutron_networks") or ()
    external = next((network["name"] for network in networks if network.get("external")), None)
    asker = next((host.name for host in model.group(flows.BALANCER)), None)
    return {
        "hosts": computes[:2] if model.group("nova_api") and len(computes) > 1 else [],
        "underlay": chassis.underlay(model).name,
        "networks": list(model.networks),
        "mtu": chassis.path_mtu(model) - chassis.OVERHEAD,
        "external": external if model.group(chassis.GATEWAYS) else None,
        "asker": asker,
        "serve": _SERVE,
    }


def ask(cloud: Cloud, known: Mapping[str, Any]) -> dict[str, Any]:
    """Whether there is what guests for tests are made of."""
    return guests.available(cloud) if known["hosts"] else {"image": None, "flavor": None}


def with_guests(known: Mapping[str, Any]) -> bool:
    """Whether guests can be started on two hosts."""
    return bool(known.get("hosts") and known.get("image") and known.get("flavor"))


def call(cloud: Cloud, method: str, path: str, *statuses: int, doing: str, body: Any = None) -> Any:
    """What the network API answers. Raises HoldfastError for any other status."""
    payload = json.dumps(body).encode() if body is not None else None
    answer = cloud.request(method, f"{cloud.endpoint('network')}/v2.0{path}", payload, _JSON)
    expect(answer, *statuses, doing=doing)
    return answer.json() if answer.body else None


def _make(cloud: Cloud, kind: str, doing: str, **content: Any) -> dict[str, Any]:
    body = {kind: content}
    return dict(call(cloud, "POST", f"/{kind}s".replace("_", "-"), 201, doing=doing, body=body)[kind])


def _find(cloud: Cloud, kind: str, name: str) -> dict[str, Any]:
    path = f"/{kind}s".replace("_", "-") + f"?name={name}"
    found = call(cloud, "GET", path, 200, doing=f"Looking for {name}")[f"{kind}s"]
    require(found, f"There is no {name} among the {kind.replace('_', ' ')}s.")
    return dict(found[0])


def _name(scene: Scene, what: str) -> str:
    return f"{scene.name}-{what}"


# -- without guests -----------------------------------------------------------------------------------------------


def network(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A network with a subnet; a port gets an address of it, and packets are as large as the way allows."""
    name = _name(scene, "net")
    made = _make(cloud, "network", "Making a network", name=name)
    subnet = _make(cloud, "subnet", "Making a subnet", name=name, network_id=made["id"], ip_version=4, cidr=_CIDR)
    most = scene.facts.get("mtu")
    require(most is None or made["mtu"] == most, f"Packets of the network have {made['mtu']} bytes instead of {most}.")
    require(made["provider:network_type"] == "geneve", f"The network is {made['provider:network_type']}.")
    require(subnet["enable_dhcp"], "Nobody is told addresses there.")
    return {"network": made["id"], "subnet": subnet["cidr"], "MTU": made["mtu"]}


def roles(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A reader sees what a member makes and changes nothing; what a network is on is the administrator's."""
    with people.of_a_project(cloud, scene, "network") as who:
        reader, member = who[people.READER], who[people.MEMBER]
        body = {"network": {"name": _name(scene, "roles")}}
        call(reader, "POST", "/networks", 403, doing="Making a network as a reader", body=body)
        made = call(member, "POST", "/networks", 201, doing="Making one as a member", body=body)["network"]
        path = f"/networks/{made['id']}"
        try:
            seen = call(reader, "GET", path, 200, doing="Looking at it as a reader")["network"]
            require("provider:network_type" not in seen, "A reader is told what the network is on.")
            call(reader, "DELETE", path, 403, doing="Deleting it as a reader")
            provider = {"network": {"name": body["network"]["name"], "provider:network_type": "flat"}}
            call(member, "POST", "/networks", 403, doing="Choosing what a network is on as a member", body=provider)
            call(member, "GET", "/agents", 403, doing="Asking for hosts as a member")
        finally:
            call(member, "DELETE", path, 204, doing="Deleting it as a member")
    return {"a reader": "sees; refused: making, deleting", "a member": "makes; refused: choosing what it is on"}


def hosts(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Every host that switches for instances is known, and works."""
    found = call(cloud, "GET", "/agents", 200, doing="Asking for the hosts")["agents"]
    dead = sorted(f"{agent['agent_type']} of {agent['host']}" for agent in found if not agent["alive"])
    require(not dead, f"Not alive: {', '.join(dead)}.")
    require(found, "The network service knows no host.")
    kinds = sorted({f"{agent['agent_type']}: {agent['host']}" for agent in found})
    return {"alive": kinds}


# -- with guests --------------------------------------------------------------------------------------------------


def started(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Two guests on two hosts get the addresses of their ports."""
    net = _find(cloud, "network", _name(scene, "net"))
    group = _make(cloud, "security_group", "Making a security group", name=_name(scene, "group"))
    first, second = scene.fact("hosts")
    ports = {
        what: _make(
            cloud,
            "port",
            f"Making the port of the {what}",
            name=_name(scene, what),
            network_id=net["id"],
            security_groups=[group["id"]],
        )
        for what in (LISTENER, SENDER)
    }
    address = ports[LISTENER]["fixed_ips"][0]["ip_address"]
    listen = _LISTEN.format(about=_ABOUT, receive=_RECEIVE, serve=_SERVE)
    send = _SEND.format(about=_ABOUT, receive=_RECEIVE, address=address, size=SENT, line=_LINE)
    for what, host, script in ((LISTENER, first, listen), (SENDER, second, send)):
        port = ports[what]["id"]
        guests.start(cloud, _name(scene, what), host=host, port=port, script=script, facts=scene.facts)
    evidence = {}
    for what, host in ((LISTENER, first), (SENDER, second)):
        said = guests.wait(cloud, _name(scene, what), "ready")["address"][-1]
        wanted = ports[what]["fixed_ips"][0]["ip_address"]
        require(said == wanted, f"The {what} on {host} has the address {said or 'none'} instead of {wanted}.")
        evidence[f"{what} on {host}"] = said
    return evidence


def metadata(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Each guest was told who it is, and nobody else's name."""
    evidence = {}
    for what in (LISTENER, SENDER):
        name = _name(scene, what)
        wanted, said = guests.find(cloud, name)["id"], guests.wait(cloud, name, "instance")["instance"][-1]
        require(said == wanted, f"The {what} was told that it is {said or 'nobody'}, and is {wanted}.")
        evidence[what] = said
    return evidence


def refused(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The security group lets nobody in, so the sender does not reach the listener."""
    attempts = guests.wait(cloud, _name(scene, SENDER), "refused", seconds=WAIT_SECONDS)
    require("sent" not in attempts, "The sender reached the listener, and the security group lets nobody in.")
    require("received" not in guests.said(cloud, _name(scene, LISTENER)), "The listener received something.")
    return {"attempts": int(attempts["refused"][-1]), "let in": "none"}


def overlay(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """With a rule for its group, the sender reaches the listener, and all of it arrives."""
    group = _find(cloud, "security_group", _name(scene, "group"))
    rule = {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"}
    rule |= {"port_range_min": _RECEIVE, "port_range_max": _RECEIVE, "remote_group_id": group["id"]}
    _make(cloud, "security_group_rule", "Letting the sender in", **rule)
    wanted = sha256((f"{_LINE}\n".encode() * (SENT // len(_LINE) + 1))[:SENT])
    received = guests.wait(cloud, _name(scene, LISTENER), "received", seconds=WAIT_SECONDS)["received"][-1]
    require(received == wanted, f"The listener received {received} instead of {wanted}.")
    return {"bytes": SENT, "sha256": received}


def floating(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The listener gets a floating address; ``address`` of the evidence is asked by a host then."""
    external = _find(cloud, "network", scene.fact("external"))
    name = _name(scene, "router")
    gateway = {"network_id": external["id"]}
    router = _make(cloud, "router", "Making a router", name=name, external_gateway_info=gateway)
    subnet = _find(cloud, "subnet", _name(scene, "net"))
    body = {"subnet_id": subnet["id"]}
    call(cloud, "PUT", f"/routers/{router['id']}/add_router_interface", 200, doing="Joining the network", body=body)
    group = _find(cloud, "security_group", _name(scene, "group"))
    rule = {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"}
    rule |= {"port_range_min": _SERVE, "port_range_max": _SERVE}
    _make(cloud, "security_group_rule", "Letting everybody ask the listener", **rule)
    port = _find(cloud, "port", _name(scene, LISTENER))
    about = {"floating_network_id": external["id"], "port_id": port["id"], "description": name}
    found = _make(cloud, "floatingip", "Giving a floating address", **about)
    return {"address": found["floating_ip_address"], "of": found["fixed_ip_address"]}


def reached(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A host that is on none of the cloud's networks reached the listener by the floating address."""
    said = scene.told("reached", "ports", "The host could not ask")
    states = {f"{one['address']}:{one['port']}": one["state"] for one in said["ports"]}
    require(set(states.values()) == {"open"}, f"The floating address does not answer: {states}.")
    return {"asked by": scene.facts.get("asker"), "answers": ", ".join(states)}


def told(known: Mapping[str, Any]) -> tuple[Story, ...]:
    """The stories of a deployment; those with guests where two hosts can have them. With no facts, all."""
    plain = (
        Story("network.hosts", "Every host that switches for instances works", hosts),
        Story(
            "network.network",
            "A network is made, and packets fit into its tunnels",
            network,
            least={"mgmt": 1000},
            most={"storage": NOISE, "repl": NOISE, "overlay": NOISE},
        ),
        Story(
            "network.roles", "A reader reads, a member makes networks, an administrator says what they are on", roles
        ),
    )
    if known and not with_guests(known):
        return plain
    under = known.get("underlay", "overlay")
    elsewhere = {name: NOISE for name in known.get("networks", ("mgmt", "storage", "repl")) if name != under}
    found = (
        Story("network.started", "Two guests on two hosts get the addresses of their ports", started),
        Story("network.metadata", "Each guest is told who it is", metadata),
        Story("network.refused", "A security group lets nobody in", refused, most={under: NOISE}),
        Story(
            "network.overlay",
            "Two guests on two hosts reach one another over the overlay, and nowhere else",
            overlay,
            least={under: SENT},
            most=elsewhere,
        ),
    )
    if known and not known.get("external"):
        return (*plain, *found)
    return (
        *plain,
        *found,
        Story("network.floating", "A guest gets a floating address", floating),
        Story("network.reached", "A host reaches the guest by its floating address", reached),
    )


# -- what is left -------------------------------------------------------------------------------------------------


def sweep(cloud: Cloud) -> int:
    """Remove every guest and network of verifications. Returns how many things there were."""
    removed = guests.remove_all(cloud) if _has_compute(cloud) else 0
    addresses = call(cloud, "GET", "/floatingips", 200, doing="Looking for floating addresses")["floatingips"]
    for one in addresses:
        if str(one["description"]).startswith(PREFIX):
            removed += _remove(cloud, f"/floatingips/{one['id']}")
    for router in _ours(cloud, "routers"):
        _leave(cloud, router)
        removed += _remove(cloud, f"/routers/{router['id']}")
    for collection, path in (("ports", "ports"), ("networks", "networks"), ("security_groups", "security-groups")):
        for one in _ours(cloud, collection, path):
            removed += _remove(cloud, f"/{path}/{one['id']}")
    return removed


def _has_compute(cloud: Cloud) -> bool:
    catalog = cloud.token_details.get("catalog") or ()
    return any(entry.get("type") == "compute" for entry in catalog)


def _ours(cloud: Cloud, collection: str, path: str = "") -> list[dict[str, Any]]:
    found = call(cloud, "GET", f"/{path or collection}", 200, doing=f"Looking for {collection}")[collection]
    return [one for one in found if str(one["name"]).startswith(PREFIX)]


def _leave(cloud: Cloud, router: Mapping[str, Any]) -> None:
    path = f"/ports?device_id={router['id']}&device_owner=network:router_interface"
    for port in call(cloud, "GET", path, 200, doing="Looking for a router's ports")["ports"]:
        place = f"/routers/{router['id']}/remove_router_interface"
        call(cloud, "PUT", place, 200, 404, doing="Taking a router out of a network", body={"port_id": port["id"]})


def _remove(cloud: Cloud, path: str) -> int:
    """Delete a thing, which may be in use for a moment after who used it has gone."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        answer = cloud.request("DELETE", f"{cloud.endpoint('network')}/v2.0{path}", None, _JSON)
        if answer.status in (204, 404):
            return int(answer.status == 204)
        if answer.status != 409 or time.monotonic() > deadline:
            raise HoldfastError(f"Deleting {path}: status {answer.status}. It says: {answer.body[:300]!r}")
        time.sleep(1)
