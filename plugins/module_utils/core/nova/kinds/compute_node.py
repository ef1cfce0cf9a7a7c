# SPDX-License-Identifier: Apache-2.0
"""What makes a host one that has instances: who it is for the compute service, and that nobody else's guests are there.

The service knows a host by an id that it keeps, and instances are entered under it. It is the same in every run, and
is never changed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...base.system import mounts
from ...change import Change, Plan
from ...errors import Finding
from ...host_io import IO

PATH = "/etc/nova/compute_id"
PLACES = (PATH, "/var/lib/nova/compute_id")
"""Where nova looks for it; what it finds in both must be the same."""
GUESTS = ("/etc/libvirt/qemu", "/run/libvirt/qemu")
"""Guests that libvirt keeps, and those that run."""
KVM = "/dev/kvm"
# What nova puts there by itself.
_OWN = frozenset({"_base", "compute_nodes", "locks", "lost+found"})


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"instances": wanted["instances"]}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{ids: {path: id}, guests: [name], name, kvm, processor: {vendor, model}, count, memory_mb, mounted,
    instances: [name]}``.

    ``guests`` are those of libvirt, whoever made them, ``instances`` what is in the directory of instances, ``mounted``
    where that is mounted from, or empty.
    """
    path = asked["instances"]
    found = {place: text.strip() for place in PLACES if (text := io.read_text(place)) is not None}
    guests = {name[:-4] for where in GUESTS for name in io.listdir(where) if name.endswith(".xml")}
    return {
        "ids": found,
        "guests": sorted(guests),
        "name": os.uname().nodename,
        "kvm": io.exists(KVM),
        "processor": _processor(io.read_text("/proc/cpuinfo") or ""),
        "count": os.cpu_count() or 1,
        "memory_mb": int((re.search(r"^MemTotal:\s*(\d+)", io.read_text("/proc/meminfo") or "", re.M) or [0, 0])[1])
        // 1024,
        "mounted": next((entry["source"] for entry in reversed(mounts(io)) if entry["where"] == path), ""),
        "instances": [name for name in io.listdir(path) if name not in _OWN][:3],
    }


def _processor(cpuinfo: str) -> dict[str, str]:
    first = cpuinfo.partition("\n\n")[0]
    fields = dict(re.findall(r"^(\w[\w ]*?)\s*:\s*(.*)$", first, re.M))
    return {"vendor": fields.get("vendor_id", ""), "model": fields.get("model name", "")}


def join(host: str, answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What this host said, with ``peers``: what the other compute hosts said, by host."""
    said = {
        name: told
        for name, answer in answers.items()
        for step, told in answer.items()
        if step.endswith("/compute_node") and "error" not in told
    }
    return {**said[host], "peers": {name: told for name, told in said.items() if name != host}}


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    changes = []
    if not current["ids"]:
        changes.append(Change(PATH, "create", after=wanted["id"], data={"id": wanted["id"]}))
    return Plan(changes, tuple(_findings(current, wanted)))


def _findings(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Finding]:
    host = wanted["host"]
    for place, found in current["ids"].items():
        if found != wanted["id"]:
            yield Finding(
                "error",
                "nova.compute-id",
                f"{host}: {place}",
                f"It is {found}, and this host of this deployment is {wanted['id']}: the instances that are entered "
                "under the former would be lost to the service.",
                "Give the host its former name and the deployment its own; or, when no instance is on the host, delete "
                "its compute service and remove the file.",
            )
    if not current["ids"] and current["guests"]:
        yield Finding(
            "error",
            "nova.foreign-guests",
            host,
            f"libvirt has guests that the compute service did not make: {', '.join(current['guests'])}. It would not "
            "start beside them.",
            "Move them to another host, and take them away by `virsh undefine NAME`.",
        )
    yield from _beneath(current, wanted)
    yield from _processors(current, wanted)
    yield from _sizes(current, wanted)
    twins = sorted(name for name, peer in (current.get("peers") or {}).items() if peer["name"] == current["name"])
    if twins:
        yield Finding(
            "error",
            "nova.name-twice",
            host,
            f"It calls itself {current['name']}, as {', '.join(twins)}: the compute service would take them for one.",
            "hostnamectl hostname NAME, with a name of its own.",
        )


def _beneath(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Finding]:
    if wanted.get("share") and not current["mounted"] and current["instances"]:
        yield Finding(
            "error",
            "nova.instances-beneath",
            f"{wanted['host']}: {wanted['instances']}",
            f"It has {', '.join(current['instances'])}, and {wanted['share']} would be mounted over it: what is there "
            "would be out of reach.",
            "Mount the share elsewhere, move the files onto it while no instance runs, and run again.",
        )
    elif current["mounted"] and wanted.get("share") and current["mounted"] != wanted["share"]:
        yield Finding(
            "error",
            "nova.share-other",
            f"{wanted['host']}: {wanted['instances']}",
            f"{current['mounted']} is mounted there, and not {wanted['share']}.",
            "Move the instances to another host and unmount it, or name that share.",
        )


def _processors(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Finding]:
    host = wanted["host"]
    if wanted["virt_type"] == "kvm" and not current["kvm"]:
        yield Finding(
            "error",
            "nova.no-kvm",
            host,
            f"nova_virt_type is kvm, and there is no {KVM}.",
            "Switch virtualization on in the firmware, load kvm_intel or kvm_amd; or set nova_virt_type: qemu.",
        )
    elif wanted["virt_type"] == "auto" and not current["kvm"]:
        yield Finding(
            "advice",
            "nova.emulated",
            host,
            f"There is no {KVM}: instances are emulated, many times slower.",
            "Switch virtualization on in the firmware. For a lab it may stay so: nova_virt_type: qemu says that.",
        )
    others = sorted(
        name
        for name, peer in (current.get("peers") or {}).items()
        if peer["kvm"] and current["kvm"] and peer["processor"] != current["processor"]
    )
    if others and wanted["cpu_mode"] != "custom" and wanted["virt_type"] != "qemu":
        yield Finding(
            "advice",
            "nova.processors-differ",
            host,
            f"Its processor is {current['processor']['model']}, and those of {', '.join(others)} are others: an "
            "instance that runs moves only to where there is all that it sees.",
            "Set nova_cpu_mode: custom with a model of nova_cpu_models that all have; or leave it, and move instances "
            "while they are off.",
        )


def _sizes(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Finding]:
    """Flavors that are larger than every compute host that answered: said once, of the host that is given them."""
    hosts = [current, *(current.get("peers") or {}).values()]
    for entry in wanted.get("flavors") or ():
        if not any(host["count"] >= entry["vcpus"] and host["memory_mb"] >= entry["memory_mb"] for host in hosts):
            largest = max(hosts, key=lambda host: host["memory_mb"])
            yield Finding(
                "error",
                "nova.flavor-too-large",
                f"flavor {entry['name']}",
                f"It has {entry['vcpus']} processors and {entry['memory_mb']} MiB of memory, and no compute host has "
                f"as much: the largest has {largest['count']} and {largest['memory_mb']} MiB.",
                "Make the flavor smaller, or add a host.",
            )


def apply(io: IO, plan: Plan) -> None:
    for change in plan:
        io.write(PATH, change.data["id"] + "\n", mode="0640", group="nova")
