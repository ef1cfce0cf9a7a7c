# SPDX-License-Identifier: Apache-2.0
"""Rules about instances: where disks are, what processors they see, what is offered, and what all of that means."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import Finding
from ..inventory.draft import Draft, DraftHost, entries, listed, rule
from ..inventory.schema import KeyPath, did_you_mean
from . import storage
from .expressions import CONTROL

STORAGE, SHARE, FLAVORS, AGGREGATES = (
    "nova_ephemeral_storage",
    "attach_instances_nfs",
    "nova_flavors",
    "nova_aggregates",
)
_RESERVED_ZONE = "internal"
_WANTED_BY = "aggregate_instance_extra_specs:"
_PAGES = "hw:mem_page_size"
_UNITS = {"": 1, "KB": 1, "MB": 1024, "GB": 1024**2}


def hypervisors(draft: Draft) -> tuple[DraftHost, ...]:
    """The hosts with instances of this deployment's compute service."""
    return draft.group("nova_compute") if draft.group(*CONTROL) else ()


def _kept(draft: Draft, host: DraftHost) -> str:
    return storage.chosen(host.variables, draft.variables)


@rule
def compute_hosts(draft: Draft) -> Iterator[Finding]:
    """Somebody runs instances."""
    if draft.group("nova_api") and not draft.group("nova_compute"):
        yield draft.error(
            "nova.no-hosts",
            ("nova_compute",),
            "The group nova_compute has no host, and nova_api has: no instance could run.",
            "Put hosts into nova_compute.",
        )


@rule
def disks(draft: Draft) -> Iterator[Finding]:
    """Disks are where there is something to keep them, and who has instances knows what that means."""
    kept: dict[str, list[DraftHost]] = {}
    for host in hypervisors(draft):
        kept.setdefault(_kept(draft, host), []).append(host)
        missing = _kept(draft, host) == storage.NFS and not draft.variables.get(SHARE)
        if missing and not draft.was_refused((SHARE,)):
            yield draft.error(
                "nova.no-share",
                (STORAGE,),
                f"is nfs, and {SHARE} is not set.",
                f"Name the share in {SHARE}, or set local or rbd.",
                host,
            )
    if hosts := kept.get(storage.LOCAL):
        yield draft.advice(
            "nova.local-disks",
            (STORAGE,),
            f"is local on {listed(host.name for host in hosts)}: {storage.MEANS[storage.LOCAL]}.",
            "For production keep disks in Ceph or on a share, or boot instances from volumes.",
        )
    if len(hosts := kept.get(storage.RBD) or []) > 1:
        yield draft.advice(
            "nova.pool-counted",
            ("nova_rbd_pool",),
            f"is counted whole by each of {listed(host.name for host in hosts)}: the scheduler takes the cluster for "
            f"{len(hosts)} times as large as it is, and when it is full, every write of every instance waits.",
            "Watch the pool's space. nova_disk_allocation_ratio divided by the number of hosts has it counted once.",
        )
    stores = [store for _, store in entries(draft.variables.get("glance_stores"))]
    if kept.get(storage.RBD) and stores and not any(store.get("type") == "rbd" for store in stores):
        yield draft.advice(
            "nova.no-clones",
            ("glance_stores",),
            "has no store of type rbd, and disks of instances are in Ceph: each image is fetched, made raw and written "
            "there for each instance, and none is cloned.",
            "Give a store of type rbd in the same cluster, and upload raw images to it.",
        )


@rule
def overcommitted(draft: Draft) -> Iterator[Finding]:
    """What is promised more than once may be missing."""
    for name, what, means in (
        ("nova_memory_allocation_ratio", "memory", "the kernel ends guests when all want what they were promised"),
        ("nova_disk_allocation_ratio", "space", "writes of guests wait or fail when it is full"),
    ):
        for host in hypervisors(draft):
            ratio = host.variables.get(name)
            if isinstance(ratio, (int, float)) and ratio > 1:
                fix = f"Set it to 1, or watch the host's {what}."
                yield draft.advice("nova.overcommitted", (name,), f"is {ratio:g}: {means}.", fix, host)


@rule
def processors(draft: Draft) -> Iterator[Finding]:
    """What instances see as their processor, and which processors of the host are theirs."""
    for host in hypervisors(draft):
        mode, models = host.variables.get("nova_cpu_mode"), host.variables.get("nova_cpu_models")
        if mode == "custom" and not models and not draft.was_refused(("nova_cpu_models",), host):
            yield draft.error(
                "nova.cpu-models",
                ("nova_cpu_models",),
                "is empty, and nova_cpu_mode is custom.",
                "List models that all hosts have between which instances move, the simplest first.",
                host,
            )
        elif models and mode not in ("custom", None):
            yield draft.error(
                "nova.cpu-models",
                ("nova_cpu_models",),
                f"is given, and nova_cpu_mode is {mode}, which takes none.",
                "Set nova_cpu_mode: custom, or take the models out.",
                host,
            )
        yield from _sets(draft, host)
    modes = {(host.variables.get("nova_cpu_mode"), *(host.variables.get("nova_cpu_models") or ())): host
             for host in hypervisors(draft)}  # fmt: skip
    if len(modes) > 1:
        shown = listed(f"{host.name}: {' '.join(str(word) for word in mode)}" for mode, host in modes.items())
        yield draft.advice(
            "nova.cpu-modes-differ",
            ("nova_cpu_mode",),
            f"differs between hosts ({shown}): an instance that runs moves only to where there is all that it sees.",
            "Give hosts the same, or keep those that differ in aggregates of their own.",
        )


def _sets(draft: Draft, host: DraftHost) -> Iterator[Finding]:
    dedicated, shared = (cpus(str(host.variables.get(f"nova_{kind}_cpus") or "")) for kind in ("dedicated", "shared"))
    if both := dedicated & shared:
        yield draft.error(
            "nova.cpus-twice",
            ("nova_shared_cpus",),
            f"has {', '.join(map(str, sorted(both)))}, which nova_dedicated_cpus has too.",
            "Give each processor to one of them.",
            host,
        )
    if host.variables.get("nova_reserved_cpus") and (dedicated or shared):
        yield draft.error(
            "nova.cpus-reserved",
            ("nova_reserved_cpus",),
            "is given beside nova_dedicated_cpus or nova_shared_cpus, which leave out what no instance gets.",
            "Leave those processors out of them, and take this out.",
            host,
        )


def cpus(text: str) -> set[int]:
    """The numbers of ``4-12,^8,15``."""
    found: set[int] = set()
    for word in filter(None, text.split(",")):
        first, _, last = word.removeprefix("^").partition("-")
        numbers = range(int(first), min(int(last or first), int(first) + 4096) + 1)
        found = found - set(numbers) if word.startswith("^") else found | set(numbers)
    return found


@rule
def emulated(draft: Draft) -> Iterator[Finding]:
    """Emulation is for a lab."""
    types: dict[str, list[str]] = {}
    for host in hypervisors(draft):
        if host.variables.get("nova_virt_type") == "qemu":
            types.setdefault("is qemu", []).append(host.name)
        elif host.is_container and host.variables.get("nova_virt_type") == "auto":
            types.setdefault("is auto in a container, where guests are emulated unless it has /dev/kvm", []).append(
                host.name
            )
    for what, names in types.items():
        yield draft.advice(
            "nova.emulation",
            ("nova_virt_type",),
            f"{what}, on {listed(names)}: instances are many times slower.",
            "For production use hosts that boot guests by KVM.",
        )


@rule
def consoles(draft: Draft) -> Iterator[Finding]:
    """Serial consoles are the only thing of instances that is not encrypted on br-mgmt."""
    if draft.group("nova_console") and draft.variables.get("nova_serial_console"):
        yield draft.advice(
            "nova.serial-open",
            ("nova_serial_console",),
            "is on: between the proxy and compute hosts, what users type goes over br-mgmt without encryption.",
            "Leave it off where br-mgmt is not only yours; console logs and screens need it not.",
        )


@rule
def keys(draft: Draft) -> Iterator[Finding]:
    """A keeper of keys that is deployed is used."""
    if draft.group("barbican_api") and draft.group("cinder_api"):
        manager = draft.variables.get("cinder_key_manager")
        if manager != "barbican" and not draft.was_refused(("cinder_key_manager",)):
            yield draft.advice(
                "nova.keys-unused",
                ("cinder_key_manager",),
                f"is {manager or 'not set'}, and barbican_api has a host: no encrypted volume has its key there.",
                "Set cinder_key_manager: barbican.",
            )


@rule
def aggregates(draft: Draft) -> Iterator[Finding]:
    """Aggregates are of hosts that there are, each in one zone at most."""
    if not draft.group(*CONTROL):
        return
    known = [host.name for host in draft.group("nova_compute")]
    names: dict[str, int] = {}
    zones: dict[str, tuple[str, int]] = {}
    for index, entry in entries(draft.variables.get(AGGREGATES)):
        yield from _named_once(draft, AGGREGATES, index, entry.get("name"), names)
        zone = entry.get("availability_zone")
        for place, host in enumerate(entry.get("hosts") or ()):
            if host not in known:
                yield draft.error(
                    "nova.host-unknown",
                    (AGGREGATES, index, "hosts", place),
                    f"is {host!r}, no host of nova_compute.",
                    f"{did_you_mean(host, known)}Hosts: {listed(known) or 'none'}.",
                )
            elif zone and zones.setdefault(host, (zone, index))[0] != zone:
                yield draft.error(
                    "nova.two-zones",
                    (AGGREGATES, index, "hosts", place),
                    f"is {host!r}, which is in the zone {zones[host][0]} by {AGGREGATES}[{zones[host][1]}]: a host is "
                    "in one zone.",
                    "Leave it in one of them.",
                )
        if zone == _RESERVED_ZONE:
            yield _reserved_zone(draft, (AGGREGATES, index, "availability_zone"))
    if draft.variables.get("nova_availability_zone") == _RESERVED_ZONE:
        yield _reserved_zone(draft, ("nova_availability_zone",))


def _reserved_zone(draft: Draft, path: KeyPath) -> Finding:
    what = f"is {_RESERVED_ZONE!r}, the zone of the compute service's own parts, in which no instance can be."
    return draft.error("nova.zone-reserved", path, what, "Give another name.")


def _named_once(draft: Draft, variable: str, index: int, name: object, seen: dict[str, int]) -> Iterator[Finding]:
    if isinstance(name, str) and (first := seen.setdefault(name, index)) != index:
        yield draft.error(
            "nova.twice",
            (variable, index, "name"),
            f"is {name!r}, as in {variable}[{first}].",
            "Give each a name of its own.",
        )


@rule
def flavors(draft: Draft) -> Iterator[Finding]:
    """A flavor fits on some host, as far as the inventory tells. The run compares sizes."""
    if not draft.group(*CONTROL):
        return
    names: dict[str, int] = {}
    offered = [entry.get("metadata") or {} for _, entry in entries(draft.variables.get(AGGREGATES))]
    pages = {
        page["size_kb"]
        for host in hypervisors(draft)
        for _, page in entries(host.variables.get("nova_huge_pages"))
        if "size_kb" in page
    }
    for index, entry in entries(draft.variables.get(FLAVORS)):
        yield from _named_once(draft, FLAVORS, index, entry.get("name"), names)
        specs = entry.get("extra_specs") or {}
        asked = [name.removeprefix(_WANTED_BY) for name in specs if name.startswith(_WANTED_BY)]
        lacking = sorted(name for name in asked if not any(name in metadata for metadata in offered))
        if lacking:
            yield draft.error(
                "nova.flavor-nowhere",
                (FLAVORS, index, "extra_specs", f"{_WANTED_BY}{lacking[0]}"),
                f"asks for {lacking[0]}, which no aggregate has in its metadata: no host takes an instance of it.",
                f"Give it to an aggregate of {AGGREGATES}, or take it out.",
            )
        wanted = _page(str(specs.get(_PAGES, "")))
        if wanted is not None and (wanted not in pages if wanted else not pages):
            yield draft.error(
                "nova.flavor-nowhere",
                (FLAVORS, index, "extra_specs", _PAGES),
                f"is {specs[_PAGES]!r}, and no host keeps such pages: no host takes an instance of it.",
                "Give nova_huge_pages to hosts, or take it out.",
            )


def _page(text: str) -> int | None:
    """The size in KiB of the huge pages that a flavor asks for, 0 for any; None when it asks for none."""
    if text == "large":
        return 0
    if found := re.fullmatch(r"(\d+)\s*(KB|MB|GB|)", text):
        size = int(found[1]) * _UNITS[found[2]]
        return size if size > 4 else None
    return None
