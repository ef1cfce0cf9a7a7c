# SPDX-License-Identifier: Apache-2.0
"""LVM's volume groups of a host: made from whole empty disks, known again by a tag, and grown; nothing else is touched.

A group that carries our tag is ours. Any other of the same name is refused, unless ``adopt`` repeats its name, and then
it gets the tag and nothing more. A disk that holds anything is refused as kind ``disk`` refuses it. No disk ever leaves
a group for being absent from the list.

``confined`` has LVM look at no disk but those that it was given: what volumes hold is their users', and a host that
activated the volume groups inside them would damage them.
"""

from __future__ import annotations

import json
from typing import Any

from ...change import Change, Plan
from ...errors import Finding, HoldfastError
from ...host_io import IO
from ..system import SYSTEMCTL, host_name
from ..system import mounts as mounted
from . import disk as disks

SBIN = "/usr/sbin"
# Ends with 0 where the kernel has it or can load it, and loads nothing.
MODULE = ("/usr/sbin/modprobe", "--dry-run", "--quiet", "dm_mod")
CONFIGURATION = "/etc/lvm/lvmlocal.conf"
DEVICES = "/etc/lvm/devices/system.devices"
NEW_DEVICES = "holdfast.devices"
# What is ours in a file that may hold the host's own settings.
BLOCK = f"""\
# Begin of Holdfast's part: LVM uses the disks in {DEVICES} alone.
devices {{
    use_devicesfile = 1
}}
# End of Holdfast's part.
"""
# What the pool leaves free grows its metadata, and mends it.
POOL_PERCENT = 95
MINIMUM_BYTES = disks.MINIMUM_BYTES


def tag(deployment: str, host: str) -> str:
    """The tag of a host's groups. It names both, so a disk that was moved is not taken for another host's own."""
    return f"holdfast.{deployment}.{host}"


def pool_name(group: str) -> str:
    """The thin pool of a group: its name follows from the group's, so that who uses the group finds it."""
    return f"{group}-pool"


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "groups": [{"name": group["name"], "devices": group["devices"]} for group in wanted["groups"]],
        "confined": bool(wanted.get("confined")),
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """What LVM, the kernel and the disks say.

    ``{host, mapper, configuration, listed, groups: {name: {uuid, tags, missing, size, pools, twins, system}},
    disks: {device: {number, size, ..., group, holds, begun}}}``. ``mapper`` is whether the kernel has device-mapper,
    ``listed`` whether LVM's list of devices is there, ``group`` the volume group that a disk is a part of, an empty
    text when it is LVM's and of none; ``twins`` whether another group has the same name, ``system`` whether the root
    file system or swap is in it. ``holds`` is asked of a disk only that is in no group of the asked name.
    """
    mounts = mounted(io)
    found: dict[str, Any] = {
        "host": host_name(io),
        "mapper": io.exists("/sys/class/misc/device-mapper") or io.run(MODULE, check=False).rc == 0,
        "configuration": io.read_text(CONFIGURATION),
        "listed": io.exists(DEVICES),
        "groups": {},
        "disks": {},
    }
    if not asked["groups"]:
        return found
    devices = [device for group in asked["groups"] for device in group["devices"]]
    parts = parts_of(io, [device for device in devices if io.block_number(device)])
    for group in asked["groups"]:
        for device in group["devices"]:
            found["disks"][device] = _inspect(io, device, mounts, group, parts)
    found["groups"] = _groups(io, [group["name"] for group in asked["groups"]], mounts)
    return found


def _inspect(
    io: IO, device: str, mounts: list[dict[str, str]], group: dict[str, Any], parts: dict[str, str]
) -> dict[str, Any]:
    number = io.block_number(device)
    found: dict[str, Any] = {"number": number, "exists": io.exists(device), "group": None, "holds": [], "begun": False}
    if number is None:
        return found
    found.update(disks.examine(io, device, mounts))
    found["group"] = parts.get(number)
    found["begun"] = io.read_text(_note(group["name"])) == _began(group)
    if found["group"] != group["name"]:
        found["holds"] = disks.holds(io, device, found["size"])
    return found


def parts_of(io: IO, devices: list[str]) -> dict[str, str]:
    """``{number of a disk: group}`` of those that are LVM's; an empty text for one in no group."""
    rows = report(io, "pvs", "pv", "pv_name,vg_name", ["--devices", ",".join(devices)]) if devices else []
    return {number: row["vg_name"] for row in rows if (number := io.block_number(row["pv_name"]))}


def _groups(io: IO, names: list[str], mounts: list[dict[str, str]]) -> dict[str, dict[str, Any]]:
    rows = report(io, "vgs", "vg", "vg_name,vg_uuid,vg_tags,vg_missing_pv_count,vg_size", [])
    found: dict[str, dict[str, Any]] = {
        row["vg_name"]: {
            "uuid": row["vg_uuid"],
            "tags": sorted(filter(None, row["vg_tags"].split(","))),
            "missing": int(row["vg_missing_pv_count"] or 0),
            "size": int(row["vg_size"]),
            "pools": {},
            "twins": any(o["vg_name"] == row["vg_name"] and o["vg_uuid"] != row["vg_uuid"] for o in rows),
            "system": False,
        }
        for row in rows
        if row["vg_name"] in names
    }
    if found:
        # A group may have very many volumes of users: its pools alone are listed, and the kernel tells of the system's.
        for row in report(io, "lvs", "lv", "vg_name,lv_name,lv_size", ["--select", "segtype=thin-pool", *found]):
            found[row["vg_name"]]["pools"][row["lv_name"]] = int(row["lv_size"])
        system = [io.read_text(f"/sys/dev/block/{number}/dm/uuid") or "" for number in disks.of_the_system(io, mounts)]
        for group in found.values():
            group["system"] = any(uuid.startswith(f"LVM-{group['uuid'].replace('-', '')}") for uuid in system)
    return found


def report(io: IO, command: str, kind: str, columns: str, more: list[str]) -> list[dict[str, str]]:
    """Rows of one of LVM's reports, sizes in bytes; none where LVM is not installed."""
    argv = [f"{SBIN}/{command}", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", columns, *more]
    done = io.run(argv, check=False, timeout=60)
    if done.rc == 127:
        return []
    try:
        rows: list[dict[str, str]] = json.loads(done.out)["report"][0][kind]
    except (ValueError, LookupError):
        raise HoldfastError(f"`{command}` gave no report: {done.err.strip() or done.rc}.") from None
    return rows


def _note(name: str) -> str:
    return f"{disks.NOTES}/vg-{name}"


def _began(group: dict[str, Any]) -> str:
    return f"making {group['name']} of {' '.join(group['devices'])}\n"


# -- plan -----------------------------------------------------------------------------------------------------------


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    changes: list[Change] = []
    findings: list[Finding] = []
    if wanted.get("confined"):
        changes += _confinement(current)
    taken: dict[str, str] = {}
    for group in wanted["groups"]:
        refused = _refusals(group, current)
        for device in group["devices"]:
            number = current["disks"][device]["number"] or device
            if (other := taken.setdefault(number, device)) != device:
                where = f"{current['host']}: {device}"
                refused.append(_refusal("twice", where, f"it is the same disk as {other}.", "Name each disk once."))
        findings += refused
        if not refused:
            changes += _changes(group, current)
    return Plan(changes, findings)


def _confinement(current: dict[str, Any]) -> list[Change]:
    before = current["configuration"] or ""
    changes = []
    # The list first: with the configuration alone the next command would make a list of whatever it meets.
    if not current["listed"]:
        changes.append(Change(DEVICES, "create", "", "the disks of the volume groups that stand"))
    if BLOCK not in before:
        after = before + ("\n" if before else "") + BLOCK
        changes.append(Change(CONFIGURATION, "update" if before else "create", before, after))
    return changes


def _refusals(group: dict[str, Any], current: dict[str, Any]) -> list[Finding]:
    """Why a group cannot be had; empty when it is ours, or may be made."""
    where = f"{current['host']}: {group['name']}"
    findings: list[Finding] = []
    if not current["mapper"]:
        what = "the kernel has no device-mapper, without which there are no logical volumes."
        fix = "Load the module dm_mod there, or give the back end to a host with a kernel of its own."
        findings.append(_refusal("no_mapper", where, what, fix))
    stands = current["groups"].get(group["name"])
    if stands and (foreign := _why_not_ours(group, stands, where)):
        return [*findings, foreign]
    if group.get("adopt") and group["adopt"] != group["name"]:
        fix = f"Repeat the name: adopt: {group['name']}, or take it out."
        findings.append(_refusal("adopt", where, f"adopt names {group['adopt']}, another volume group.", fix))
    if stands and stands["missing"]:
        fix = "Bring them back (`vgs -o +devices {0}`, `vgck {0}` on the host).".format(group["name"])
        findings.append(_refusal("incomplete", where, f"{stands['missing']} of its disks cannot be found.", fix))
    for device in group["devices"]:
        findings += _disk_refusals(group, device, current)
    return findings


def _why_not_ours(group: dict[str, Any], stands: dict[str, Any], where: str) -> Finding | None:
    """Why a group of the name that stands there is neither this deployment's nor may become it."""
    if stands["twins"]:
        what = "several volume groups have this name, and LVM can tell them apart by their UUIDs alone."
        fix = "Rename the other one: vgs -o vg_name,vg_uuid,vg_tags, and vgrename UUID NAME."
        return _refusal("ambiguous", where, what, fix)
    if group["tag"] in stands["tags"]:
        return None
    if group.get("adopt") != group["name"]:
        tags = f" (tags: {', '.join(stands['tags'])})" if stands["tags"] else ""
        what = f"a volume group of this name stands there and is not this deployment's{tags}."
        fix = f"Choose another name. To make it this deployment's, with all that it holds: adopt: {group['name']}."
        return _refusal("foreign", where, what, fix)
    if stands["system"]:
        what = "the host's own root file system or swap is in this volume group."
        return _refusal("system", where, what, "Give the back end a volume group of its own, on disks of its own.")
    return None


def _disk_refusals(group: dict[str, Any], device: str, current: dict[str, Any]) -> list[Finding]:
    """Why a disk cannot be the group's; empty when it is, or may become a part of it."""
    found, name = current["disks"][device], group["name"]
    where = f"{current['host']}: {device}"
    if found["group"] == name:
        if name in current["groups"]:
            return []
        what = "it is a part of a volume group of this name, which LVM does not list."
        fix = f"Give it to LVM on the host (lvm lvmdevices --adddev {device}), then run again."
        return [_refusal("unlisted", where, what, fix)]
    if found["group"]:
        what = f"it is a part of the volume group {found['group']}, which is not {name}."
        return [_refusal("member", where, what, "Name another disk. Neither wipe nor adopt gives this one.")]
    return disks.refusals(_as_disk(group, device), _facts(found), where)


def _as_disk(group: dict[str, Any], device: str) -> dict[str, Any]:
    """A disk of the group in the words of kind ``disk``."""
    return {
        "device": device,
        "mount": "",
        "label": "",
        "minimum_bytes": MINIMUM_BYTES,
        "wipe": device if device in (group.get("wipe") or ()) else None,
    }


def _facts(found: dict[str, Any]) -> dict[str, Any]:
    """What a disk is, with what a killed run of ours left of LVM's own left out."""
    held = found["holds"]
    if found["begun"] and found["group"] in (None, ""):
        held = [text for text in held if not text.startswith(("LVM2_member", "data of an unknown form"))]
    return {**found, "holds": held, "xfs": None, "begun": False, "mounted": None}


def _refusal(code: str, where: str, what: str, fix: str) -> Finding:
    return Finding("error", f"volume_group.{code}", where, what, fix)


def _changes(group: dict[str, Any], current: dict[str, Any]) -> list[Change]:
    name = group["name"]
    stands = current["groups"].get(name)
    pool = pool_name(name)
    described = f"thin pool of {POOL_PERCENT} % of {name}"
    if not stands:
        before = "; ".join(f"{device}: {_before(current['disks'][device])}" for device in group["devices"])
        changes = [Change(name, "create", before, f"{', '.join(group['devices'])}\ntag {group['tag']}", group)]
        return [*changes, *([Change(f"{name}/{pool}", "create", "", described, group)] if group["thin"] else [])]
    changes = []
    if group["tag"] not in stands["tags"]:
        changes.append(Change(name, "adopt", ", ".join(stands["tags"]), f"tag {group['tag']}", group))
    new = [device for device in group["devices"] if current["disks"][device]["group"] != name]
    if new:
        before = "; ".join(f"{device}: {_before(current['disks'][device])}" for device in new)
        changes.append(Change(name, "extend", before, ", ".join(new), {**group, "new": new}))
    if group["thin"] and pool not in stands["pools"]:
        changes.append(Change(f"{name}/{pool}", "create", "", described, group))
    elif group["thin"] and (new or any(current["disks"][device]["begun"] for device in group["devices"])):
        # The note of a run that was killed before it came to the pool says that this is owed.
        size = stands["pools"][pool]
        changes.append(Change(f"{name}/{pool}", "extend", f"{size} bytes", described, group))
    return changes


def _before(found: dict[str, Any]) -> str:
    return "; ".join(found["holds"]) or "empty"


# -- on the host ----------------------------------------------------------------------------------------------------


def apply(io: IO, plan: Plan) -> None:
    for change in plan:
        group = dict(change.data)
        if change.subject == DEVICES:
            _list_devices(io)
        elif change.subject == CONFIGURATION:
            io.write(CONFIGURATION, change.after)
        elif "/" in change.subject:
            _make_pool(io, group, change.action)
        elif change.action == "adopt":
            io.run([f"{SBIN}/vgchange", "--addtag", group["tag"], group["name"]])
        elif change.action == "extend":
            _take(io, group, group["new"])
            io.run([f"{SBIN}/vgextend", "--yes", group["name"], *group["new"]])
            if not group["thin"]:
                io.remove(_note(group["name"]))
        else:
            _take(io, group, group["devices"])
            io.run([f"{SBIN}/vgcreate", "--yes", "--addtag", group["tag"], group["name"], *group["devices"]])
            io.remove(_note(group["name"]))


def _list_devices(io: IO) -> None:
    """Give LVM the disks that it has by now, among them the system's.

    ``vgimportdevices`` would do it at once, and writes to every volume group. Debian has the command as a word of
    ``lvm`` only.
    """
    new = f"{DEVICES.rpartition('/')[0]}/{NEW_DEVICES}"
    io.write(new, "# LVM uses devices listed in this file.\n", mode="0600")
    for row in report(io, "pvs", "pv", "pv_name", []):
        io.run([f"{SBIN}/lvm", "lvmdevices", "--yes", "--devicesfile", NEW_DEVICES, "--adddev", row["pv_name"]])
    # Half a list would be taken for a whole one.
    io.rename(new, DEVICES)


def _take(io: IO, group: dict[str, Any], devices: list[str]) -> None:
    """Look at each disk once more, alone on it, note what is about to happen, and give up what it may lose."""
    mounts = mounted(io)
    parts = parts_of(io, devices)
    forced = []
    for device in devices:
        with io.claimed(device):
            found = _inspect(io, device, mounts, group, parts)
            if found["group"]:
                raise HoldfastError(f"Refused, no disk was written: {device} is a part of {found['group']} by now.")
            if refused := disks.refusals(_as_disk(group, device), _facts(found), device):
                raise HoldfastError("Refused, no disk was written. " + " ".join(map(str, refused)), refused)
            forced += [device] if found["holds"] else []
    io.write(_note(group["name"]), _began(group), mode="0600")
    for device in forced:
        io.run([f"{SBIN}/wipefs", "--all", "--quiet", device])


def _make_pool(io: IO, group: dict[str, Any], action: str) -> None:
    name, pool = group["name"], pool_name(group["name"])
    if action == "extend":
        done = io.run([f"{SBIN}/lvextend", "--extents", f"{POOL_PERCENT}%VG", f"{name}/{pool}"], check=False)
        # It fails when the pool has that size already, which a killed run may have left.
        if done.rc != 0 and "matches existing size" not in done.err + done.out:
            raise HoldfastError(f"{name}/{pool} could not grow: {done.err.strip()}.")
        io.remove(_note(name))
    else:
        # It starts what watches the pool. Otherwise LVM would, as a child that ends with whoever made the pool.
        io.run([SYSTEMCTL, "start", "dm-event.socket"])
        size = ["--extents", f"{POOL_PERCENT}%FREE"]
        io.run([f"{SBIN}/lvcreate", "--yes", "--type", "thin-pool", *size, "--name", pool, name])
