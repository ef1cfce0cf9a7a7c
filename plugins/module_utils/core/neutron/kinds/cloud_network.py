# SPDX-License-Identifier: Apache-2.0
"""Networks of the cloud that the deployment makes: networks, their subnets, and routers.

Read and changed as one batch over one connection with one token, on the first host of the network API, where a file of
root's holds how to sign in. What is not named is left alone, also subnets of a named network and interfaces of a named
router. Nothing is deleted. What a network was made of does not change: that is refused.
"""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from ...base.system import STATE
from ...change import Change, Plan, is_wait, wait_for
from ...errors import Finding, HoldfastError
from ...host_io import IO, Api

CREDENTIALS = "/etc/holdfast/network.json"
MADE = f"{STATE}/cloud_network.made"
WAIT_SECONDS = 120
DOMAIN = "default"
"""The id of the domain Default."""

_PROVIDER = {"network_type": "type", "physical_network": "physical network", "segmentation_id": "VLAN"}


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    named = [*wanted["networks"], *wanted["routers"]]
    return {
        "credentials": wanted.get("credentials") or CREDENTIALS,
        "projects": sorted({entry["project"] for entry in named}),
        "networks": sorted({entry["name"] for entry in wanted["networks"]}),
        "routers": sorted({entry["name"] for entry in wanted["routers"]}),
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{state, made, projects: {name: id}, networks: {key: [network]}, routers: {key: [router]}}``.

    ``key`` is ``project/name``. A network has its subnets, by name, and a router the ids of the subnets that it is in.
    ``state`` is ``absent`` where nothing answers; ``made`` is whether all was there once.
    """
    nothing: dict[str, Any] = {"state": "absent", "projects": {}, "networks": {}, "routers": {}}
    nothing["made"] = io.exists(MADE)
    credentials = io.read_text(asked["credentials"])
    if credentials is None:
        return nothing
    identity = io.openstack(json.loads(credentials))
    networks = None
    try:
        is_in = identity.sign_in(known=True) == "present"
        if not is_in or (networks := _networks_of(identity)) is None or not _answers(networks):
            return nothing
        return {**nothing, "state": "present", **_read(identity, networks, asked)}
    finally:
        identity.close()
        if networks:
            networks.close()


def _networks_of(identity: Api) -> Api | None:
    return identity.service("network", title="The network service")


def _answers(networks: Api) -> bool:
    status, _, _ = networks.request("GET", "/v2.0/networks?limit=1&fields=id")
    return status == 200


def _listed(networks: Api, collection: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = networks.call("GET", f"/v2.0/{collection}?{urlencode(query, doseq=True)}")[collection]
    return found


def _read(identity: Api, networks: Api, asked: dict[str, Any]) -> dict[str, Any]:
    projects = {
        project["name"]: project["id"]
        for name in asked["projects"]
        for project in identity.get("projects", name=name, domain_id=DOMAIN)
    }
    names = {id: name for name, id in projects.items()}
    current: dict[str, Any] = {"projects": projects, "networks": {}, "routers": {}}
    found = _listed(networks, "networks", name=asked["networks"]) if asked["networks"] else []
    for entry in found:
        if entry["project_id"] in names:
            subnets = _listed(networks, "subnets", network_id=entry["id"])
            key = f"{names[entry['project_id']]}/{entry['name']}"
            current["networks"].setdefault(key, []).append(
                {**_network(entry), "subnets": {subnet["name"]: _subnet(subnet) for subnet in subnets}}
            )
    for entry in _listed(networks, "routers", name=asked["routers"]) if asked["routers"] else []:
        if entry["project_id"] in names:
            ports = _listed(networks, "ports", device_id=entry["id"], device_owner="network:router_interface")
            key = f"{names[entry['project_id']]}/{entry['name']}"
            current["routers"].setdefault(key, []).append(
                {
                    "id": entry["id"],
                    "external_network": (entry.get("external_gateway_info") or {}).get("network_id"),
                    "subnets": sorted(ip["subnet_id"] for port in ports for ip in port["fixed_ips"]),
                }
            )
    return current


def _network(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": entry["id"],
        "external": entry["router:external"],
        "shared": entry["shared"],
        "mtu": entry["mtu"],
        **{name: entry.get(f"provider:{name}") for name in _PROVIDER},
    }


def _subnet(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": entry["id"],
        "cidr": entry["cidr"],
        "gateway": entry["gateway_ip"],
        "pools": [[pool["start"], pool["end"]] for pool in entry["allocation_pools"]],
        "dhcp": entry["enable_dhcp"],
        "dns": list(entry["dns_nameservers"]),
    }


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """Networks before their subnets, these before the routers between them."""
    if current["state"] == "absent" and current["made"]:
        return Plan([wait_for("the network service", "its API is silent.", wanted=wanted)])
    return Plan(tuple(_changes(current, wanted)), tuple(_findings(current, wanted)))


# -- what is refused ----------------------------------------------------------------------------------------------


def _findings(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Finding]:
    for what, entries in (("network", wanted["networks"]), ("router", wanted["routers"])):
        for entry in entries:
            found = current[f"{what}s"].get(_key(entry), [])
            if len(found) > 1:
                yield Finding(
                    "error",
                    f"neutron.{what}-ambiguous",
                    f"{what} {entry['name']}",
                    f"The project {entry['project']} has {len(found)} {what}s of this name: one is meant.",
                    f"Rename or delete all but one, or give {entry['name']} another name.",
                )
            elif found and what == "network":
                yield from _changed(found[0], entry)


def _changed(found: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[Finding]:
    for name, value in _provider(entry).items():
        if found[name] != value and not (name == "segmentation_id" and found["network_type"] == "geneve"):
            yield Finding(
                "error",
                "neutron.network-differs",
                f"network {entry['name']}",
                f"Its {_PROVIDER[name]} is {found[name]} and should be {value}: a network stays where it is.",
                "Describe a network of another name, move what is on this one, and delete it.",
            )
    for subnet in entry["subnets"]:
        stands = found["subnets"].get(subnet["name"])
        if stands and stands["cidr"] != subnet["cidr"]:
            yield Finding(
                "error",
                "neutron.subnet-differs",
                f"subnet {subnet['name']}",
                f"Its addresses are {stands['cidr']} and should be {subnet['cidr']}: a subnet does not change them.",
                "Describe a subnet of another name, move what is on this one, and delete it.",
            )


def _provider(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What a network is on, as the API has it."""
    if not entry.get("physical_network"):
        return {"network_type": "geneve", "physical_network": None, "segmentation_id": None}
    vlan = entry.get("vlan")
    return {
        "network_type": "vlan" if vlan else "flat",
        "physical_network": entry["physical_network"],
        "segmentation_id": vlan,
    }


# -- what differs -------------------------------------------------------------------------------------------------


def _key(entry: Mapping[str, Any]) -> str:
    return f"{entry['project']}/{entry['name']}"


def _only(current: Mapping[str, Any], what: str, key: str) -> dict[str, Any] | None:
    return next(iter(current[what].get(key, ())), None)


def _changes(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Change]:
    shared = {"wanted": wanted}
    for entry in wanted["networks"]:
        found = _only(current, "networks", _key(entry))
        yield from _network_changes(found, entry, shared)
        for subnet in entry["subnets"]:
            stands = found["subnets"].get(subnet["name"]) if found else None
            yield from _subnet_changes(stands, subnet, {**shared, "network": _key(entry)})
    for entry in wanted["routers"]:
        yield from _router_changes(current, _only(current, "routers", _key(entry)), entry, shared)


def _network_changes(
    found: Mapping[str, Any] | None, entry: Mapping[str, Any], shared: dict[str, Any]
) -> Iterator[Change]:
    body = {"router:external": bool(entry["external"]), "shared": bool(entry["shared"])}
    body |= {"mtu": entry["mtu"]} if entry.get("mtu") else {}
    subject, data = f"network {entry['name']}", {**shared, "entry": entry, "kind": "network"}
    if not found:
        provider = {f"provider:{name}": value for name, value in _provider(entry).items() if value is not None}
        # What a user's network is, the service decides.
        body |= provider if entry.get("physical_network") else {}
        yield Change(subject, "create", after=_lines(body), data={**data, "body": body})
        return
    stands = {"router:external": found["external"], "shared": found["shared"], "mtu": found["mtu"]}
    yield from _updated(subject, stands, body, {**data, "id": found["id"]})


def _subnet_changes(
    stands: Mapping[str, Any] | None, subnet: Mapping[str, Any], shared: dict[str, Any]
) -> Iterator[Change]:
    subject, data = f"subnet {subnet['name']}", {**shared, "entry": subnet, "kind": "subnet"}
    body: dict[str, Any] = {"enable_dhcp": bool(subnet["dhcp"]), "dns_nameservers": list(subnet["dns"])}
    body |= {"gateway_ip": subnet["gateway"]} if subnet.get("gateway") else {}
    if subnet.get("pool"):
        body["allocation_pools"] = [{"start": subnet["pool"][0], "end": subnet["pool"][1]}]
    if not stands:
        body |= {"cidr": subnet["cidr"], "ip_version": ipaddress.ip_network(subnet["cidr"]).version}
        yield Change(subject, "create", after=_lines(body), data={**data, "body": body})
        return
    now = {
        "enable_dhcp": stands["dhcp"],
        "dns_nameservers": stands["dns"],
        "gateway_ip": stands["gateway"],
        "allocation_pools": [{"start": start, "end": end} for start, end in stands["pools"]],
    }
    yield from _updated(subject, now, body, {**data, "id": stands["id"]})


def _router_changes(
    current: Mapping[str, Any], found: Mapping[str, Any] | None, entry: Mapping[str, Any], shared: dict[str, Any]
) -> Iterator[Change]:
    subject, data = f"router {entry['name']}", {**shared, "entry": entry, "kind": "router"}
    external, wanted = entry.get("external_network") or "", shared["wanted"]
    if not found:
        after = _lines({"external network": external or "none", "subnets": ", ".join(entry["subnets"]) or "none"})
        yield Change(subject, "create", after=after, data=data)
        return
    network = _id_of_network(current, wanted, external)
    # One that has still to be made has no id.
    if found["external_network"] != network or (external and not network):
        before = f"external network: {found['external_network'] or 'none'}"
        yield Change(subject, "update", before, f"external network: {external or 'none'}", data=data)
    for name in entry["subnets"]:
        if _id_of_subnet(current, wanted, name) not in found["subnets"]:
            yield Change(f"{subject} in {name}", "create", "", f"interface in {name}", {**data, "subnet": name})


def _updated(
    subject: str, stands: Mapping[str, Any], body: Mapping[str, Any], data: dict[str, Any]
) -> Iterator[Change]:
    differing = {name: value for name, value in body.items() if stands[name] != value}
    if differing:
        before = {name: stands[name] for name in differing}
        yield Change(subject, "update", _lines(before), _lines(differing), {**data, "body": differing})


def _lines(values: Mapping[str, Any]) -> str:
    def text(value: Any) -> str:
        if isinstance(value, list):
            return ", ".join(map(text, value)) or "none"
        return f"{value['start']} to {value['end']}" if isinstance(value, Mapping) else str(value)

    return "\n".join(f"{name}: {text(value)}" for name, value in values.items())


def _id_of_network(current: Mapping[str, Any], wanted: Mapping[str, Any], name: str) -> str | None:
    """The id of a network that the deployment makes, by the name that routers call it; None of none."""
    entries = (entry for entry in wanted["networks"] if entry["name"] == name)
    found = (_only(current, "networks", _key(entry)) for entry in entries)
    return next((str(one["id"]) for one in found if one), None)


def _id_of_subnet(current: Mapping[str, Any], wanted: Mapping[str, Any], name: str) -> str | None:
    for entry in wanted["networks"]:
        found = _only(current, "networks", _key(entry))
        if found and name in found["subnets"] and any(subnet["name"] == name for subnet in entry["subnets"]):
            return str(found["subnets"][name]["id"])
    return None


# -- doing it -----------------------------------------------------------------------------------------------------


def apply(io: IO, plan: Plan) -> None:
    """The API may just have been started: waits for it, and does what then still differs."""
    wanted = plan.changes[0].data["wanted"]
    asked = question(wanted)
    access = json.loads(io.read_text(asked["credentials"]) or "null")
    if access is None:
        raise HoldfastError(f"{asked['credentials']} is missing. Fix: apply the files of the role neutron first.")
    identity = io.openstack(access)
    networks = _wait(identity)
    try:
        if is_wait(plan):
            return
        current = _read(identity, networks, asked)
        _require_projects(current, asked["projects"])
        if refused := tuple(_findings(current, wanted)):
            raise HoldfastError(" ".join(map(str, refused)), refused)
        for change in tuple(_changes(current, wanted)):
            _do(networks, current, wanted, change)
        io.write(MADE, "", mode="0600")
    finally:
        identity.close()
        networks.close()


def _wait(identity: Api) -> Api:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        state = identity.sign_in()
        networks = _networks_of(identity) if state == "present" else None
        if networks and _answers(networks):
            return networks
        if time.monotonic() > deadline:
            why = f"answers {networks.failure}" if networks else f"has no place in the catalog; sign-in: {state}"
            raise HoldfastError(
                f"The network API {why} after {WAIT_SECONDS} s. Fix: see `journalctl -u neutron-api` and "
                "`journalctl -u haproxy` on its hosts, and run again."
            )
        time.sleep(0.5)


def _require_projects(current: Mapping[str, Any], names: Iterable[str]) -> None:
    if missing := [name for name in names if name not in current["projects"]]:
        raise HoldfastError(
            f"The domain Default has no project {', '.join(missing)}, whose networks or routers are to be made. Fix: "
            "describe it in keystone_projects, or name another project."
        )


def _do(networks: Api, current: dict[str, Any], wanted: dict[str, Any], change: Change) -> None:
    data, entry = change.data, change.data["entry"]
    kind = data["kind"]
    if "subnet" in data:
        _plug(networks, current, wanted, _only(current, "routers", _key(entry)), data["subnet"])
    elif kind == "router":
        _do_router(networks, current, wanted, change)
    elif change.action == "update":
        networks.call("PUT", f"/v2.0/{kind}s/{data['id']}", {kind: data["body"]})
    elif kind == "network":
        body = {"name": entry["name"], "project_id": current["projects"][entry["project"]], **data["body"]}
        made = networks.call("POST", "/v2.0/networks", {"network": body})["network"]
        current["networks"][_key(entry)] = [{"id": made["id"], "project_id": body["project_id"], "subnets": {}}]
    else:
        network = current["networks"][data["network"]][0]
        project = current["projects"][data["network"].partition("/")[0]]
        body = {"name": entry["name"], "network_id": network["id"], "project_id": project, **data["body"]}
        made = networks.call("POST", "/v2.0/subnets", {"subnet": body})["subnet"]
        network["subnets"][entry["name"]] = {"id": made["id"]}


def _do_router(networks: Api, current: dict[str, Any], wanted: dict[str, Any], change: Change) -> None:
    entry = change.data["entry"]
    external = _id_of_network(current, wanted, entry.get("external_network") or "")
    gateway = {"network_id": external} if external else None
    if change.action == "update":
        router = current["routers"][_key(entry)][0]
        networks.call("PUT", f"/v2.0/routers/{router['id']}", {"router": {"external_gateway_info": gateway or {}}})
        return
    body: dict[str, Any] = {"name": entry["name"], "project_id": current["projects"][entry["project"]]}
    body |= {"external_gateway_info": gateway} if gateway else {}
    made = networks.call("POST", "/v2.0/routers", {"router": body})["router"]
    current["routers"][_key(entry)] = [{"id": made["id"], "external_network": external, "subnets": []}]
    for name in entry["subnets"]:
        _plug(networks, current, wanted, made, name)


def _plug(
    networks: Api, current: Mapping[str, Any], wanted: Mapping[str, Any], router: Mapping[str, Any] | None, name: str
) -> None:
    subnet = _id_of_subnet(current, wanted, name)
    if router is None or subnet is None:
        raise HoldfastError(f"There is no subnet {name} of neutron_networks. Fix: name one that there is.")
    networks.call("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet})
