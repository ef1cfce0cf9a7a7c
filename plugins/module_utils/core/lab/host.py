# SPDX-License-Identifier: Apache-2.0
"""The lab's hosts. What hosts of every kind share is here: states, SSH keys, the order of things.

What a host runs as is its driver's: the functions of a module of this package, by the value of ``kind`` (``DRIVERS``).
Containers and virtual machines are on the same switches and have the same disks (docs/lab.md).

The state directory holds what survives a stop: ``hosts/NAME`` (the writable part of its root), ``disks``, ``ssh``,
``log``. RUN holds what does not: ``hosts/NAME/host.json`` says how a host was started.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..change import Change, Plan
from ..errors import Finding, HoldfastError
from ..host_io import IO, LabIO
from . import container, owner, traces, vm
from .image import nearest, not_root
from .names import RUN

if TYPE_CHECKING:
    from types import ModuleType


DRIVERS: Mapping[str, ModuleType] = {"container": container, "vm": vm}
"""A driver has ``alive``, ``prepare``, ``start`` and ``shutdown``, as ``container`` documents them."""

STEPS = {
    "create": ("prepare", "start"),
    "start": ("clear", "start"),
    "restart": ("shutdown", "clear", "start"),
    "reset": ("clear", "forget", "prepare", "start"),
    "stop": ("shutdown", "clear"),
    "cut": ("clear",),
    "cycle": ("clear", "start"),
    "remove": ("clear", "forget"),
}
"""What each action of a plan consists of. apply() takes each step for all hosts at once, in this order."""

_CAN_NOT_HOLD_UPPERS = frozenset({"overlayfs", "nfs", "fuseblk", "fuse", "msdos", "v9fs", "smb2", "cifs", "ecryptfs"})
"""File systems, as stat(1) calls them, on which overlayfs can not write."""
_ELSEWHERE = "/var/lib/holdfast-lab"


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    """What ``read`` needs to know."""
    devices = sorted({device for spec in wanted["hosts"] for device in spec["devices"]})
    return {"state_dir": wanted["state_dir"], "devices": devices}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{root, owner, kinds, devices, storage, hosts}``; of a host ``{running, traces, stored, whole, started, created,
    kind, layers, shape}``.

    ``kinds`` are those that the machine can run, ``devices`` those of hosts that it has, ``storage`` is the directory
    of the hosts' roots, ``traces`` what of a host is on the machine; ``started`` and ``created`` are seconds since the
    epoch, ``kind``, ``layers`` and ``shape`` those it was created and started with.
    """
    state_dir = asked["state_dir"]
    kind = io.run(["stat", "-f", "-c", "%T", nearest(io, state_dir)]).out.strip()
    storage = storage_directory(state_dir, kind)
    found, groups = traces.find(io), traces.groups(io)
    hosts = {}
    for name in sorted({*found, *io.listdir(storage), *io.listdir(f"{state_dir}/disks")}):
        stored = json.loads(io.read_text(f"{storage}/{name}/host.json") or "{}")
        started = json.loads(io.read_text(f"{RUN}/hosts/{name}/host.json") or "{}")
        hosts[name] = {
            "running": any(
                driver.alive(io, group) for driver in DRIVERS.values() for group in groups.get(name, ())[:1]
            ),
            "traces": found.get(name, []),
            "stored": [path for path in (f"{storage}/{name}", f"{state_dir}/disks/{name}") if io.exists(path)],
            "whole": bool(stored) and all(io.exists(layer) for layer in stored["layers"]),
            "created": stored.get("created", 0.0),
            "kind": stored.get("kind", ""),
            "layers": stored.get("layers", []),
            "started": started.get("started", 0.0),
            "shape": started.get("shape", ""),
        }
    return {
        "root": io.run(["id", "-u"]).out.strip() == "0",
        "owner": owner.read(io),
        "kinds": [kind for kind, driver in DRIVERS.items() if io.exists(driver.PROGRAM)],
        "devices": [device for device in asked["devices"] if io.exists(device)],
        "storage": storage,
        "hosts": hosts,
    }


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """What to do for each host to bring it to the wanted state."""
    decide = _STATES[wanted["state"]]
    specified = {spec["name"]: spec for spec in wanted["hosts"]}
    actions = {}
    if wanted["exclusive"]:
        actions = {name: _absent(host, {}, wanted) for name, host in current["hosts"].items() if name not in specified}
    actions |= {name: decide(current["hosts"].get(name, _NOTHING), spec, wanted) for name, spec in specified.items()}
    changes = []
    for name, action in actions.items():
        if action:
            host, spec = current["hosts"].get(name, _NOTHING), specified.get(name, {"name": name})
            if "start" in STEPS[action] and "prepare" not in STEPS[action]:
                # A host keeps the image that it was made from: other files would appear under its own.
                spec = {**spec, "layers": host["layers"]}
            data = {"spec": spec, "storage": current["storage"], **{k: wanted[k] for k in ("state_dir", "timeout")}}
            after = _describe(spec) if "start" in STEPS[action] else ""
            changes.append(Change(name, action, "\n".join([*host["traces"], *host["stored"]]), after, data))
    findings = owner.refusal(current["owner"], wanted["state_dir"])
    findings += [finding for change in changes if change.after for finding in _refusals(current, change.data["spec"])]
    if changes and not current["root"]:
        findings.append(not_root("lab_host"))
    return Plan(changes, findings)


def apply(io: LabIO, plan: Plan) -> None:
    """Each step for all hosts, so that they power off and boot side by side; then wait until they answer by SSH."""
    for step, take in _TAKE.items():
        if changes := [change for change in plan if step in STEPS[change.action]]:
            take(io, changes)


def storage_directory(state_dir: str, file_system: str) -> str:
    """Where the writable parts of the hosts' roots are: in the state directory when its file system can hold them."""
    if file_system not in _CAN_NOT_HOLD_UPPERS:
        return f"{state_dir}/hosts"
    return f"{_ELSEWHERE}/{hashlib.sha256(state_dir.encode()).hexdigest()[:16]}"


def shape(spec: Mapping[str, Any]) -> str:
    """Digest of what a host has that it can not change while it runs."""
    said = [spec[name] for name in ("kind", "nics", "disks", "memory", "cpus")]
    # Only where there are any: hosts without have the digest that they always had.
    text = json.dumps([*said, spec["devices"]] if spec["devices"] else said)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def known_hosts(text: str, name: str, line: str | None) -> str:
    """A known_hosts file with the host's line replaced, added, or removed for None."""
    others = [old for old in text.splitlines() if not old.startswith(f"{name},")]
    return "".join(f"{entry}\n" for entry in sorted([*others, *([line] if line else [])]))


def ssh_config(known: str, directory: str) -> str:
    """A configuration for `ssh -F`, so that each host of a known_hosts file is reached by its name alone."""
    names = [line.split()[0].split(",") for line in known.splitlines()]
    hosts = [f"Host {name}\n    HostName {address}\n" for name, address in names]
    common = [
        "Host *", "    User root", f'    IdentityFile "{directory}/id_ed25519"', "    IdentitiesOnly yes",
        f'    UserKnownHostsFile "{directory}/known_hosts"', "    StrictHostKeyChecking yes", "",
    ]  # fmt: skip
    return "".join(hosts) + "\n".join(common)


_NOTHING = {
    "running": False, "traces": [], "stored": [], "whole": False,
    "created": 0.0, "kind": "", "layers": [], "started": 0.0, "shape": "",
}  # fmt: skip


def _running(host: Mapping[str, Any], spec: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    if host["stored"] and host["kind"] != spec["kind"]:
        return "reset"
    if not host["running"]:
        if not host["whole"]:
            return "reset" if host["traces"] or host["stored"] else "create"
        return "start"
    return "restart" if host["shape"] != shape(spec) else ""


def _restarted(host: Mapping[str, Any], spec: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    if host["running"] and host["started"] < wanted["since"]:
        return "restart"
    return _running(host, spec, wanted)


def _cycled(host: Mapping[str, Any], spec: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    return "cycle" if _restarted(host, spec, wanted) == "restart" else _running(host, spec, wanted)


def _reset(host: Mapping[str, Any], spec: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    if (host["stored"] or host["traces"]) and host["created"] < wanted["since"]:
        return "reset"
    return _running(host, spec, wanted)


def _stopped(host: Mapping[str, Any], spec: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    return "stop" if host["traces"] else ""


def _cut(host: Mapping[str, Any], spec: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    return "cut" if host["traces"] else ""


def _absent(host: Mapping[str, Any], spec: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    return "remove" if host["traces"] or host["stored"] else ""


_STATES: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], str]] = {
    "running": _running,
    "restarted": _restarted,
    "reset": _reset,
    "stopped": _stopped,
    "cut": _cut,
    "cycled": _cycled,
    "absent": _absent,
}


def _refusals(current: Mapping[str, Any], spec: Mapping[str, Any]) -> list[Finding]:
    findings = []
    if spec["kind"] not in current["kinds"]:
        findings.append(
            Finding(
                "error",
                "lab.kind",
                f"{spec['name']}: lab_kind",
                f"{spec['kind']}: {DRIVERS[spec['kind']].PROGRAM} is not on this machine.",
                "Install it: `scripts/machine INVENTORY` does.",
            )
        )
    if spec["kind"] == "vm" and (long := [disk for disk in spec["disks"] if len(disk) > vm.LONGEST_SERIAL]):
        findings.append(
            Finding(
                "error",
                "lab.disk_name",
                f"{spec['name']}: lab_disks",
                f"{', '.join(long)}: it is a serial number, which has {vm.LONGEST_SERIAL} characters at most.",
                "Give the disk a shorter name.",
            )
        )
    missing = [device for device in spec["devices"] if device not in current["devices"]]
    if missing and spec["kind"] == "container":
        findings.append(
            Finding(
                "error",
                "lab.device",
                f"{spec['name']}: lab_devices",
                f"this machine has no {' and no '.join(missing)}.",
                "Load the kernel's module that makes it, or take it out of lab_devices.",
            )
        )
    return findings


def _describe(spec: Mapping[str, Any]) -> str:
    return "\n".join(
        [
            f"{spec['kind']} {spec['name']} {spec['address']}",
            *([f"{spec['cpus']} processors, {spec['memory']} of memory"] if spec["kind"] == "vm" else []),
            *(f"{nic} in {switch}" for nic, switch in spec["nics"].items()),
            *(f"disk holdfast-{disk} {size}" for disk, size in spec["disks"].items()),
            *(f"device {device}" for device in spec["devices"]),
            *spec["layers"],
        ]
    )


def _take_shutdown(io: LabIO, changes: Sequence[Change]) -> None:
    for kind, driver in DRIVERS.items():
        driver.shutdown(io, [change.subject for change in changes if change.data["spec"]["kind"] == kind])


def _take_clear(io: LabIO, changes: Sequence[Change]) -> None:
    traces.clear(io, [change.subject for change in changes])


def _take_forget(io: LabIO, changes: Sequence[Change]) -> None:
    for change in changes:
        name, state_dir = change.subject, change.data["state_dir"]
        for path in (f"{change.data['storage']}/{name}", f"{state_dir}/disks/{name}"):
            io.run(["rm", "-rf", "--one-file-system", path])
        if (known := io.read_text(f"{state_dir}/ssh/known_hosts")) is not None:
            _write_known_hosts(io, state_dir, known_hosts(known, name, None))


def _take_prepare(io: LabIO, changes: Sequence[Change]) -> None:
    for change in changes:
        spec, state_dir = change.data["spec"], change.data["state_dir"]
        keys = _keys(io, state_dir, spec)
        place = f"{change.data['storage']}/{spec['name']}"
        DRIVERS[spec["kind"]].prepare(io, spec, place, keys)
        # Last: a host that was only half prepared is made anew.
        io.write(
            f"{place}/host.json",
            json.dumps({"created": time.time(), **{k: spec[k] for k in ("kind", "layers")}}) + "\n",
        )


def _take_start(io: LabIO, changes: Sequence[Change]) -> None:
    for change in changes:
        spec, state_dir = change.data["spec"], change.data["state_dir"]
        name = spec["name"]
        record = {"started": time.time(), "shape": shape(spec), "layers": spec["layers"], "state_dir": state_dir}
        io.make_directory(f"{RUN}/hosts/{name}")
        io.write(f"{RUN}/hosts/{name}/host.json", json.dumps(record) + "\n")
        DRIVERS[spec["kind"]].start(
            io, spec, f"{change.data['storage']}/{name}", f"{state_dir}/disks/{name}", f"{state_dir}/log/{name}.log"
        )
    _wait_for_ssh(io, changes)


_TAKE: Mapping[str, Callable[[LabIO, Sequence[Change]], None]] = {
    "shutdown": _take_shutdown,
    "clear": _take_clear,
    "forget": _take_forget,
    "prepare": _take_prepare,
    "start": _take_start,
}


def _keys(io: IO, state_dir: str, spec: Mapping[str, Any]) -> dict[str, str]:
    """The lab's public key and the host's own pair, made when they are not there, and known to the lab's SSH."""
    directory = f"{state_dir}/ssh"
    io.make_directory(f"{directory}/hosts", mode="0700")
    io.make_directory(directory, mode="0700")
    own = f"{directory}/hosts/{spec['name']}"
    for path, comment in ((f"{directory}/id_ed25519", "holdfast-lab"), (own, spec["name"])):
        if not io.exists(f"{path}.pub"):
            io.remove(path)
            io.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])
    public = io.read_text(f"{own}.pub") or ""
    line = f"{spec['name']},{spec['address'].split('/')[0]} {' '.join(public.split()[:2])}"
    _write_known_hosts(io, state_dir, known_hosts(io.read_text(f"{directory}/known_hosts") or "", spec["name"], line))
    return {
        "authorized": io.read_text(f"{directory}/id_ed25519.pub") or "",
        "private": io.read_text(own) or "",
        "public": public,
    }


def _write_known_hosts(io: IO, state_dir: str, text: str) -> None:
    """Write what follows from it too, and leave all to whoever the checkout belongs to: sudo would make it root's."""
    io.write(f"{state_dir}/ssh/known_hosts", text, mode="0644")
    io.write(f"{state_dir}/ssh/config", ssh_config(text, f"{state_dir}/ssh"), mode="0644")
    reference = nearest(io, state_dir.rpartition("/")[0])
    io.run(["chown", "-R", f"--reference={reference}", f"{state_dir}/ssh"])
    io.run(["chown", f"--reference={reference}", state_dir])


def _wait_for_ssh(io: LabIO, changes: Sequence[Change]) -> None:
    """Wait until each host answers by SSH with the key that it was given."""
    state_dir = changes[0].data["state_dir"]
    patience = max(DRIVERS[change.data["spec"]["kind"]].PATIENCE for change in changes)
    seconds = changes[0].data["timeout"] * patience
    known = (io.read_text(f"{state_dir}/ssh/known_hosts") or "").splitlines()
    keys = {line.split()[0].split(",")[0]: line.split()[2] for line in known}
    names = {change.data["spec"]["address"].split("/")[0]: change.subject for change in changes}
    if silent := io.wait_for_ssh({address: keys[name] for address, name in names.items()}, seconds):
        log = f"{state_dir}/log/{names[silent[0]]}.log"
        tail = "\n".join((io.read_text(log) or "").splitlines()[-10:])
        raise HoldfastError(
            f"{', '.join(names[address] for address in silent)}: no answer by SSH within {seconds} s. "
            f"The console is in {log}; it ends with:\n{tail}"
        )
