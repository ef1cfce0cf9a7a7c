# SPDX-License-Identifier: Apache-2.0
"""Rules about block storage: back ends, who may run them, what makes them safe on several hosts, and volume types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...backend import BackendType
from ...errors import Finding
from ...inventory.draft import Draft, DraftHost, entries, listed, rule
from ...inventory.rules import backend_options
from ...inventory.rules.backends import listed as listed_entries
from ...inventory.schema import KeyPath, did_you_mean
from ..backends import types_of

BACKENDS, TYPES = "cinder_backends", "cinder_volume_types"
_DRIVERS = "cinder.volume.drivers."
# Limits that the hypervisor and librbd know.
_LIMIT = re.compile(r"(total|read|write)_(iops|bytes)_sec(_max(_length)?|_per_gb(_min)?)?|size_iops_sec")
_LIMITS = [f"{what}_{unit}_sec" for what in ("total", "read", "write") for unit in ("iops", "bytes")]
_TRUTHS = ("multiattach", "replication_enabled", "thin_provisioning_support")
GROUPS = ("cinder_api", "cinder_scheduler", "cinder_volume", "cinder_backup")


@rule
def complete(draft: Draft) -> Iterator[Finding]:
    """The volume service is whole or not there."""
    present = [group for group in GROUPS if draft.group(group)]
    for group in GROUPS[:3]:
        if present and group not in present:
            yield draft.error(
                "cinder.incomplete",
                (group,),
                f"The group {group} has no host, and {listed(present)} {'have' if len(present) > 1 else 'has'}.",
                f"Put a host into the group {group}.",
            )


@rule
def backends(draft: Draft) -> Iterator[Finding]:
    """Each back end is on a host that may run it."""
    ways = {"mount": "mounts", "kernel": "connects (iSCSI, Fibre Channel or NVMe)"}
    for host, index, backend in listed_backends(draft):
        if host.is_container and (how := _reached(draft, backend)) in ways:
            yield draft.error(
                "cinder.backend-container",
                (BACKENDS, index, "type"),
                f"is {backend['type']}, whose volumes the kernel {ways[how]}, and the host is a container: its "
                "cinder-volume can not.",
                "Put the host's back end on a physical host, or set holdfast_host_kind: metal if it is one.",
                host,
            )


@rule
def options(draft: Draft) -> Iterator[Finding]:
    """Options of a back end are the driver's own, in one line each, and secrets are none of them."""
    known = _known(draft)
    drivers = {kind.options.get("volume_driver"): name for name, kind in known.items()}
    for host, index, backend in listed_backends(draft):
        path: KeyPath = (BACKENDS, index)
        if own := drivers.get(f"{_DRIVERS}{str(backend.get('driver', '')).removeprefix(_DRIVERS)}"):
            yield draft.error(
                "cinder.driver-own",
                (*path, "driver"),
                f"is {backend['driver']!r}, for which there is a type: its rules would be passed over.",
                f"Use the type {own}.",
                host,
            )
        of = draft.domain.backends["cinder"]
        yield from backend_options.problems(draft, host, index, backend, of, _repeats(draft))


def _repeats(draft: Draft) -> list[str]:
    """The options of drivers that have a line for each value, as the description has them."""
    return [
        pattern for service in draft.domain.services if service["service"] == "cinder" for pattern in service["repeats"]
    ]


@rule
def copies(draft: Draft) -> Iterator[Finding]:
    """Who backs volumes up can attach them."""
    names = {
        str(backend.get("name")) for _, _, backend in listed_backends(draft) if _reached(draft, backend) != "library"
    }
    for host in draft.group("cinder_backup"):
        if names and host.is_container:
            yield draft.error(
                "cinder.backup-container",
                ("holdfast_host_kind",),
                f"is container, and the host is in cinder_backup: it can not attach the volumes of {listed(names)}.",
                "Give cinder_backup to a physical host, or set holdfast_host_kind: metal if it is one.",
                host,
            )


def _known(draft: Draft) -> Mapping[str, BackendType]:
    return draft.domain.backends["cinder"].types


def _reached(draft: Draft, backend: Mapping[str, Any]) -> str:
    kind = _known(draft).get(str(backend.get("type")))
    return kind.reached(backend) if kind else "library"


@rule
def nothing_twice(draft: Draft) -> Iterator[Finding]:
    """Names of back ends differ on a host, and one name is one back end everywhere."""
    seen: dict[str, tuple[DraftHost, str]] = {}
    here: dict[tuple[str, str], int] = {}
    for host, index, backend in listed_backends(draft, every=True):
        if "name" not in backend:
            continue
        path: KeyPath = (BACKENDS, index, "name")
        described = json.dumps(backend, sort_keys=True, default=str)
        first, former = seen.setdefault(backend["name"].lower(), (host, described))
        place = here.setdefault((host.name, backend["name"].lower()), index)
        if place != index:
            yield draft.error(
                "cinder.backend-twice",
                path,
                f"is {backend['name']!r}, as in {BACKENDS}[{place}].",
                "Give each back end a name of its own.",
                host,
            )
        elif former != described:
            yield draft.error(
                "cinder.backend-differs",
                path,
                f"is {backend['name']!r}, as on {first.name}, and what follows is another back end.",
                "Give it another name, or describe it alike, in group_vars of cinder_volume.",
                host,
            )


@rule
def clusters(draft: Draft) -> Iterator[Finding]:
    """What is in a cluster can be, has a lock manager, and is in the one that there is."""
    locked = bool(draft.group("etcd"))
    first = ""
    for host, index, backend in listed_backends(draft):
        path: KeyPath = (BACKENDS, index, "cluster")
        cluster, kind = backend.get("cluster"), _known(draft).get(str(backend.get("type")))
        if not cluster or kind is None:
            continue
        if not kind.can_be_clustered(backend):
            yield draft.error(
                "cinder.cluster-unsupported",
                path,
                f"is {cluster!r}, and {backend.get('driver', kind.name)} can not be active on several hosts at once.",
                "Take it out: a volume belongs to one host; another takes over by playbooks/cinder_takeover.yml.",
                host,
            )
        elif not locked:
            yield draft.error(
                "cinder.cluster-unlocked",
                path,
                f"is {cluster!r}, and there is no lock manager: two hosts would change one volume at once.",
                "Put hosts into the group etcd, three of them for production.",
                host,
            )
        first = first or cluster
        if first != cluster:
            yield draft.error(
                "cinder.cluster-differs",
                path,
                f"is {cluster!r}, and another back end has {first!r}: one process runs all that are clustered.",
                "Give all of them the same cluster, or none.",
                host,
            )


@rule
def on_several_hosts(draft: Draft) -> Iterator[Finding]:
    """What is active on several hosts has a lock manager; what can not be is never made so."""
    locked = bool(draft.group("etcd"))
    holders: dict[str, list[str]] = {}
    for host, _, backend in listed_backends(draft, every=True):
        if "name" in backend:
            holders.setdefault(backend["name"], []).append(host.name)
    for host, index, backend in listed_backends(draft):
        path: KeyPath = (BACKENDS, index, "name")
        name, kind = backend.get("name"), _known(draft).get(str(backend.get("type")))
        hosts = holders.get(str(name), [])
        # What a host serves itself is nobody else's; its own rules say so.
        if kind is None or kind.serves or len(hosts) < 2 or kind.is_clustered(backend, locked=locked):
            continue
        if kind.clustered == "always":
            yield draft.error(
                "cinder.coordination",
                path,
                f"is {name!r}, of the type {kind.name}, on {len(hosts)} hosts ({listed(hosts)}), and there is no lock "
                "manager: two of them would change one volume at once.",
                "Put hosts into the group etcd, three of them for production, or leave one host in cinder_volume.",
                host,
            )
        else:
            yield draft.advice(
                "cinder.backend-shared",
                path,
                f"is {name!r} on {len(hosts)} hosts ({listed(hosts)}), and not active on all at once: each counts the "
                "space as its own, and the volumes of one wait while it is down.",
                "Give it to one host, or let it be a cluster where the driver can.",
                host,
            )


@rule
def references(draft: Draft) -> Iterator[Finding]:
    """The secrets that back ends name are there, and what keeps backups."""
    for host, index, backend in listed_backends(draft):
        yield from backend_options.secret_problems(draft, host, index, backend, draft.domain.backends["cinder"])
    on_swift = draft.variables.get("cinder_backup_driver") == "swift"
    if on_swift and draft.group("cinder_backup") and not draft.group("swift_proxy"):
        yield draft.error(
            "cinder.backup-swift",
            ("cinder_backup_driver",),
            "is swift, and no host is in swift_proxy.",
            "Add the object storage to the inventory, or set it to ceph.",
        )


@rule
def types(draft: Draft) -> Iterator[Finding]:
    """Volume types have names of their own, ask for back ends that are there, and at most one is the default."""
    known = {backend["name"] for _, _, backend in listed_backends(draft, every=True) if "name" in backend}
    seen: dict[str, str] = {}
    default = ""
    for host, path, entry in _types(draft):
        place = f"{path[0]}[{path[1]}]"
        if "name" in entry:
            first = seen.setdefault(entry["name"].casefold(), place)
            if first != place:
                yield draft.error(
                    "cinder.type-twice",
                    (*path, "name"),
                    f"is {entry['name']!r}, as in {first}.",
                    "Give each volume type a name of its own.",
                    host,
                )
        if entry.get("default"):
            if entry.get("public") is False:
                yield draft.error(
                    "cinder.type-default",
                    (*path, "public"),
                    "is false, and the type is the default: projects could not make volumes without naming another.",
                    "Make it public, or another type the default.",
                    host,
                )
            if default:
                yield draft.error(
                    "cinder.type-default",
                    (*path, "default"),
                    f"is true, as in {default}: one type alone is what a volume gets when nobody names one.",
                    "Leave one of them.",
                    host,
                )
            default = default or place
        if path[0] == TYPES and "backend" in entry and entry["backend"] not in known:
            hint = did_you_mean(entry["backend"], known)
            yield draft.error(
                "cinder.type-backend",
                (*path, "backend"),
                f"is {entry['backend']!r}, which is no back end of a host in cinder_volume.",
                f"{hint}Back ends: {listed(known) or 'none'}.",
            )
    if seen and not default and not draft.was_refused((TYPES,)):
        yield draft.error(
            "cinder.type-default",
            (TYPES,),
            f"No volume type is the default, and there are {len(seen)}: a volume without a type could land anywhere.",
            "Set default: true for one of them.",
        )


@rule
def type_specs(draft: Draft) -> Iterator[Finding]:
    """Extra specs of volume types say what the scheduler reads, and nothing that follows from the back end."""
    for host, path, entry in _types(draft):
        for key, value in (entry.get("extra_specs") or {}).items():
            if key in _TRUTHS and value not in ("<is> True", "<is> False"):
                yield draft.error(
                    "cinder.type-spec",
                    (*path, "extra_specs", key),
                    f"is {value!r}, and the scheduler reads truth in its own form.",
                    'Write "<is> True" or "<is> False".',
                    host,
                )
        if "volume_backend_name" in (entry.get("extra_specs") or {}):
            yield draft.error(
                "cinder.type-backend",
                (*path, "extra_specs", "volume_backend_name"),
                "is given, and Holdfast writes it from the back end's name.",
                "Take it out, and say which back end by its place or by the key backend.",
                host,
            )


@rule
def limits(draft: Draft) -> Iterator[Finding]:
    """Limits that the hypervisor enforces keep RBD's driver from changing a volume's type without a copy."""
    kinds = {backend.get("name"): backend.get("type") for _, _, backend in listed_backends(draft, every=True)}
    for host, path, entry in _types(draft):
        backend = _backend_of(draft, path, host) if host else entry.get("backend")
        qos = entry.get("qos") or {}
        if qos.get("consumer") in ("front-end", "both") or kinds.get(backend) == "rbd":
            for key, value in (qos.get("specs") or {}).items():
                yield from _limit(draft, (*path, "qos", "specs", key), key, value, host)
        if kinds.get(backend) == "rbd" and (entry.get("qos") or {}).get("consumer") == "front-end":
            yield draft.advice(
                "cinder.qos-front-end",
                (*path, "qos", "consumer"),
                "is front-end, on RBD: cinder's driver fails to give such limits to a volume that had none, so a "
                "retype copies the volume or is refused.",
                "Set it to back-end: librbd enforces the limits then.",
                host,
            )


def _limit(draft: Draft, path: KeyPath, key: str, value: Any, host: DraftHost | None) -> Iterator[Finding]:
    if not _LIMIT.fullmatch(key):
        hint = did_you_mean(key, _LIMITS)
        what, fix = "is no limit that the hypervisor or librbd knows.", f"Use one of {', '.join(_LIMITS)}."
        yield draft.error("cinder.qos", path, what, f"{hint}{fix}", host)
    elif not re.fullmatch(r"[1-9][0-9]*", str(value)):
        yield draft.error("cinder.qos", path, f"is {value!r}, no number above 0.", "Give a whole number.", host)


def _backend_of(draft: Draft, path: KeyPath, host: DraftHost) -> Any:
    return dict(entries(host.variables.get(BACKENDS))).get(int(path[1]), {}).get("name")


@rule
def managed(draft: Draft) -> Iterator[Finding]:
    """A host in cinder_volume manages something, and a host that manages something is in cinder_volume."""
    for host in draft.hosts.values():
        given = host.variables.get(BACKENDS)
        if "cinder_volume" in host.groups and not given and not draft.was_refused((BACKENDS,), host):
            yield draft.error(
                "cinder.no-backend",
                (BACKENDS,),
                "is empty, and the host is in cinder_volume.",
                "Describe a back end, or take the host out of the group.",
                host,
            )
        elif given and "cinder_volume" not in host.groups and draft.group("cinder_volume"):
            yield draft.advice(
                "cinder.backend-unused",
                (BACKENDS,),
                "is given, and the host is not in cinder_volume, so nothing there manages it.",
                "Put it into group_vars of cinder_volume.",
                host,
            )


@rule
def encryption(draft: Draft) -> Iterator[Finding]:
    """One key for all volumes is no protection against whoever has it."""
    if draft.group("cinder_api") and draft.variables.get("cinder_key_manager") == "conf_key":
        yield draft.advice(
            "cinder.one-key",
            ("cinder_key_manager",),
            "is conf_key: all encrypted volumes have the same key, and it stands in cinder.conf.",
            "For production use barbican.",
        )


def listed_backends(draft: Draft, *, every: bool = False) -> Iterator[tuple[DraftHost, int, Mapping[str, Any]]]:
    """The back ends of the hosts in cinder_volume, with their places; the same list on many hosts once, on its first.

    ``every``: on each of the hosts.
    """
    for host, index, backend in listed_entries(draft, draft.domain.backends["cinder"], every=every):
        if host:
            yield host, index, backend


def _types(draft: Draft) -> Iterator[tuple[DraftHost | None, KeyPath, Mapping[str, Any]]]:
    seen: set[str] = set()
    for host, index, backend in listed_backends(draft):
        for entry in types_of([backend]):
            if str(backend.get("name")) not in seen:
                seen.add(str(backend.get("name")))
                yield host, (BACKENDS, index, "volume_type"), entry
    for index, entry in entries(draft.variables.get(TYPES)):
        if draft.group("cinder_volume"):
            yield None, (TYPES, index), entry
