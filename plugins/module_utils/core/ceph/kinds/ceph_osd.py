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
from typing import Any

from ...base.kinds import disk as disks
from ...change import Change, Plan
from ...errors import Finding, HoldfastError, RefusedError
from ...host_io import IO
from .. import osd_raw as ceph_raw
from .. import osd_volume as ceph_volume
from .. import values as ceph

NOTES = "/var/lib/holdfast/ceph"
KEYRING = "/var/lib/ceph/bootstrap-osd/ceph.keyring"
SYSTEMCTL = "/usr/bin/systemctl"
MINIMUM_BYTES = 5 * 1024**3
START_SECONDS = 120
ASK_SECONDS = 5


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "osds": [
            {name: osd.get(name) for name in ("device", "db_device", "wal_device", "mode", "uuid")}
            for osd in wanted["osds"]
        ],
        "remove": list(wanted.get("remove") or ()),
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """What the disks and systemd say, whatever the number of OSDs in one look at each.

    ``{host, disks: {device: {number, size, ..., label, holds}}, homes: {number: {links, keyring, uuid, left}},
    units: {number: {active, enabled}}, begun: {uuid: {device, size}}, lvm: {disk's number: {whoami, osd_uuid, ...}}}``.
    ``holds`` is asked of a disk only that carries no label. ``enabled`` says whether it starts at boot; ``left`` of one
    that is to leave, whether the cluster has it no more.
    """
    mounts = disks.mounts_of(io)
    found = {}
    for osd in asked["osds"]:
        for option, _, _ in ceph.OSD_PARTS:
            if (device := osd.get(option)) and device not in found:
                found[device] = _inspect(io, device, mounts, osd["mode"])
    own = [name.partition("-")[2] for name in io.listdir(ceph.OSD_HOMES) if name.startswith("ceph-")]
    homes = {number: _home(io, ceph.osd_home(number)) for number in own}
    lvm = ceph_volume.listed(io) if any(osd["mode"] == "lvm" for osd in asked["osds"]) else {}
    on_volumes = {str(part["whoami"]): part["osd_uuid"] for part in lvm.values() if part["part"] == "block"}
    numbers = {*homes, *(str(disk["label"]["whoami"]) for disk in found.values() if _is_osd(disk)), *on_volumes}
    units = _units(io, sorted(numbers), on_volumes)
    for osd, home in homes.items():
        home["left"] = home["uuid"] in asked["remove"] and _has_left(io, osd, home)
    return {
        "host": (io.read_text("/proc/sys/kernel/hostname") or "this host").strip(),
        "disks": found,
        "homes": homes,
        "units": units,
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
    if mode == "lvm":
        found["volumes"] = ceph_volume.volumes_on(io, number)
    return found


def _is_osd(disk: Mapping[str, Any]) -> bool:
    return bool(disk["label"] and disk["label"]["whoami"] is not None)


def _home(io: IO, path: str) -> dict[str, Any]:
    """What stands in an OSD's directory."""
    links = {link: (io.stat(f"{path}/{link}") or {}).get("target") for _, link, _ in ceph.OSD_PARTS}
    return {
        "links": {link: target for link, target in links.items() if target},
        "keyring": io.exists(f"{path}/keyring"),
        "uuid": (io.read_text(f"{path}/fsid") or "").strip(),
    }


def _has_left(io: IO, number: str, home: Mapping[str, Any]) -> bool:
    """Whether the cluster does not take the OSD's key any more: it goes with the OSD. A silent one says nothing."""
    if not home["keyring"]:
        return True
    try:
        with io.ceph(f"osd.{number}", f"{ceph.osd_home(number)}/keyring", ASK_SECONDS):
            return False
    except RefusedError:
        return True
    except HoldfastError:
        return False


def _units(io: IO, numbers: list[str], on_volumes: Mapping[str, str]) -> dict[str, dict[str, bool]]:
    if not numbers:
        return {}
    names = [f"ceph-osd@{number}.service" for number in numbers]
    shown = io.run([SYSTEMCTL, "show", "--property=ActiveState,UnitFileState", *names], check=False).out
    blocks = [dict(line.split("=", 1) for line in text.splitlines() if "=" in line) for text in shown.split("\n\n")]
    return {
        number: {
            "active": block.get("ActiveState") == "active",
            "enabled": ceph_volume.starts_at_boot(io, number, on_volumes[number])
            if number in on_volumes
            else block.get("UnitFileState") == "enabled",
        }
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
        for option, _, _ in ceph.OSD_PARTS:
            if device := osd.get(option):
                where = f"{current['host']}: {device}"
                other = taken.setdefault(current["disks"][device]["number"] or device, f"{device} ({option})")
                if other != f"{device} ({option})":
                    refused.append(_refusal("twice", where, f"it is the same disk as {other}.", "Name each disk once."))
        refused += _refusals(osd, current, wanted["fsid"])
        findings += refused
        if not any(finding.severity == "error" for finding in refused):
            findings += _unlike(osd, current)
            changes += _changes(osd, current, wanted)
    return Plan([*changes, *_retired(current, wanted)], findings)


def _unlike(osd: Mapping[str, Any], current: Mapping[str, Any]) -> list[Finding]:
    """What an OSD that is there can not become."""
    found = _identity(osd, current)
    if osd["mode"] != "lvm" or not found or not _complete(found) or found["encrypted"] == bool(osd.get("encrypted")):
        return []
    what = f"osd.{found['whoami']} is {'' if found['encrypted'] else 'not '}encrypted, and that can not be changed."
    fix = "Let it leave (ceph_remove_osds), erase its disks and make it anew, or set encrypted to what it is."
    return [Finding("advice", "ceph_osd.encryption", f"{current['host']}: {osd['device']}", what, fix)]


def _refusals(osd: dict[str, Any], current: dict[str, Any], fsid: str) -> list[Finding]:
    """Why the OSD cannot be had on these disks."""
    findings: list[Finding] = []
    main = _identity(osd, current)
    for option, _, description in ceph.OSD_PARTS:
        device = osd.get(option)
        if not device:
            continue
        found = current["disks"][device]
        where = f"{current['host']}: {device}"
        label = found["label"]
        if option == "device" and main and main["ceph_fsid"] and main["ceph_fsid"] != fsid:
            findings.append(_foreign(where, main, fsid))
        elif _belongs(option, osd, current, main):
            continue
        elif label and label["description"] not in ("main", description, "unreadable") and option == "device":
            what = f"it is the part {label['description']!r} of the OSD {label['osd_uuid']}."
            findings.append(_refusal("part", where, what, "Give the disk that holds that OSD's data as device."))
        elif label and label["ceph_fsid"] and label["ceph_fsid"] != fsid:
            findings.append(_foreign(where, label, fsid))
        elif osd["mode"] == "lvm" and label and _complete(label):
            what = f"it is the OSD {label['whoami']} of this cluster, whose mode is raw."
            fix = "Keep mode: raw, or let the OSD leave first (ceph_remove_osds)."
            findings.append(_refusal("mode", where, what, fix))
        else:
            begun = osd["uuid"] in current["begun"] and _half_made(osd, found, current["lvm"].get(found["number"]))
            held = [] if begun or not label else [f"the OSD {label['osd_uuid']} ({label['description']})"]
            facts = {**found, "holds": held or found["holds"], "xfs": None, "begun": False, "mounted": None}
            if begun and osd["mode"] == "lvm":
                facts |= {"holds": [], "uses": []}
            asked = {
                "device": device,
                "mount": "",
                "label": "",
                "wipe": osd.get("wipe") if option == "device" else None,
            }
            minimum = MINIMUM_BYTES if option == "device" else 256 * 1024**2
            findings += disks.refusals({**asked, "minimum_bytes": minimum}, facts, where)
    return findings


def _half_made(osd: Mapping[str, Any], found: Mapping[str, Any], part: Mapping[str, Any] | None) -> bool:
    """Whether what is on a disk can be what a run left that was cut short while it made the OSD.

    ``part`` is what the tags of a volume there say.
    """
    if osd["mode"] == "lvm":
        if part and _is_another(part, osd):
            return False
        return not found["label"] and ceph_volume.only_its_own(found["holds"], found.get("volumes", ()))
    return bool(found["label"] and found["label"]["osd_uuid"] == osd["uuid"])


def _is_another(part: Mapping[str, Any], osd: Mapping[str, Any]) -> bool:
    """Whether a volume's tags name another OSD than the one to be made; some are written before they name any."""
    return part["osd_uuid"] not in (None, osd["uuid"])


def _belongs(option: str, osd: Mapping[str, Any], current: Mapping[str, Any], main: Mapping[str, Any] | None) -> bool:
    """Whether a disk is what it should be already: a finished OSD of the cluster, or a part of the same OSD."""
    if not main or not _complete(main):
        return False
    found = current["disks"][osd[option]]
    if option == "device":
        return bool(found["number"])
    part = current["lvm"].get(found["number"]) if osd["mode"] == "lvm" else found["label"]
    return bool(part and part["osd_uuid"] == main["osd_uuid"])


def _foreign(where: str, label: Mapping[str, Any], fsid: str) -> Finding:
    what = f"it is the OSD {label['whoami']} of another cluster, {label['ceph_fsid']}; this deployment's is {fsid}."
    return _refusal("foreign", where, what, "Name another disk. Its data is another cluster's, and wipe does not help.")


def _refusal(code: str, where: str, what: str, fix: str) -> Finding:
    return Finding("error", f"ceph_osd.{code}", where, what, fix)


def _identity(osd: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any] | None:
    """What says which OSD is on the device: LVM's tags, or the disk's own label."""
    disk = current["disks"][osd["device"]]
    if osd["mode"] == "lvm":
        found = current["lvm"].get(disk["number"])
        # ceph-volume tags before it makes the OSD; the note goes afterwards, and says nothing of any other OSD.
        whole = osd["uuid"] not in current["begun"] or bool(found and _is_another(found, osd))
        return {**found, "complete": whole} if found and found["part"] == "block" else None
    label: dict[str, Any] | None = disk["label"]
    return label


def _complete(label: Mapping[str, Any]) -> bool:
    return bool(label["complete"] and label["whoami"] is not None)


def _changes(osd: dict[str, Any], current: dict[str, Any], wanted: dict[str, Any]) -> list[Change]:
    label = _identity(osd, current)
    data = {**osd, "fsid": wanted["fsid"], "addresses": wanted["addresses"], "host": wanted["host"]}
    # An OSD that others made has a UUID of their choice.
    data["osd_uuid"] = (label or {}).get("osd_uuid") or osd["uuid"]
    device = osd["device"]
    changes = []
    number = str(label["whoami"]) if label and _complete(label) else None
    if number is None:
        disk = current["disks"][device]
        before = "; ".join(disk["holds"]) or ("begun by a run that was cut short" if label else "empty")
        parts = [f"{option}: {osd[option]}" for option, _, _ in ceph.OSD_PARTS[1:] if osd.get(option)]
        encrypted = ", encrypted" if osd.get("encrypted") else ""
        after = "\n".join(
            [f"OSD {osd['uuid']}, {osd['mode']}{encrypted}, class {osd.get('class') or 'by itself'}", *parts]
        )
        return [Change(device, "prepare", before, after, data)]
    home = current["homes"].get(number)
    if osd["mode"] == "raw":
        links = {link: osd[option] for option, link, _ in ceph.OSD_PARTS if osd.get(option)}
        if not home or not home["keyring"] or home["links"] != links:
            before = ", ".join(f"{link}: {target}" for link, target in (home or {"links": {}})["links"].items())
            after = ", ".join(f"{link}: {target}" for link, target in links.items())
            changes.append(Change(ceph.osd_home(number), "activate", before, after, {**data, "number": number}))
    elif not home:
        changes.append(Change(ceph.osd_home(number), "activate", "", device, {**data, "number": number}))
    unit = current["units"].get(number, {"active": False, "enabled": False})
    if not (unit["active"] and unit["enabled"]):
        before = f"{'active' if unit['active'] else 'inactive'}, {'enabled' if unit['enabled'] else 'disabled'}"
        changes.append(
            Change(f"ceph-osd@{number}.service", "start", before, "active, enabled", {**data, "number": number})
        )
    return changes


def _retired(current: dict[str, Any], wanted: dict[str, Any]) -> list[Change]:
    """What OSDs leave on the host that left the cluster by name; a daemon may still be about to notice.

    One that is down, and that the cluster has still, may hold the last copy of something: it has to be able to start.
    """
    return [
        Change(
            ceph.osd_home(number),
            "retire",
            f"osd.{number}, {home['uuid']}",
            "",
            {"number": number, "osd_uuid": home["uuid"]},
        )
        for number, home in sorted(current["homes"].items())
        if home["uuid"] in (wanted.get("remove") or ()) and home["left"]
    ]


# -- on the host ----------------------------------------------------------------------------------------------------


def apply(io: IO, plan: Plan) -> None:
    starting: dict[str, str] = {}
    for change in plan:
        osd = dict(change.data)
        if change.action == "retire":
            _retire(io, osd, change.subject)
            continue
        for address in osd["addresses"]:
            _require(io, osd["host"], address)
        volumes = osd["mode"] == "lvm"
        number = osd.get("number") or (_prepare_volumes if volumes else _prepare)(io, osd)
        if volumes and change.action != "start":
            ceph_volume.activate(io, number, osd["osd_uuid"])
        elif change.action == "activate":
            ceph_raw.activate(io, osd, number)
        # An OSD on volumes has no directory at boot until they are open, and their unit starts it then.
        starting[number] = ceph_volume.boot_unit(number, osd["osd_uuid"]) if volumes else f"ceph-osd@{number}.service"
    if starting:
        _start(io, starting)


def _retire(io: IO, osd: Mapping[str, Any], home: str) -> None:
    units = [f"ceph-osd@{osd['number']}.service"]
    io.run([SYSTEMCTL, "stop", *units])
    if any(mount["where"] == home for mount in disks.mounts_of(io)):
        ceph_volume.deactivate(io, osd["osd_uuid"])
        units.append(ceph_volume.boot_unit(osd["number"], osd["osd_uuid"]))
    io.run([SYSTEMCTL, "disable", "--quiet", *units])
    io.run(["/usr/bin/rm", "-rf", "--one-file-system", "--", home])


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
        found = _looked_at(io, osd)
        if uuid not in found["begun"]:
            key = ceph.make_key(os.urandom(ceph.KEY_BYTES), int(time.time()))
            content = {"device": device, "size": found["disks"][device]["size"], "key": key}
            io.write(note, json.dumps(content), mode="0600")
    _wipe(io, osd, found)
    key = json.loads(io.read_text(note) or "{}")["key"]
    with io.ceph("client.bootstrap-osd", KEYRING, 60) as cluster:
        secrets = {"cephx_secret": key, **({"crush_device_class": osd["class"]} if osd.get("class") else {})}
        number = str(cluster.tell("osd new", uuid=uuid, stdin=json.dumps(secrets))["osdid"])
    ceph_raw.make(io, osd, number, key)
    io.remove(note)
    return number


def _looked_at(io: IO, osd: dict[str, Any]) -> dict[str, Any]:
    """The host once more, just before a disk is written. Raises HoldfastError when the disk may not be."""
    found = read(io, question({"osds": [osd]}))
    if refused := [finding for finding in _refusals(osd, found, osd["fsid"]) if finding.severity == "error"]:
        raise HoldfastError("Refused, the disk was not written. " + " ".join(map(str, refused)), refused)
    return found


def _wipe(io: IO, osd: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    disk = found["disks"][osd["device"]]
    if osd.get("wipe") and (disk["holds"] or disk["label"]):
        io.run(["/usr/sbin/wipefs", "--all", "--quiet", osd["device"]])
        io.run(["/usr/sbin/blockdev", "--rereadpt", osd["device"]], check=False)


def _prepare_volumes(io: IO, osd: dict[str, Any]) -> str:
    """As _prepare, by ceph-volume. It makes keys of its own, so what was begun is taken away and not gone on with."""
    uuid = osd["uuid"]
    note = f"{NOTES}/osd-{uuid}.json"
    found = _looked_at(io, osd)
    if uuid in found["begun"]:
        ceph_volume.undo(io, osd)
        # They were empty when it was begun.
        for device in filter(None, (osd.get(option) for option, _, _ in ceph.OSD_PARTS)):
            disks.blank(io, device, found["disks"][device]["size"])
        with io.ceph("client.bootstrap-osd", KEYRING, 60) as cluster:
            number = cluster.tell("osd new", uuid=uuid)["osdid"]
            cluster.tell("osd purge-new", id=number, yes_i_really_mean_it=True)
    with io.claimed(osd["device"]):
        found = _looked_at(io, osd)
        content = {"device": osd["device"], "size": found["disks"][osd["device"]]["size"]}
        io.write(note, json.dumps(content), mode="0600")
    _wipe(io, osd, found)
    ceph_volume.prepare(io, osd)
    made = ceph_volume.listed(io).get(io.block_number(osd["device"]) or "")
    if not made or made["osd_uuid"] != uuid:
        fix = "Fix: see what `ceph-volume lvm list` says, and /var/log/ceph/ceph-volume.log."
        raise HoldfastError(f"{osd['device']}: ceph-volume made an OSD there and does not list it. {fix}")
    io.remove(note)
    return str(made["whoami"])


def _start(io: IO, units: Mapping[str, str]) -> None:
    """Start the OSDs, and wait until each says itself that it serves. ``units`` are what starts each at boot."""
    numbers = list(units)
    names = [f"ceph-osd@{number}.service" for number in numbers]
    io.run([SYSTEMCTL, "reset-failed", *names], check=False)
    io.run([SYSTEMCTL, "enable", "--quiet", *units.values()])
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
