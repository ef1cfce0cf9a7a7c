# SPDX-License-Identifier: Apache-2.0
"""Stories of the compute service: that its hosts are up, what it offers, who may do what, and what instances see.

Those with guests (``instances``) are told where the image and the flavor for tests are, and a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..cinder import backends
from ..cinder import stories as volumes
from ..description.services import Services
from ..model import Model
from ..verify import people
from ..verify.story import NOISE, Cloud, Scene, Story, expect, require
from . import instances, storage
from .guest import call


def facts(model: Model, services: Services) -> dict[str, Any]:
    """Hosts with where each has disks, what is offered, and what else there is to tell stories about."""
    variables = model.variables
    hosts = {host.name: storage.chosen(host.variables, variables) for host in model.group("nova_compute")}
    stores = variables.get("glance_stores") or ()
    default = next((store for store in stores if store["name"] == variables.get("glance_default_store")), None)
    store: dict[str, Any] = default or next(iter(stores), {})
    types = backends.volume_types(model)
    kept = next((entry["name"] for entry in types if entry.get("default")), None)
    managed = {backend["name"]: (host, backend) for host, backend in backends.backends(model)}
    named = next((entry for entry in types if entry.get("default")), {})
    host, backend = managed.get(named.get("backend") or next(iter(managed), ""), (None, {}))
    return {
        "hosts": hosts,
        "image_store": store.get("type"),
        "volume_type": kept,
        "rbd": backend.get("type") == "rbd"
        and {"host": host.name if host else "", "pool": backend["pool"], "user": backend.get("ceph_user") or "cinder"},
        "keys": variables.get("cinder_key_manager") if model.group("cinder_api") else None,
        "screens": bool(model.group("nova_console")),
        "serial": bool(model.group("nova_console") and variables.get("nova_serial_console")),
        "flavors": [dict(entry) for entry in variables.get("nova_flavors") or ()],
        "aggregates": [dict(entry) for entry in variables.get("nova_aggregates") or ()],
        "quotas": dict(variables.get("nova_quotas") or {}),
        "names": {name: variables.get(f"nova_verify_{name}") for name in ("image", "flavor", "network")},
        "command_host": model.group("nova_api")[0].name if model.group("nova_api") else None,
    }


def ask(cloud: Cloud, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The ids of image, flavor and network for instances of tests, and their stories; none where one is missing."""
    names = facts["names"]
    image = _first(cloud, "image", f"/v2/images?name={names['image']}&status=active", "images")
    listed = call(cloud, "GET", "/flavors/detail?is_public=None", 200, doing="Asking for flavors")["flavors"]
    flavor: dict[str, Any] = next((entry for entry in listed if entry["name"] == names["flavor"]), {})
    network = _network(cloud, names["network"])
    found = {
        "image": image.get("id"),
        "image_format": image.get("disk_format"),
        "image_bytes": image.get("size"),
        "flavor": flavor.get("id"),
        "flavor_size": {name: int(flavor.get(name) or 0) for name in ("vcpus", "ram", "disk")},
        "network": network,
    }
    told = instances.stories({**facts, **found}) if image and flavor and network and facts["hosts"] else ()
    return {**found, "instances": [story.id for story in told]}


def _first(cloud: Cloud, service: str, path: str, collection: str) -> dict[str, Any]:
    answer = cloud.request("GET", f"{cloud.endpoint(service)}{path}")
    found = expect(answer, 200, doing=f"Asking for {collection}").json()[collection]
    return dict(found[0]) if found else {}


def _network(cloud: Cloud, name: str | None) -> str | None:
    """The id of the network of that name, or of the first that is not external; None without one."""
    if not any(entry["type"] == "network" for entry in cloud.token_details.get("catalog", ())):
        return None
    answer = cloud.request("GET", f"{cloud.endpoint('network')}/v2.0/networks")
    listed = expect(answer, 200, doing="Asking for networks").json()["networks"]
    wanted = [
        entry
        for entry in sorted(listed, key=lambda entry: str(entry["name"]))
        if (entry["name"] == name if name else not entry.get("router:external")) and entry.get("subnets")
    ]
    return str(wanted[0]["id"]) if wanted else None


def services(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Every compute host of the deployment is up, in a cell, and known to placement as what it is."""
    listed = call(cloud, "GET", "/os-services", 200, doing="Asking for the services")["services"]
    down = [f"{entry['binary']} on {entry['host']}" for entry in listed if entry["state"] != "up"]
    require(not down, f"Down are {', '.join(down)}.")
    seen = call(cloud, "GET", "/os-hypervisors/detail", 200, doing="Asking for the compute hosts")["hypervisors"]
    hosts = sorted(entry["service"]["host"] for entry in seen)
    wanted = sorted(scene.facts.get("hosts") or ())
    require(set(wanted) <= set(hosts), f"The compute service knows {', '.join(hosts) or 'no host'}.")
    evidence: dict[str, Any] = {"services": sorted({entry["binary"] for entry in listed}), "compute hosts": hosts}
    for name, told in (scene.facts.get("virtualization") or {}).items():
        evidence[f"{name} runs guests by"] = told
    for name, kept in (scene.facts.get("hosts") or {}).items():
        evidence[f"disks on {name}"] = f"{kept}: {storage.MEANS[kept]}"
    return evidence


def upgrade_check(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The compute service itself finds nothing that stands against this release."""
    said = scene.fact("checked")
    output = str(said.get("stdout") or "")
    checks = [line.split(":", 1)[1].strip(" |") for line in output.splitlines() if "Check:" in line]
    results = [line.split(":", 1)[1].strip(" |") for line in output.splitlines() if "Result:" in line]
    # 1 is a warning, such as that of an empty placement service.
    require(said.get("rc") in (0, 1), f"nova-status says: {said.get('stderr') or output or said.get('msg')}")
    require("Failure" not in results and checks, f"nova-status says: {output}")
    return dict(zip(checks, results, strict=False))


def offer(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Flavors, aggregates and quotas are those of the inventory."""
    listed = call(cloud, "GET", "/flavors/detail?is_public=None", 200, doing="Asking for flavors")["flavors"]
    known = {entry["name"]: entry for entry in listed}
    for entry in scene.facts.get("flavors") or ():
        found = known.get(entry["name"])
        require(found, f"There is no flavor {entry['name']}.")
        have = {"vcpus": known[entry["name"]]["vcpus"], "memory_mb": known[entry["name"]]["ram"]}
        want = {name: entry[name] for name in have}
        require(have == want, f"The flavor {entry['name']} has {have} and not {want}.")
    groups = {
        entry["name"]: entry
        for entry in call(cloud, "GET", "/os-aggregates", 200, doing="Asking for aggregates")["aggregates"]
    }
    for entry in scene.facts.get("aggregates") or ():
        hosts = sorted(groups.get(entry["name"], {}).get("hosts", ()))
        require(hosts == sorted(entry["hosts"]), f"The aggregate {entry['name']} has {', '.join(hosts) or 'no host'}.")
    path = "/os-quota-class-sets/default"
    quotas = call(cloud, "GET", path, 200, doing="Asking for quotas")["quota_class_set"]
    wanted = scene.facts.get("quotas") or {}
    differing = {name: quotas.get(name) for name, value in wanted.items() if quotas.get(name) != value}
    require(not differing, f"Of the quotas, {differing} are others than the inventory's.")
    return {"flavors": sorted(known), "aggregates": sorted(groups), "quotas": wanted}


def roles(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A reader makes no instance, a member sees neither services nor hosts, and nobody has more than a quota."""
    server = {"name": f"{scene.name}-reader", "imageRef": "", "flavorRef": "1", "networks": "none"}
    group = {"server_group": {"name": f"{scene.name}-group", "policy": "anti-affinity"}}
    with people.of_a_project(cloud, scene, "compute") as who:
        reader, member, admin = who[people.READER], who[people.MEMBER], who[people.ADMIN]
        call(reader, "GET", "/servers", 200, doing="Listing instances as a reader")
        call(reader, "POST", "/servers", 403, doing="Starting an instance as a reader", body={"server": server})
        for name, user in (("reader", reader), ("member", member)):
            call(user, "GET", "/os-services", 403, doing=f"Asking for the services as a {name}")
            call(user, "GET", "/os-hypervisors", 403, doing=f"Asking for the hosts as a {name}")
        call(admin, "GET", "/os-services", 200, doing="Asking for the services as an administrator")
        project = str(member.token_details["project"]["id"])
        path = f"/os-quota-sets/{project}"
        body = {"quota_set": {"server_groups": 0}}
        call(cloud, "PUT", path, 200, doing="Giving the project no quota", body=body)
        call(member, "POST", "/os-server-groups", 403, doing="Making a group beyond the quota", body=group)
        call(cloud, "DELETE", path, 202, doing="Taking the project's own quota away")
    return {
        "a reader": "sees instances, and makes none",
        "reader and member": "see neither services nor hosts",
        "beyond the quota": "403 Forbidden",
    }


def told(facts: Mapping[str, Any]) -> tuple[Story, ...]:
    """The stories of a deployment: those with guests where it has what these need."""
    return (*STORIES, *(instances.stories(facts) if facts.get("instances") else ()))


def sweep(cloud: Cloud) -> int:
    """Delete instances, flavors, volumes and their types of verifications. Returns how many there were."""
    count = instances.sweep(cloud)
    if any(entry["type"] == "block-storage" for entry in cloud.token_details.get("catalog", ())):
        # A type goes when no volume has it.
        count += volumes.sweep(cloud) + instances.sweep_types(cloud)
    return count


STORIES = (
    Story(
        "compute.services",
        "Every compute host is up and in a cell",
        services,
        most={"storage": NOISE, "repl": NOISE},
    ),
    Story("compute.upgrade_check", "The compute service finds nothing against its release", upgrade_check),
    Story("compute.offer", "Flavors, aggregates and quotas are those of the inventory", offer),
    Story("compute.roles", "A reader reads, and nobody has more than a quota", roles),
)
