# SPDX-License-Identifier: Apache-2.0
"""Rules about shared file systems: back ends and who may run them, who reaches shares, and share types."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any

from ..errors import Finding
from ..inventory.draft import Draft, DraftHost, entries, listed, rule
from ..inventory.rules import backend_options
from ..inventory.rules.backends import listed as listed_entries
from ..inventory.schema import KeyPath, did_you_mean, ipv4_network
from . import drivers
from .backends import GROUP, VARIABLE, cluster, protocols, user

TYPES, GROUP_TYPES = "manila_share_types", "manila_share_group_types"
CLIENTS, CEPHFS_CLIENTS = "manila_client_networks", "manila_cephfs_networks"
GROUPS = ("manila_api", "manila_scheduler", GROUP)
FILES = "ceph_filesystems"

Listed = Iterator[tuple[DraftHost, int, Mapping[str, Any]]]


@rule
def complete(draft: Draft) -> Iterator[Finding]:
    """The service is whole or not there."""
    present = [group for group in GROUPS if draft.group(group)]
    for group in GROUPS:
        if present and group not in present:
            yield draft.error(
                "manila.incomplete",
                (group,),
                f"The group {group} has no host, and {listed(present)} {'have' if len(present) > 1 else 'has'}.",
                f"Put a host into the group {group}.",
            )


@rule
def managed(draft: Draft) -> Iterator[Finding]:
    """A host in manila_share manages something."""
    for host in draft.group(GROUP):
        if not host.variables.get(VARIABLE) and not draft.was_refused((VARIABLE,), host) and VARIABLE in host.variables:
            yield draft.error(
                "manila.no-backend",
                (VARIABLE,),
                "is empty, and the host is in manila_share.",
                "Describe a back end, or take the host out of the group.",
                host,
            )


@rule
def containers(draft: Draft) -> Iterator[Finding]:
    """What the kernel serves or mounts is on a host that has one of its own."""
    known = draft.domain.backends["manila"].types
    for host, index, entry in backends(draft):
        kind = known.get(str(entry.get("type")))
        if host.is_container and kind and kind.reached(entry) == "kernel":
            yield draft.error(
                "manila.backend-container",
                (VARIABLE, index, "type"),
                f"is {kind.name}, whose shares the host itself keeps and serves by {listed(protocols(entry))}, and "
                "the host is a container: it can not.",
                "Put the back end on a physical host, or set holdfast_host_kind: metal if it is one.",
                host,
            )
    for host in draft.group("manila_data"):
        if host.is_container:
            yield draft.advice(
                "manila.data-container",
                ("holdfast_host_kind",),
                "is container, and the host is in manila_data: it can not mount shares, so none is copied from one "
                "back end to another by it.",
                "Give manila_data to a physical host where shares are to be migrated.",
                host,
            )


@rule
def options(draft: Draft) -> Iterator[Finding]:
    """Options of a back end are the driver's own, and secrets are none of them."""
    of = draft.domain.backends["manila"]
    own = {kind.options.get("share_driver"): name for name, kind in of.types.items()}
    for host, index, entry in backends(draft):
        driver = str(entry.get("driver") or "")
        if name := own.get(f"{drivers.PREFIX}{driver.removeprefix(drivers.PREFIX)}"):
            yield draft.error(
                "manila.driver-own",
                (VARIABLE, index, "driver"),
                f"is {driver!r}, for which there is a type: its rules would be passed over.",
                f"Use the type {name}.",
                host,
            )
        yield from backend_options.problems(draft, host, index, entry, of)
        yield from backend_options.secret_problems(draft, host, index, entry, of)


@rule
def share_servers(draft: Draft) -> Iterator[Finding]:
    """Whether a driver makes file servers is as the driver can."""
    for host, index, entry in backends(draft):
        given, driver = entry.get("handles_share_servers"), str(entry.get("driver") or "")
        can = drivers.handles_share_servers(driver)
        if can is not None and isinstance(given, bool) and given is not can:
            yield draft.error(
                "manila.share-servers",
                (VARIABLE, index, "handles_share_servers"),
                f"is {str(given).lower()}, and {driver} {'always' if can else 'never'} makes file servers: "
                "manila-share would not start it.",
                f"Set it to {str(can).lower()}.",
                host,
            )


@rule
def nothing_twice(draft: Draft) -> Iterator[Finding]:
    """A back end is one host's, and no two have one user of Ceph or one cluster of NFS servers."""
    seen: dict[tuple[str, str], str] = {}
    for host, index, entry in backends(draft, every=True):
        if "name" not in entry:
            continue
        here = f"{VARIABLE}[{index}] of {host.name}"
        for key, what, value, why in (
            ("name", "name", str(entry["name"]).lower(), "each shows the shares of one as its own"),
            ("user", "user of Ceph", user(entry), "each would put out the clients of the other"),
            (
                "cluster",
                "cluster of NFS servers",
                cluster(entry, draft.variables),
                "each would take away exports of the other",
            ),
        ):
            first = seen.setdefault((key, value), here) if value else here
            if first != here:
                yield draft.error(
                    f"manila.{key}-twice",
                    (VARIABLE, index, key),
                    f"is {value!r}, the {what} of {first} too: {why}.",
                    "Give each back end one of its own, and each to one host.",
                    host,
                )


@rule
def files(draft: Draft) -> Iterator[Finding]:
    """Back ends on CephFS have a file system that is there, and NFS servers that are."""
    external = draft.variables.get("ceph_external")
    known = [entry["name"] for _, entry in entries(draft.variables.get(FILES)) if "name" in entry]
    for host, index, entry in backends(draft):
        name = entry.get("filesystem")
        if name and not external and name not in known and not draft.was_refused((FILES,)):
            yield draft.error(
                "manila.filesystem",
                (VARIABLE, index, "filesystem"),
                f"is {name!r}, which is not in {FILES}.",
                f"{did_you_mean(name, known)}Enter it there, or name one of: {listed(known) or 'none'}.",
                host,
            )
        wanted = cluster(entry, draft.variables)
        if wanted and not external and (wanted != draft.variables.get("ganesha_cluster") or not draft.group("ganesha")):
            yield draft.error(
                "manila.cluster-unknown",
                (VARIABLE, index, "cluster"),
                f"is {wanted!r}, and no host runs NFS servers of that name.",
                "Put hosts into the group ganesha, and leave cluster out or give the name in ganesha_cluster.",
                host,
            )


@rule
def trusted(draft: Draft) -> Iterator[Finding]:
    """Who gives CephFS itself to users knows what that means."""
    native = False
    for host, index, entry in backends(draft):
        if entry.get("type") != "cephfs":
            continue
        native = True
        if not entry.get("acknowledge") and not draft.was_refused((VARIABLE, index, "acknowledge"), host):
            yield draft.error(
                "manila.native",
                (VARIABLE, index, "acknowledge"),
                "is missing: clients of this type speak to Ceph's monitors and OSDs themselves, and keep to owners, "
                "quotas and access on their own word; the Ceph of Debian 13 has no correction for OSSN-0108.",
                "Use the type cephfs_nfs for users that you do not trust; for others write acknowledge: OSSN-0108.",
                host,
            )
    if draft.variables.get(CEPHFS_CLIENTS) and not native:
        yield draft.error(
            "manila.cephfs-networks",
            (CEPHFS_CLIENTS,),
            "is given, and no back end is of the type cephfs: Ceph would be open to networks for nothing.",
            "Take it out.",
        )


@rule
def clients(draft: Draft) -> Iterator[Finding]:
    """Clients that are no hosts come over br-storage, from it or by a router that it has a route to."""
    storage = draft.networks.get("storage")
    if not storage:
        return
    routes = (storage.content.get("routes") or ()) if isinstance(storage.content, Mapping) else ()
    ways = [storage.cidr, *(ipv4_network(route["to"]) for _, route in entries(routes) if "to" in route)]
    for variable in (CLIENTS, CEPHFS_CLIENTS):
        for place, text in enumerate(draft.variables.get(variable) or ()):
            if not any(IPv4Network(text).subnet_of(way) for way in ways):
                yield draft.error(
                    "manila.client-network",
                    (variable, place),
                    f"is {text}, neither part of br-storage ({storage.cidr}) nor behind one of its routers: its "
                    "packets are dropped.",
                    "Give a provider network of br-storage, or networks_bridges.storage.routes to this one.",
                )


@rule
def volume_groups(draft: Draft) -> Iterator[Finding]:
    """A volume group of shares is that of one back end, and no other service's."""
    others = [of for name, of in draft.domain.backends.items() if name != "manila"]
    for host in draft.group(GROUP):
        taken: dict[str, str] = {}
        for of in others:
            for index, entry in entries(host.variables.get(of.variable)) if of.group in host.groups else ():
                taken.setdefault(str(entry.get("volume_group")), f"{of.variable}[{index}]")
        for index, entry in entries(host.variables.get(VARIABLE)):
            path: KeyPath = (VARIABLE, index)
            if not (group := entry.get("volume_group")):
                continue
            if (first := taken.setdefault(group, f"{VARIABLE}[{index}]")) != f"{VARIABLE}[{index}]":
                yield draft.error(
                    "manila.volume-group",
                    (*path, "volume_group"),
                    f"is {group!r}, that of {first} too: both would count its space as their own.",
                    "Give it a volume group and disks of its own.",
                    host,
                )
            for place, device in enumerate(entry.get("wipe") or ()):
                if device not in (entry.get("devices") or ()):
                    yield draft.error(
                        "manila.wipe",
                        (*path, "wipe", place),
                        f"is {device!r}, which is none of the devices of this back end.",
                        "Repeat the device word for word, or take it out.",
                        host,
                    )
            if "adopt" in entry and entry["adopt"] != group:
                yield draft.error(
                    "manila.adopt",
                    (*path, "adopt"),
                    f"is {entry['adopt']!r}, and the volume group is {group!r}.",
                    "Repeat the name of the volume group, or take it out.",
                    host,
                )


@rule
def one_host(draft: Draft) -> Iterator[Finding]:
    """What is lost with the host is said before it happens."""
    for host, index, entry in backends(draft):
        if entry.get("type") == "lvm":
            yield draft.advice(
                "manila.one-host",
                (VARIABLE, index, "type"),
                f"is lvm: the shares of {entry.get('name')} are on this host alone. While it is down nobody reaches "
                "them; when its disks are lost, so are the shares.",
                "Use it to try things out; for production use cephfs_nfs or a filer.",
                host,
            )


@rule
def types(draft: Draft) -> Iterator[Finding]:
    """Share types have names of their own, ask for back ends that are there, and at most one is the default."""
    known = {entry["name"] for _, _, entry in backends(draft, every=True) if "name" in entry}
    seen: dict[str, str] = {}
    default = ""
    for host, path, entry in _types(draft):
        place = f"{path[0]}[{path[1]}]"
        if "name" in entry and (first := seen.setdefault(entry["name"].casefold(), place)) != place:
            yield draft.error(
                "manila.type-twice",
                (*path, "name"),
                f"is {entry['name']!r}, as in {first}.",
                "Give each share type a name of its own.",
                host,
            )
        if entry.get("default"):
            if default or entry.get("public") is False:
                why = f"as in {default}: one type alone" if default else "and it is not public: a type that all may use"
                yield draft.error(
                    "manila.type-default",
                    (*path, "default"),
                    f"is true, {why} is what a share gets when nobody names one.",
                    "Leave one of them that is public.",
                    host,
                )
            default = default or place
        if path[0] == TYPES and "backend" in entry and entry["backend"] not in known:
            yield draft.error(
                "manila.type-backend",
                (*path, "backend"),
                f"is {entry['backend']!r}, which is no back end of a host in manila_share.",
                f"{did_you_mean(entry['backend'], known)}Name one of: {listed(known) or 'none'}.",
            )
    for index, group in entries(draft.variables.get(GROUP_TYPES)):
        for place, name in enumerate(group.get("share_types") or ()):
            if draft.group(GROUP) and str(name).casefold() not in seen:
                yield draft.error(
                    "manila.group-type",
                    (GROUP_TYPES, index, "share_types", place),
                    f"is {name!r}, which is no share type of the inventory.",
                    f"{did_you_mean(str(name), seen)}Name one that it describes.",
                )


def backends(draft: Draft, *, every: bool = False) -> Listed:
    """The back ends of hosts in manila_share; the same list on many hosts once. ``every``: on each of the hosts."""
    for host, index, entry in listed_entries(draft, draft.domain.backends["manila"], every=every):
        if host:
            yield host, index, entry


def _types(draft: Draft) -> Iterator[tuple[DraftHost | None, KeyPath, Mapping[str, Any]]]:
    told: set[str] = set()
    for host, index, entry in backends(draft):
        given = entry.get("share_type")
        described = json.dumps(entry, sort_keys=True, default=str)
        if isinstance(given, Mapping) and described not in told:
            told.add(described)
            yield host, (VARIABLE, index, "share_type"), given
    for index, given in entries(draft.variables.get(TYPES)):
        if draft.group(GROUP):
            yield None, (TYPES, index), given
