# SPDX-License-Identifier: Apache-2.0
"""Rules about Ceph: monitors, disks, pools that survive a loss, file systems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import Finding, counted
from ...inventory.draft import Draft, DraftHost, entries, listed, rule
from ...inventory.schema import KeyPath, did_you_mean
from .. import values as ceph

OSDS, POOLS, CLIENTS, EXTERNAL = "ceph_osds", "ceph_pools", "ceph_clients", "ceph_external"
FILES = "ceph_filesystems"
DAEMONS = ("ceph_mgr", "ceph_osd", "ceph_mds", "ceph_rgw")
PGS_PER_OSD = 250
# Ceph's own, beside those whose names begin with a dot.
_RESERVED_POOLS = ("device_health_metrics",)


# -- hosts ----------------------------------------------------------------------------------------------------------


@rule
def monitors(draft: Draft) -> Iterator[Finding]:
    """The cluster is this deployment's or another's, and is whole."""
    mons = draft.group("ceph_mon")
    if draft.variables.get(EXTERNAL):
        for group in ("ceph_mon", *DAEMONS):
            if draft.group(group):
                yield draft.error(
                    "ceph.external-daemons",
                    (EXTERNAL,),
                    f"is set, and hosts are in {group}: a cluster is this deployment's own or another's.",
                    f"Empty the group {group}, or take {EXTERNAL} out.",
                )
        return
    if not mons:
        for group in DAEMONS:
            if draft.group(group):
                yield draft.error(
                    "ceph.no-monitors",
                    ("ceph_mon",),
                    f"The group ceph_mon has no host, and hosts are in {group}.",
                    "Put 3 hosts into the group ceph_mon.",
                )
                return
        return
    if not draft.group("ceph_osd"):
        yield draft.error(
            "ceph.no-osds",
            ("ceph_osd",),
            "The group ceph_osd has no host: a cluster without disks keeps nothing.",
            "Put the hosts whose disks Ceph takes into the group ceph_osd.",
        )
    if not draft.group("ceph_mgr"):
        yield draft.error(
            "ceph.no-manager",
            ("ceph_mgr",),
            "The group ceph_mgr has no host: without a manager a cluster is never healthy.",
            "Put a monitor's host into it, better two.",
        )


@rule
def short_names(draft: Draft) -> Iterator[Finding]:
    """Ceph calls a host by its name up to the first dot: two that are called alike would be one."""
    seen: dict[str, str] = {}
    for host in draft.group("ceph_mon", *DAEMONS):
        short = host.name.partition(".")[0].lower()
        if (first := seen.setdefault(short, host.name)) != host.name:
            yield draft.error(
                "ceph.short-name",
                (),
                f"Ceph calls the host {short}, as it calls {first}: it cuts names at the first dot.",
                "Give hosts names that differ before the first dot.",
                host,
            )


@rule
def disks(draft: Draft) -> Iterator[Finding]:
    """OSDs have disks, and modes that the host can have."""
    for host in draft.group("ceph_osd"):
        osds = host.variables.get(OSDS)
        if osds is not None and not osds and not draft.was_refused((OSDS,), host):
            yield draft.error(
                "ceph.no-disks",
                (OSDS,),
                "is empty, and the host is in ceph_osd.",
                "List the host's disks, or take it out of the group.",
                host,
            )
        for index, osd in entries(osds):
            path: KeyPath = (OSDS, index)
            if osd.get("mode") == "lvm" and host.is_container:
                yield draft.error(
                    "ceph.lvm-container",
                    (*path, "mode"),
                    "is lvm, and the host is a container, whose kernel's device-mapper is not its own.",
                    "Use mode raw, or a virtual machine or metal.",
                    host,
                )
            if osd.get("encrypted") and osd.get("mode") != "lvm":
                yield draft.error(
                    "ceph.encrypted-raw",
                    (*path, "encrypted"),
                    f"is true, and the mode is {osd.get('mode', 'raw')}: encryption is a layer of logical volumes.",
                    "Set mode: lvm, or encrypted: false.",
                    host,
                )


# -- pools ----------------------------------------------------------------------------------------------------------


def known_pools(draft: Draft) -> list[str] | None:
    """The names of the pools that there are; None where a cluster of others has more, or some were refused."""
    names = [pool["name"] for _, pool in entries(draft.variables.get(POOLS)) if "name" in pool]
    if draft.was_refused((POOLS,)) or draft.variables.get(EXTERNAL) or not (names or draft.group("ceph_mon")):
        return None
    return names


@rule
def pools(draft: Draft) -> Iterator[Finding]:
    """Pools have names of their own, sizes that protect, and numbers that Ceph takes."""
    names: dict[str, int] = {}
    for index, pool in entries(draft.variables.get(POOLS)):
        path: KeyPath = (POOLS, index)
        if "name" in pool:
            first = names.setdefault(pool["name"], index)
            if first != index:
                yield draft.error(
                    "ceph.pool-twice",
                    (*path, "name"),
                    f"is {pool['name']!r}, as in {POOLS}[{first}].",
                    "Give each pool a name of its own.",
                )
            yield from _reserved(draft, path, pool)
        yield from _sizes(draft, path, pool)
        yield from _placement_groups(draft, path, pool)
    ratios = [pool.get("target_size_ratio", 0) for _, pool in entries(draft.variables.get(POOLS))]
    if sum(ratios) > 1.0001:
        yield draft.error(
            "ceph.pool-ratio",
            (POOLS,),
            f"has target_size_ratio of {sum(ratios):g} together: more than the whole cluster.",
            "Give shares whose sum is at most 1.",
        )


def is_made_by_ceph(pool: str) -> bool:
    """Whether Ceph or a gateway makes a pool of that name for itself."""
    return pool in _RESERVED_POOLS or pool.startswith(".") or _is_of_gateway(pool)


def _is_of_gateway(pool: str) -> bool:
    return pool in ceph.RGW_POOLS or pool.startswith((".rgw", "default.rgw."))


def _reserved(draft: Draft, path: KeyPath, pool: Mapping[str, Any]) -> Iterator[Finding]:
    """A pool is none that Ceph or a gateway makes for itself, but for what it makes it for."""
    name, application = pool["name"], pool.get("application")
    of_gateway = _is_of_gateway(name)
    if is_made_by_ceph(name) and not of_gateway:
        what = "which Ceph has for itself"
    elif of_gateway and application not in (None, "rgw"):
        what = f"a pool of the gateways, and its application is {application}"
    else:
        return
    fix = "Set application: rgw, or give the pool another name." if of_gateway else "Give the pool another name."
    yield draft.error("ceph.pool-name", (*path, "name"), f"is {name!r}, {what}.", fix)


def _sizes(draft: Draft, path: KeyPath, pool: Mapping[str, Any]) -> Iterator[Finding]:
    size, least = pool.get("size"), pool.get("min_size")
    if size == 1:
        what = "is 1: the loss of a disk is the loss of its data."
        if draft.acknowledges("ceph_single_copy"):
            yield draft.advice("ceph.single-copy", (*path, "size"), what, "Keep three copies of what matters.")
        else:
            yield draft.error(
                "ceph.pool-size",
                (*path, "size"),
                what,
                "Keep at least 2 copies, better 3, or accept it: holdfast_acknowledge: [ceph_single_copy].",
            )
        return
    if size is None or least is None:
        return
    if least > size:
        yield draft.error(
            "ceph.min-size",
            (*path, "min_size"),
            f"is {least}, and size is {size}: nothing could ever be written.",
            f"Use {size // 2 + 1}.",
        )
    elif (least == 1 or least < size // 2 + size % 2) and not draft.acknowledges("ceph_single_copy"):
        yield draft.error(
            "ceph.min-size",
            (*path, "min_size"),
            f"is {least} with size {size}: what was written while copies were missing can be lost with one more disk.",
            f"Use {size // 2 + 1}, or accept it: holdfast_acknowledge: [ceph_single_copy].",
        )


def _placement_groups(draft: Draft, path: KeyPath, pool: Mapping[str, Any]) -> Iterator[Finding]:
    count, ratio = pool.get("pg_num"), pool.get("target_size_ratio")
    if count is not None and ratio is not None:
        yield draft.error(
            "ceph.pool-pgs",
            (*path, "target_size_ratio"),
            "is given together with pg_num: with a share Ceph chooses the placement groups itself.",
            "Take one of them out.",
        )
    elif (
        count is None
        and ratio is None
        and not any(draft.was_refused((*path, key)) for key in ("pg_num", "target_size_ratio"))
    ):
        yield draft.error(
            "ceph.pool-pgs",
            (*path, "pg_num"),
            "is missing, and so is target_size_ratio.",
            "Give the number of placement groups, or the share of the cluster that the pool will take.",
        )
    if count is not None and count & (count - 1):
        below = 1 << (count.bit_length() - 1)
        yield draft.error(
            "ceph.pool-pgs",
            (*path, "pg_num"),
            f"is {count}, no power of two: placement groups would differ in size.",
            f"Use {below} or {below * 2}.",
        )


@rule
def spread(draft: Draft) -> Iterator[Finding]:
    """There are as many hosts or racks as copies."""
    hosts = _known_osd_hosts(draft)
    for index, pool in entries(draft.variables.get(POOLS) if hosts else ()):
        path: KeyPath = (POOLS, index)
        domain, domains, without_rack = _places(draft, hosts, pool)
        title = f"the pool {pool.get('name', index)}"
        if without_rack and domain == "rack":
            yield draft.error(
                "ceph.rack",
                path,
                f"{title} is spread over racks, and {listed(without_rack)} {'is' if len(without_rack) == 1 else 'are'} "
                "in none.",
                "Set ceph_rack for every host of ceph_osd.",
            )
        elif "device_class" in pool and not domains:
            known = {osd["class"] for host in hosts for _, osd in entries(host.variables.get(OSDS)) if "class" in osd}
            yield draft.error(
                "ceph.device-class",
                (*path, "device_class"),
                f"is {pool['device_class']!r}, and no OSD has that class.",
                f"Use one of {listed(known)}." if known else "Give OSDs a class, or take it out.",
            )
        elif "size" in pool and pool["size"] > len(domains):
            count = counted(len(domains), domain)
            what = f"is {pool['size']}, and {title} has {count} with OSDs: copies would stay unwritten for ever."
            yield draft.error(
                "ceph.pool-hosts", (*path, "size"), what, f"Add a {domain}, or keep {len(domains) or 'no'} copies."
            )
    implied = _implied_pools(draft)
    domain, domains, without_rack = _places(draft, hosts, {})
    if hosts and implied and len(domains) < 3 and not (domain == "rack" and without_rack):
        what = f"has hosts, and pools of a gateway have 3 copies, for which there {_are(len(domains))} with OSDs."
        fix = f"Add hosts with OSDs, or list {listed(implied)} in {POOLS} with fewer copies."
        yield draft.error("ceph.pool-hosts", ("ceph_rgw",), what, fix)


@rule
def load(draft: Draft) -> Iterator[Finding]:
    """There are not too many placement groups on a disk."""
    hosts = _known_osd_hosts(draft)
    osds = [osd for host in hosts for _, osd in entries(host.variables[OSDS])]
    if not osds:
        return
    total: float = 3 * sum(_implied_pools(draft).values())
    of_classes: dict[str, float] = {}
    for _, pool in entries(draft.variables.get(POOLS)):
        domain, domains, without_rack = _places(draft, hosts, pool)
        copies = pool.get("pg_num", 0) * pool.get("size", 0)
        if without_rack and domain == "rack":
            continue
        if "device_class" not in pool:
            total += copies
        elif domains:
            of_classes[pool["device_class"]] = of_classes.get(pool["device_class"], 0) + copies
    loads = {"an OSD": total / len(osds)}
    for name, copies in of_classes.items():
        members = sum(osd.get("class") == name for osd in osds)
        loads[f"an OSD of the class {name}"] = total / len(osds) + copies / members
    which = max(loads, key=lambda name: loads[name])
    if loads[which] > PGS_PER_OSD:
        yield draft.error(
            "ceph.pgs-per-osd",
            (POOLS,),
            f"puts {loads[which]:.0f} copies of placement groups on {which}, and Ceph stops at {PGS_PER_OSD}.",
            "Lower pg_num, so that there are about 100 on an OSD.",
        )


def _known_osd_hosts(draft: Draft) -> tuple[DraftHost, ...]:
    """The hosts of a cluster of this deployment's own; none where what one of them has was refused."""
    hosts = draft.group("ceph_osd")
    if draft.variables.get(EXTERNAL) or any(draft.was_refused((OSDS,), host) for host in hosts):
        return ()
    unknown = any(OSDS not in host.variables or draft.was_refused(("ceph_rack",), host) for host in hosts)
    return () if unknown else hosts


def _places(draft: Draft, hosts: tuple[DraftHost, ...], pool: Mapping[str, Any]) -> tuple[str, set[str], list[str]]:
    """What a pool's copies are spread over, those that have OSDs for it, and the hosts that are in no rack."""
    domain = pool.get("failure_domain") or draft.variables.get("ceph_failure_domain", "host")
    return domain, *_domains(hosts, domain, pool.get("device_class"))


def _implied_pools(draft: Draft) -> dict[str, int]:
    """The pools of gateways and services that are made because nobody lists them, with their placement groups."""
    named = {pool.get("name") for _, pool in entries(draft.variables.get(POOLS))}
    found = dict(ceph.RGW_POOLS) if draft.group("ceph_rgw") else {}
    for service in draft.domain.services:
        pools = service.get("ceph", {}).get("pools", ())
        if pools and draft.group(*service.get("deployed_by", ())):
            found |= {pool["name"]: pool["pg_num"] for pool in pools}
    return {name: count for name, count in found.items() if name not in named}


def _are(count: int) -> str:
    return f"{'is' if count == 1 else 'are'} {counted(count, 'place')}"


def _domains(hosts: tuple[DraftHost, ...], domain: str, device_class: str | None) -> tuple[set[str], list[str]]:
    """What copies can be on, and the hosts that are in no rack."""
    found, lost = set(), []
    for host in hosts:
        osds = [index for index, osd in entries(host.variables.get(OSDS)) if device_class in (None, osd.get("class"))]
        if not osds:
            continue
        if not host.variables.get("ceph_rack"):
            lost.append(host.name)
        if domain == "osd":
            found |= {f"{host.name}/{index}" for index in osds}
        else:
            found.add(host.name if domain == "host" else str(host.variables.get("ceph_rack") or ""))
    return found - {""}, lost


@rule
def racks(draft: Draft) -> Iterator[Finding]:
    """Names in Ceph's map are unique: a rack is called neither as a host nor as the root."""
    for host in draft.group("ceph_osd"):
        rack = host.variables.get("ceph_rack")
        if rack and (rack == "default" or rack in draft.hosts):
            yield draft.error(
                "ceph.rack",
                ("ceph_rack",),
                f"is {rack!r}, the name of {'the root of the map' if rack == 'default' else 'a host'}.",
                "Give the rack a name of its own.",
                host,
            )


@rule
def file_systems(draft: Draft) -> Iterator[Finding]:
    """File systems have metadata servers, and pools that are theirs alone."""
    given = list(entries(draft.variables.get(FILES)))
    servers = len(draft.group("ceph_mds"))
    if given and not servers and not draft.variables.get(EXTERNAL):
        yield draft.error(
            "ceph.no-metadata-server",
            ("ceph_mds",),
            f"The group ceph_mds has no host, and {FILES} lists {len(given)}.",
            "Put hosts into the group ceph_mds, one more than are active.",
        )
    elif servers:
        active = sum(entry.get("max_mds", 1) for _, entry in given)
        if active > servers:
            yield draft.error(
                "ceph.metadata-servers",
                (FILES,),
                f"has {active} active metadata servers together, and the group ceph_mds {servers}.",
                "Put more hosts into the group ceph_mds, or lower max_mds.",
            )
        elif given and active == servers:
            yield draft.advice(
                "ceph.no-standby",
                (FILES,),
                "needs every metadata server: none stands by for one that goes.",
                "Put one more host into the group ceph_mds.",
            )
    pools = {pool["name"]: pool for _, pool in entries(draft.variables.get(POOLS)) if "name" in pool}
    taken: dict[str, str] = {}
    names: dict[str, int] = {}
    for index, entry in given:
        if entry.get("name") == "all":
            what, fix = "is 'all', by which Ceph means every file system in rights.", "Give it another name."
            yield draft.error("ceph.file-system-name", (FILES, index, "name"), what, fix)
        if "name" in entry and (first_named := names.setdefault(entry["name"], index)) != index:
            yield draft.error(
                "ceph.file-system-twice",
                (FILES, index, "name"),
                f"is {entry['name']!r}, as in {FILES}[{first_named}].",
                "Give each file system a name of its own.",
            )
        for key in ("metadata_pool", "data_pool"):
            path: KeyPath = (FILES, index, key)
            pool = entry.get(key)
            if not pool or draft.was_refused((POOLS,)):
                continue
            first = taken.setdefault(pool, f"{FILES}[{index}].{key}")
            if pool not in pools:
                hint = did_you_mean(pool, list(pools))
                fix = f"{hint}List the pool in {POOLS}, with application: cephfs."
                yield draft.error("ceph.file-pool", path, f"is {pool!r}, which is not in {POOLS}.", fix)
            elif pools[pool].get("application") not in (None, "cephfs"):
                what = f"is {pool!r}, whose application is {pools[pool]['application']}."
                yield draft.error("ceph.file-pool", path, what, "Give it a pool with application: cephfs.")
            elif first != f"{FILES}[{index}].{key}":
                yield draft.error(
                    "ceph.file-pool", path, f"is {pool!r}, as {first} is.", "Give each a pool of its own."
                )


# -- what leaves ---------------------------------------------------------------------------------------------------


@rule
def leaving(draft: Draft) -> Iterator[Finding]:
    """What leaves is no longer in the inventory."""
    stays = {
        f"{host.name}:{osd['device']}"
        for host in draft.group("ceph_osd")
        for _, osd in entries(host.variables.get(OSDS))
        if "device" in osd
    }
    for index, name in enumerate(draft.variables.get("ceph_remove_osds") or ()):
        if name in stays:
            yield draft.error(
                "ceph.remove-osd",
                ("ceph_remove_osds", index),
                f"is {name!r}, which {OSDS} of that host lists.",
                f"Take the device out of {OSDS} too, or leave the OSD.",
            )
    here = {host.name for host in draft.group("ceph_mon")}
    for index, name in enumerate(draft.variables.get("ceph_remove_mons") or ()):
        if name in here:
            yield draft.error(
                "ceph.remove-mon",
                ("ceph_remove_mons", index),
                f"is {name!r}, which is in the group ceph_mon.",
                "Take the host out of the group too, or leave the monitor.",
            )
