# SPDX-License-Identifier: Apache-2.0
"""Ceph's OSDs: a disk each, made once, found again by its label, and run by systemd.

A disk that holds anything is refused. One that carries the label of an OSD of this cluster is taken as it is, whatever
host or tool made it; one of another cluster is refused. An OSD has a UUID that follows from its host and disk, so a run
that was killed anywhere goes on where it was, with the same number in the cluster.

In the mode ``raw`` the whole device is BlueStore's. The mode ``lvm`` is ceph-volume's, with its tags on logical volumes
and encryption by dm-crypt, and needs a kernel with device-mapper.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import ceph
from ..change import Change, Plan
from ..errors import Finding, HoldfastError
from . import disk as disks

if TYPE_CHECKING:
    from ...io.host import Host as IO
    from ..model import Host, Model
    from ..services import Services

NEEDS = ("core/ceph", "core/kinds/disk", "io/rados_session")

NOTES = "/var/lib/holdfast/ceph"
HOMES = "/var/lib/ceph/osd"
KEYRING = "/var/lib/ceph/bootstrap-osd/ceph.keyring"
SYSTEMCTL = "/usr/bin/systemctl"
VOLUME = "/usr/sbin/ceph-volume"
MINIMUM_BYTES = 5 * 1024**3
START_SECONDS = 120
_CEPH = {"owner": "ceph", "group": "ceph"}
# The parts of an OSD: option, its link in the OSD's directory, and what its label calls it.
_PARTS = (
    ("device", "block", "main"),
    ("db_device", "block.db", "bluefs db"),
    ("wal_device", "block.wal", "bluefs wal"),
)


def desired(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{fsid, host, addresses, osds, remove}``.

    ``osds`` are the entries of ceph_osds, each with the ``uuid`` that a new OSD gets; ``remove`` are UUIDs.
    """
    from .. import ceph_site, flows

    if "ceph_osd" not in host.groups:
        return {}
    fsid = ceph_site.fsid(model, secrets)
    return {
        "fsid": fsid,
        "host": host.name,
        "addresses": [flows.bind_address(model, host, flow) for flow in ("ceph_osd", "ceph_osd_replication")],
        "osds": [
            {"mode": "raw", **osd, "uuid": ceph.osd_uuid(fsid, host.name, osd["device"])}
            for osd in host.variables.get("ceph_osds") or ()
        ],
        "remove": [osd["uuid"] for osd in ceph_site.leaving(model, secrets)],
    }


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "osds": [
            {name: osd.get(name) for name in ("device", "db_device", "wal_device", "mode", "uuid")}
            for osd in wanted["osds"]
        ]
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """What the disks and systemd say, whatever the number of OSDs in one look at each.

    ``{host, disks: {device: {number, size, ..., label, holds}}, homes: {number: {links, keyring, uuid}},
    units: {number: {active, enabled}}, begun: {uuid: {device, size}}, lvm: {device: {whoami, osd_uuid, ceph_fsid}}}``.
    ``holds`` is asked of a disk only that carries no label.
    """
    mounts = disks.mounts_of(io)
    found = {}
    for osd in asked["osds"]:
        for option, _, _ in _PARTS:
            if (device := osd.get(option)) and device not in found:
                found[device] = _inspect(io, device, mounts, osd["mode"])
    homes = {
        name.partition("-")[2]: _home(io, f"{HOMES}/{name}") for name in io.listdir(HOMES) if name.startswith("ceph-")
    }
    lvm = _listed(io) if any(osd["mode"] == "lvm" for osd in asked["osds"]) else {}
    numbers = {*homes, *(str(disk["label"]["whoami"]) for disk in found.values() if _is_osd(disk)), *_numbers(lvm)}
    return {
        "host": (io.read_text("/proc/sys/kernel/hostname") or "this host").strip(),
        "disks": found,
        "homes": homes,
        "units": _units(io, sorted(numbers)),
        "begun": {osd["uuid"]: note for osd in asked["osds"] if (note := _note(io, osd["uuid"]))},
        "lvm": lvm,
    }


def _inspect(io: IO, device: str, mounts: list[dict[str, str]], mode: str) -> dict[str, Any]:
    number = io.block_number(device)
    found: dict[str, Any] = {"number": number, "exists": io.exists(device), "label": None, "holds": []}
    if number is None:
        return found
    found.update(disks.examine(io, device, mounts))
    found["label"] = ceph.parse_label(io.read_at(device, 0, ceph.LABEL_BYTES))
    if not found["label"]:
        found["holds"] = disks.holds(io, device, found["size"])
    return found


def _is_osd(disk: Mapping[str, Any]) -> bool:
    return bool(disk["label"] and disk["label"]["whoami"] is not None)


def _home(io: IO, path: str) -> dict[str, Any]:
    """What stands in an OSD's directory."""
    links = {link: (io.stat(f"{path}/{link}") or {}).get("target") for _, link, _ in _PARTS}
    return {
        "links": {link: target for link, target in links.items() if target},
        "keyring": io.exists(f"{path}/keyring"),
        "uuid": (io.read_text(f"{path}/fsid") or "").strip(),
    }


def _listed(io: IO) -> dict[str, dict[str, Any]]:
    """The OSDs on logical volumes, by device, as ceph-volume knows them from LVM's tags."""
    done = io.run([VOLUME, "lvm", "list", "--format", "json"], check=False, timeout=120)
    if done.rc != 0:
        return {}
    return {
        device: {
            "whoami": int(number),
            "osd_uuid": volume["tags"].get("ceph.osd_fsid"),
            "ceph_fsid": volume["tags"].get("ceph.cluster_fsid"),
        }
        for number, volumes in json.loads(done.out or "{}").items()
        for volume in volumes
        if volume.get("type") == "block"
        for device in (*volume.get("devices", ()), volume.get("lv_path", ""))
    }


def _numbers(lvm: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [str(volume["whoami"]) for volume in lvm.values()]


def _units(io: IO, numbers: list[str]) -> dict[str, dict[str, bool]]:
    if not numbers:
        return {}
    names = [f"ceph-osd@{number}.service" for number in numbers]
    shown = io.run([SYSTEMCTL, "show", "--property=ActiveState,UnitFileState", *names], check=False).out
    blocks = [dict(line.split("=", 1) for line in text.splitlines() if "=" in line) for text in shown.split("\n\n")]
    return {
        number: {"active": block.get("ActiveState") == "active", "enabled": block.get("UnitFileState") == "enabled"}
        for number, block in zip(numbers, blocks, strict=False)
    }


def _note(io: IO, uuid: str) -> dict[str, Any] | None:
    """What an earlier run noted before it wrote to a disk, without the key."""
    text = io.read_text(f"{NOTES}/osd-{uuid}.json")
    if not text:
        return None
    note = json.loads(text)
    return {"device": note["device"], "size": note["size"]}


# -- plan -----------------------------------------------------------------------------------------------------------


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    changes: list[Change] = []
    findings: list[Finding] = []
    taken: dict[str, str] = {}
    for osd in wanted["osds"]:
        refused: list[Finding] = []
        for option, _, _ in _PARTS:
            if device := osd.get(option):
                where = f"{current['host']}: {device}"
                other = taken.setdefault(current["disks"][device]["number"] or device, f"{device} ({option})")
                if other != f"{device} ({option})":
                    refused.append(_refusal("twice", where, f"it is the same disk as {other}.", "Name each disk once."))
        refused += _refusals(osd, current, wanted["fsid"])
        findings += refused
        if not any(finding.severity == "error" for finding in refused):
            changes += _changes(osd, current, wanted)
    return Plan([*changes, *_retired(current, wanted)], findings)


def _refusals(osd: dict[str, Any], current: dict[str, Any], fsid: str) -> list[Finding]:
    """Why the OSD cannot be had on these disks."""
    findings: list[Finding] = []
    main = _identity(osd, current)
    for option, _, description in _PARTS:
        device = osd.get(option)
        if not device:
            continue
        found = current["disks"][device]
        where = f"{current['host']}: {device}"
        label = found["label"]
        if option == "device" and main and main["ceph_fsid"] and main["ceph_fsid"] != fsid:
            findings.append(_foreign(where, main, fsid))
        elif _belongs(option, found, main):
            continue
        elif label and label["description"] not in ("main", description, "unreadable") and option == "device":
            what = f"it is the part {label['description']!r} of the OSD {label['osd_uuid']}."
            findings.append(_refusal("part", where, what, "Give the disk that holds that OSD's data as device."))
        elif label and label["ceph_fsid"] and label["ceph_fsid"] != fsid:
            findings.append(_foreign(where, label, fsid))
        else:
            begun = label and label["osd_uuid"] == osd["uuid"] and osd["uuid"] in current["begun"]
            held = [] if begun or not label else [f"the OSD {label['osd_uuid']} ({label['description']})"]
            facts = {**found, "holds": held or found["holds"], "xfs": None, "begun": False, "mounted": None}
            asked = {
                "device": device,
                "mount": "",
                "label": "",
                "wipe": osd.get("wipe") if option == "device" else None,
            }
            minimum = MINIMUM_BYTES if option == "device" else 256 * 1024**2
            findings += disks.refusals({**asked, "minimum_bytes": minimum}, facts, where)
    return findings


def _belongs(option: str, found: Mapping[str, Any], main: Mapping[str, Any] | None) -> bool:
    """Whether a disk is what it should be already: a finished OSD of the cluster, or a part of the same OSD."""
    if not main:
        return False
    if option == "device":
        return _complete(main) and bool(found["number"])
    return bool(found["label"] and found["label"]["osd_uuid"] == main["osd_uuid"])


def _foreign(where: str, label: Mapping[str, Any], fsid: str) -> Finding:
    what = f"it is the OSD {label['whoami']} of another cluster, {label['ceph_fsid']}; this deployment's is {fsid}."
    return _refusal("foreign", where, what, "Name another disk. Its data is another cluster's, and wipe does not help.")


def _refusal(code: str, where: str, what: str, fix: str) -> Finding:
    return Finding("error", f"ceph_osd.{code}", where, what, fix)


def _identity(osd: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any] | None:
    """What says which OSD is on the device: LVM's tags, or the disk's own label."""
    if osd["mode"] == "lvm":
        found = current["lvm"].get(osd["device"])
        return {**found, "complete": True} if found else None
    label: dict[str, Any] | None = current["disks"][osd["device"]]["label"]
    return label


def _complete(label: Mapping[str, Any]) -> bool:
    return bool(label["complete"] and label["whoami"] is not None)


def _changes(osd: dict[str, Any], current: dict[str, Any], wanted: dict[str, Any]) -> list[Change]:
    data = {**osd, "fsid": wanted["fsid"], "addresses": wanted["addresses"], "host": wanted["host"]}
    label = _identity(osd, current)
    device = osd["device"]
    changes = []
    number = str(label["whoami"]) if label and _complete(label) else None
    if number is None:
        disk = current["disks"][device]
        before = "; ".join(disk["holds"]) or ("begun by a run that was cut short" if label else "empty")
        parts = [f"{option}: {osd[option]}" for option, _, _ in _PARTS[1:] if osd.get(option)]
        encrypted = ", encrypted" if osd.get("encrypted") else ""
        after = "\n".join(
            [f"OSD {osd['uuid']}, {osd['mode']}{encrypted}, class {osd.get('class') or 'by itself'}", *parts]
        )
        return [Change(device, "prepare", before, after, data)]
    home = current["homes"].get(number)
    if osd["mode"] == "raw":
        links = {link: osd[option] for option, link, _ in _PARTS if osd.get(option)}
        if not home or not home["keyring"] or home["links"] != links:
            before = ", ".join(f"{link}: {target}" for link, target in (home or {"links": {}})["links"].items())
            after = ", ".join(f"{link}: {target}" for link, target in links.items())
            changes.append(Change(f"{HOMES}/ceph-{number}", "activate", before, after, {**data, "number": number}))
    elif not home:
        changes.append(
            Change(f"{HOMES}/ceph-{number}", "activate", "", device, {**data, "number": number, **(label or {})})
        )
    unit = current["units"].get(number, {"active": False, "enabled": False})
    if not (unit["active"] and unit["enabled"]):
        before = f"{'active' if unit['active'] else 'inactive'}, {'enabled' if unit['enabled'] else 'disabled'}"
        changes.append(
            Change(f"ceph-osd@{number}.service", "start", before, "active, enabled", {**data, "number": number})
        )
    return changes


def _retired(current: dict[str, Any], wanted: dict[str, Any]) -> list[Change]:
    """What OSDs leave on the host that left the cluster by name, and no longer run."""
    return [
        Change(f"{HOMES}/ceph-{number}", "retire", f"osd.{number}, {home['uuid']}", "", {"number": number})
        for number, home in sorted(current["homes"].items())
        if home["uuid"] in (wanted.get("remove") or ()) and not current["units"].get(number, {}).get("active")
    ]


# -- on the host ----------------------------------------------------------------------------------------------------


def apply(io: IO, plan: Plan) -> None:
    starting: list[str] = []
    for change in plan:
        osd = dict(change.data)
        if change.action == "retire":
            io.run([SYSTEMCTL, "disable", "--quiet", f"ceph-osd@{osd['number']}.service"])
            io.run(["/usr/bin/rm", "-rf", "--one-file-system", "--", change.subject])
            continue
        for address in osd["addresses"]:
            _require(io, osd["host"], address)
        if change.action == "prepare":
            number = (_prepare_volume if osd["mode"] == "lvm" else _prepare)(io, osd)
        else:
            number = osd["number"]
            if change.action == "activate":
                (_activate_volume if osd["mode"] == "lvm" else _activate)(io, osd, number)
        starting.append(number)
    if starting:
        _start(io, list(dict.fromkeys(starting)))


def _require(io: IO, host: str, address: str) -> None:
    if not io.has_address(address):
        raise HoldfastError(
            f"{host}: {address}, its address on Ceph's public or cluster network, is on no interface of the host: an "
            "OSD would not start. Fix: see that the bridges of storage and repl are up (ip addr), then run again."
        )


def _prepare(io: IO, osd: dict[str, Any]) -> str:
    """Note what is about to happen, have the cluster give a number, and make the OSD. Returns the number."""
    device, uuid = osd["device"], osd["uuid"]
    note = f"{NOTES}/osd-{uuid}.json"
    with io.claimed(device):
        found = read(io, question({"osds": [osd]}))
        if refused := [f for f in _refusals(osd, found, osd["fsid"]) if f.severity == "error"]:
            raise HoldfastError("Refused, the disk was not written. " + " ".join(map(str, refused)), refused)
        if uuid not in found["begun"]:
            key = ceph.make_key(os.urandom(ceph.KEY_BYTES), int(time.time()))
            content = {"device": device, "size": found["disks"][device]["size"], "key": key}
            io.write(note, json.dumps(content), mode="0600")
    if osd.get("wipe") and (found["disks"][device]["holds"] or found["disks"][device]["label"]):
        io.run(["/usr/sbin/wipefs", "--all", "--quiet", device])
        io.run(["/usr/sbin/blockdev", "--rereadpt", device], check=False)
    key = json.loads(io.read_text(note) or "{}")["key"]
    with io.ceph("client.bootstrap-osd", KEYRING, 60) as cluster:
        secrets = {"cephx_secret": key, **({"crush_device_class": osd["class"]} if osd.get("class") else {})}
        number = str(cluster.tell("osd new", uuid=uuid, stdin=json.dumps(secrets))["osdid"])
    home = f"{HOMES}/ceph-{number}"
    # What an OSD left that had the number before.
    io.run(["/usr/bin/rm", "-rf", "--one-file-system", "--", home])
    io.make_directory(home, mode="0750", **_CEPH)
    io.write(f"{home}/keyring", ceph.keyring({f"osd.{number}": key}), mode="0600", **_CEPH)
    if osd.get("class"):
        io.write(f"{home}/crush_device_class", f"{osd['class']}\n", mode="0600", **_CEPH)
    _link(io, osd, home)
    io.run(
        [
            "/usr/bin/ceph-osd", "--mkfs", "--id", number, "--osd-uuid", uuid, "--osd-data", home, "--keyfile", "-",
            "--setuser", "ceph", "--setgroup", "ceph",
        ],
        stdin=key,
        timeout=900,
    )  # fmt: skip
    io.remove(note)
    return number


def _activate(io: IO, osd: dict[str, Any], number: str) -> None:
    """Make the directory of an OSD that is on its disk already, as after a new installation of the host."""
    home = f"{HOMES}/ceph-{number}"
    io.make_directory(home, mode="0750", **_CEPH)
    if not io.exists(f"{home}/keyring"):
        io.run(["/usr/bin/ceph-bluestore-tool", "prime-osd-dir", "--dev", osd["device"], "--path", home])
        io.run(["/usr/bin/chown", "-R", "ceph:ceph", home])
    _link(io, osd, home)


def _link(io: IO, osd: dict[str, Any], home: str) -> None:
    for option, link, _ in _PARTS:
        if device := osd.get(option):
            io.link(f"{home}/{link}", device)
            io.run(["/usr/bin/chown", "ceph:ceph", device])


def _prepare_volume(io: IO, osd: dict[str, Any]) -> str:
    device = osd["device"]
    if osd.get("wipe"):
        io.run([VOLUME, "lvm", "zap", "--destroy", device])
    parts = [word for option, flag in (("db_device", "--block.db"), ("wal_device", "--block.wal")) if osd.get(option)
             for word in (flag, osd[option])]  # fmt: skip
    io.run([
        VOLUME, "lvm", "prepare", "--bluestore", "--data", device, "--osd-fsid", osd["uuid"], *parts,
        *(["--crush-device-class", osd["class"]] if osd.get("class") else []),
        *(["--dmcrypt"] if osd.get("encrypted") else []),
    ], timeout=900)  # fmt: skip
    made = _listed(io).get(device)
    if not made:
        raise HoldfastError(f"{device}: ceph-volume made an OSD there and does not list it. Fix: ceph-volume lvm list.")
    _activate_volume(io, {**osd, **made}, str(made["whoami"]))
    return str(made["whoami"])


def _activate_volume(io: IO, osd: dict[str, Any], number: str) -> None:
    io.run([VOLUME, "lvm", "activate", "--bluestore", "--no-systemd", number, osd["osd_uuid"]], timeout=300)
    # It activates the volumes of an encrypted OSD at every boot.
    io.run([SYSTEMCTL, "enable", "--quiet", f"ceph-volume@lvm-{number}-{osd['osd_uuid']}.service"])


def _start(io: IO, numbers: list[str]) -> None:
    """Start the OSDs, and wait until each says itself that it serves."""
    names = [f"ceph-osd@{number}.service" for number in numbers]
    io.run([SYSTEMCTL, "reset-failed", *names], check=False)
    io.run([SYSTEMCTL, "enable", "--quiet", "ceph-osd.target", *names])
    io.run([SYSTEMCTL, "start", *names])
    waiting = list(numbers)
    deadline = time.monotonic() + START_SECONDS
    while waiting := [number for number in waiting if _state(io, number) != "active"]:
        failed = [number for number in waiting if _has_failed(io, number)]
        if failed or time.monotonic() > deadline:
            number = (failed or waiting)[0]
            journal = io.run(
                ["/usr/bin/journalctl", "-u", f"ceph-osd@{number}", "-n", "8", "--no-pager", "-o", "cat"], check=False
            )
            raise HoldfastError(
                f"osd.{number} did not come up{'' if failed else f' within {START_SECONDS} s'}: "
                f"{journal.out.strip() or 'no journal'}. Fix what the journal says, and run again. An OSD that left "
                "the cluster comes back only as a new one: erase its disk first."
            )
        time.sleep(0.5)


def _has_failed(io: IO, number: str) -> bool:
    return io.run([SYSTEMCTL, "is-failed", f"ceph-osd@{number}.service"], check=False).out.strip() == "failed"


def _state(io: IO, number: str) -> str:
    status = io.admin_socket(f"/run/ceph/ceph-osd.{number}.asok", "status")
    return str((status or {}).get("state"))
