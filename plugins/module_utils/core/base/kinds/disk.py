# SPDX-License-Identifier: Apache-2.0
"""Disks with a file system of ours: made by label, mounted by a systemd unit, owned by a service.

A disk that holds anything at all is refused: a signature that the system knows, a use by the kernel, or bytes that are
not zero. Only ``wipe``, which repeats the device's name, gives a disk up. What we began ourselves and a kill cut
short is told apart by a note on the host (NOTES), written when the disk was seen empty.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ...change import Change, Plan
from ...errors import Finding, HoldfastError
from ...host_io import IO
from ..system import STATE, SYSTEMCTL, host_name
from ..system import mounts as mounted

NOTES = f"{STATE}/disks"
UNITS = "/etc/systemd/system"
OPTIONS = "noatime,nodev,noexec,nosuid,nofail"
MINIMUM_BYTES = 512 * 1024**2
LINKS = ("/dev/disk/by-id", "/dev/disk/by-path", "/dev/disk/by-partuuid")

_MIB = 1024**2
_SAMPLES = 62
_SAMPLE_BYTES = 64 * 1024
_START_BYTES = 4096
_XFS_LABEL = slice(108, 120)
_XFS_IN_PROGRESS = 126


def label(deployment: str, host: str, disk: str) -> str:
    """The label of a host's disk: 12 characters, XFS takes no more, and not the same on any other disk.

    It names the deployment and the host, so a disk that was moved to another host is not taken for that host's own.
    """
    return "hf-" + hashlib.sha256(f"{deployment}/{host}/{disk}".encode()).hexdigest()[:9]


def wanted(deployment: str, host: str, disk: Mapping[str, Any], name: str, mount: str, owner: str) -> dict[str, Any]:
    """An entry of what is wanted, for a disk of the inventory: ``{device, label, mount, owner, group, wipe?}``."""
    return {
        "device": disk["device"],
        "label": label(deployment, host, name),
        "mount": mount,
        "owner": owner,
        "group": owner,
        **({"wipe": disk["wipe"]} if disk.get("wipe") else {}),
    }


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"disks": [{key: disk[key] for key in ("device", "label", "mount")} for disk in wanted["disks"]]}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """What the kernel and the disks themselves say.

    ``{host, udev, disks: {device: {number, size, read_only, removable, names, uses, xfs, holds, begun, mount, mounted,
    unit, enabled, root}}}``. ``number`` is None when there is no block device; ``xfs`` is the superblock's
    ``{label, complete}``; ``holds`` is asked of a disk only that does not carry our label; ``mounted`` is what
    stands at the mount point; ``root`` the owner of the mounted file system.
    """
    mounts = mounted(io)
    return {
        "host": host_name(io),
        "udev": io.exists("/run/udev/control"),
        "disks": {disk["device"]: _inspect(io, disk, mounts) for disk in asked["disks"]},
    }


def _inspect(io: IO, disk: dict[str, Any], mounts: list[dict[str, str]]) -> dict[str, Any]:
    device, mount = disk["device"], disk["mount"]
    here = [entry for entry in mounts if entry["where"] == mount]
    unit = unit_name(mount)
    number = io.block_number(device)
    found: dict[str, Any] = {
        "number": number,
        "exists": io.exists(device),
        "mount": mount,
        "mounted": here[-1] if here else None,
        "unit": io.read_text(f"{UNITS}/{unit}"),
        "enabled": io.exists(f"{UNITS}/local-fs.target.wants/{unit}"),
        "root": io.stat(mount) if here else None,
        "begun": False,
    }
    if number is None:
        return found
    found.update(examine(io, device, mounts, mount))
    found.update(
        xfs=_superblock(io.read_at(device, 0, 512)),
        begun=io.read_text(_note(disk)) == _began(device, found["size"]),
    )
    ours = found["xfs"] and found["xfs"]["complete"] and found["xfs"]["label"] == disk["label"]
    found["holds"] = [] if ours else holds(io, device, found["size"])
    return found


def examine(io: IO, device: str, mounts: list[dict[str, str]], mount: str = "") -> dict[str, Any]:
    """``{number, size, read_only, removable, names, uses}`` of a block device. A mount of it on ``mount`` is no use."""
    number = io.block_number(device) or ""
    path = io.realpath(device)
    block = f"/sys/dev/block/{number}"
    whole = f"/sys/dev/block/{_whole(io, number) or number}"
    return {
        "number": number,
        "size": int(io.read_text(f"{block}/size") or 0) * 512,
        "read_only": (io.read_text(f"{block}/ro") or "").strip() == "1",
        "removable": (io.read_text(f"{whole}/removable") or "").strip() == "1",
        "names": [f"{links}/{name}" for links in LINKS for name in io.listdir(links) if _leads(io, links, name, path)],
        "uses": _uses(io, number, path, mount, mounts),
    }


def _leads(io: IO, links: str, name: str, path: str) -> bool:
    return io.realpath(f"{links}/{name}") == path


def _superblock(start: bytes) -> dict[str, Any] | None:
    """The label of an XFS, and whether its mkfs came to its end."""
    if start[:4] != b"XFSB":
        return None
    text = start[_XFS_LABEL].split(b"\0")[0].decode("ascii", "replace")
    return {"label": text, "complete": start[_XFS_IN_PROGRESS] == 0}


def _uses(io: IO, number: str, path: str, mount: str, mounts: list[dict[str, str]]) -> list[str]:
    """What the kernel does with the disk, its partitions and the disk that it is one of, apart from our own mount."""
    block = f"/sys/dev/block/{number}"
    parts = {number: path}
    if whole := _whole(io, number):
        parts[whole] = f"/dev/{io.realpath(block).split('/')[-2]}"
    for name in io.listdir(block):
        if io.exists(f"{block}/{name}/partition"):
            parts[(io.read_text(f"{block}/{name}/dev") or "").strip()] = f"/dev/{name}"
    swaps, pooled = _swaps(io), _pooled(io)
    root = next((entry["number"] for entry in reversed(mounts) if entry["where"] == "/"), "")
    uses = ["it is the disk of the root file system"] if number in _beneath(io, root) else []
    for part, name in parts.items():
        uses += [f"{name} is mounted on {e['where']}" for e in mounts if e["number"] == part and e["where"] != mount]
        uses += [f"{name} is swap in use"] if name in swaps else []
        uses += [f"{name} is a part of a mounted btrfs"] if name in pooled else []
        if holders := io.listdir(f"/sys/dev/block/{part}/holders"):
            uses.append(f"{name} is held by {', '.join(holders)} (device mapper, LVM, RAID or multipath)")
    return uses


def _swaps(io: IO) -> set[str]:
    return {line.split()[0] for line in (io.read_text("/proc/swaps") or "").splitlines()[1:] if line}


def _pooled(io: IO) -> set[str]:
    """The devices of mounted file systems of btrfs: such a mount has a number of its own, which is none of them."""
    systems = [f"/sys/fs/btrfs/{name}/devices" for name in io.listdir("/sys/fs/btrfs")]
    return {f"/dev/{name}" for devices in systems for name in io.listdir(devices)}


def of_the_system(io: IO, mounts: list[dict[str, str]]) -> set[str]:
    """The numbers of all that the root file system and swap are on."""
    root = next((entry for entry in reversed(mounts) if entry["where"] == "/"), {"number": "", "filesystem": ""})
    numbers = [root["number"], *(io.block_number(name) for name in _swaps(io))]
    if root["filesystem"] == "btrfs":
        numbers += [io.block_number(name) for name in _pooled(io)]
    return {found for number in numbers if number for found in _beneath(io, number)} | {*filter(None, numbers)}


def _whole(io: IO, number: str) -> str:
    """The number of the disk that a device is a partition of; empty when it is none."""
    block = f"/sys/dev/block/{number}"
    if not io.exists(f"{block}/partition"):
        return ""
    return (io.read_text(f"{io.realpath(block)}/../dev") or "").strip()


def _beneath(io: IO, number: str) -> set[str]:
    """The numbers of a device, of the disk that it is a part of, and of all that it is built from."""
    block = f"/sys/dev/block/{number}"
    if not number or not io.exists(block):
        return set()
    found = {number}
    found |= _beneath(io, _whole(io, number))
    for name in io.listdir(f"{block}/slaves"):
        found |= _beneath(io, (io.read_text(f"{block}/slaves/{name}/dev") or "").strip())
    return found


def holds(io: IO, device: str, size: int) -> list[str]:
    """What is on the disk, by the signatures that util-linux knows; else whether anything is there at all."""
    listed = io.run(["/usr/sbin/wipefs", "--no-act", "--json", "--output", "TYPE,USAGE,LABEL", device], check=False)
    if listed.rc != 0:
        return [f"something that wipefs could not read ({listed.err.strip() or listed.rc})"]
    signatures = json.loads(listed.out or "{}").get("signatures", [])
    if signatures:
        return sorted({" ".join(filter(None, (s["type"], s["usage"], _quoted(s["label"])))) for s in signatures})
    for offset, length in sampled(size):
        if any(io.read_at(device, offset, length)):
            return [f"data of an unknown form (bytes that are not zero after offset {offset})"]
    return []


def sampled(size: int) -> list[tuple[int, int]]:
    """Offset and length of the places of a disk that are all zeros where it is empty."""
    last = max(size - _MIB, 0)
    steps = range(1, _SAMPLES + 1)
    return [(0, _MIB), (last, _MIB), *((last * step // (_SAMPLES + 1) // 4096 * 4096, _SAMPLE_BYTES) for step in steps)]


def blank(io: IO, device: str, size: int) -> None:
    """Zeros where a disk is looked at. Its start comes last: until then it shows by that what it was."""
    (start, length), *others = sampled(size)
    io.write_zeros(device, [*others, (start + _START_BYTES, length - _START_BYTES)])
    io.write_zeros(device, [(start, _START_BYTES)])


def _quoted(text: str | None) -> str:
    return f"labelled {text!r}" if text else ""


def _note(disk: dict[str, Any]) -> str:
    return f"{NOTES}/{disk['label']}"


def _began(device: str, size: int) -> str:
    return f"formatting {device} of {size} bytes\n"


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    changes: list[Change] = []
    findings: list[Finding] = []
    taken: dict[str, str] = {}
    for disk in wanted["disks"]:
        found = current["disks"][disk["device"]]
        where = f"{current['host']}: {disk['device']}"
        refused = refusals(disk, found, where)
        other = taken.setdefault(found["number"] or disk["device"], disk["device"])
        if other != disk["device"]:
            what = f"it is the same disk as {other}."
            refused.append(Finding("error", "disk.twice", where, what, "Name each disk once."))
        findings += refused
        if not any(finding.severity == "error" for finding in refused):
            changes += _changes(disk, found, bool(current["udev"]))
    return Plan(changes, findings)


def refusals(disk: dict[str, Any], found: dict[str, Any], where: str) -> list[Finding]:
    """Why the disk cannot be had; empty when it is ours already or may be formatted."""
    device, mount = disk["device"], disk["mount"]
    findings: list[Finding] = []

    def refuse(code: str, what: str, fix: str) -> None:
        findings.append(Finding("error", f"disk.{code}", where, what, fix))

    if disk.get("wipe") and disk["wipe"] != device:
        refuse(
            "wipe", f"wipe names {disk['wipe']}, another disk.", f"Repeat the device: wipe: {device}, or take it out."
        )
    if found["number"] is None:
        what = "it is not a block device." if found["exists"] else "there is no such path."
        refuse("missing", what, "Give the disk's name under /dev/disk/by-id (ls -l /dev/disk/by-id on the host).")
        return findings
    if not device.startswith("/dev/disk/by-") and found["names"]:
        what = "the name can belong to another disk after the next boot."
        refuse("unstable_name", what, f"Write {found['names'][0]}.")
    if found["uses"]:
        refuse("in_use", f"it is in use: {'; '.join(found['uses'])}.", "Name another disk, or free this one first.")
    if found["mounted"] and found["mounted"]["number"] != found["number"]:
        what = f"another file system ({found['mounted']['filesystem']}) is mounted on {mount}."
        refuse("mount_taken", what, f"Unmount {mount} on the host, or give the disk another name.")
    if found["read_only"]:
        refuse("read_only", "it is read-only.", "Name a disk that can be written.")
    if found["removable"]:
        refuse("removable", "it is removable.", "Name a fixed disk.")
    minimum = disk.get("minimum_bytes") or MINIMUM_BYTES
    if found["size"] < minimum:
        what = f"it has {found['size']} bytes, fewer than {minimum}."
        refuse("too_small", what, "Name a larger disk.")
    if not _is_ours(disk, found) and _holding(disk, found) and not disk.get("wipe"):
        refuse(
            "holds_data",
            f"it holds {'; '.join(found['holds'])}. A disk that holds anything is never written.",
            f"Name an empty disk. If what is on this one may be lost, say so for this disk: wipe: {device}.",
        )
    return findings


def _is_ours(disk: dict[str, Any], found: dict[str, Any]) -> bool:
    return bool(found["xfs"] and found["xfs"]["complete"] and found["xfs"]["label"] == disk["label"])


def _holding(disk: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether the disk holds anything but what a mkfs of ours left when it was killed: its superblock has our label."""
    if found["begun"]:
        own = f"xfs filesystem {_quoted(disk['label'])}"
        return any(text != own and not text.startswith("data of an unknown form") for text in found["holds"])
    return bool(found["holds"])


def _changes(disk: dict[str, Any], found: dict[str, Any], udev: bool) -> list[Change]:
    device, mount = disk["device"], disk["mount"]
    access = f"{disk.get('owner') or 'root'}:{disk.get('group') or 'root'} {disk.get('mode') or '0755'}"
    data = {**disk, "size": found["size"]}
    changes = []
    if not _is_ours(disk, found):
        before = "; ".join(found["holds"]) or "empty"
        changes.append(Change(device, "format", before, f"xfs labelled {disk['label']}, {found['size']} bytes", data))
    unit = _unit(disk, udev)
    if found["unit"] != unit or not found["enabled"]:
        verb = "update" if found["unit"] else "create"
        before = (found["unit"] or "") + ("" if found["enabled"] or not found["unit"] else "disabled")
        path = f"{UNITS}/{unit_name(mount)}"
        changes.append(Change(path, verb, before, unit, {**data, "unit": unit}))
    if not found["mounted"]:
        changes.append(Change(mount, "mount", "", f"{device}, {access}", data))
    elif (root := found["root"]) and f"{root['owner']}:{root['group']} {root['mode']}" != access:
        changes.append(Change(mount, "own", f"{root['owner']}:{root['group']} {root['mode']}", access, data))
    elif found["begun"]:
        changes.append(Change(mount, "forget", "the note of a run that was cut short", "", data))
    return changes


def unit_name(path: str) -> str:
    """systemd's name of the unit of a mount point: slashes become dashes, what is not plain is escaped."""
    plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_."
    text = "".join(
        "-" if letter == "/" else letter if letter in plain else "".join(f"\\x{byte:02x}" for byte in letter.encode())
        for letter in path.strip("/")
    )
    return f"{text}.mount"


def _unit(disk: dict[str, Any], udev: bool) -> str:
    """The mount unit. With udev by label, and systemd waits for the disk to appear; without, by the device's name.

    ``nofail`` in the options lets a host boot whose disk is broken: the mount is wanted by local-fs.target, not
    required, and nothing is ordered after it.
    """
    return (
        "# Managed by Holdfast.\n"
        "[Unit]\n"
        f"Description=Disk {disk['label']}\n\n"
        "[Mount]\n"
        f"What={'LABEL=' + disk['label'] if udev else disk['device']}\n"
        f"Where={disk['mount']}\n"
        "Type=xfs\n"
        f"Options={disk.get('options') or OPTIONS}\n\n"
        "[Install]\n"
        "WantedBy=local-fs.target\n"
    )


def apply(io: IO, plan: Plan) -> None:
    for change in plan:
        disk = dict(change.data)
        if change.action == "format":
            _format(io, disk)
        elif change.action in ("create", "update"):
            io.write(change.subject, disk["unit"])
            io.run([SYSTEMCTL, "daemon-reload"])
            io.run([SYSTEMCTL, "enable", "--quiet", unit_name(disk["mount"])])
        else:
            if change.action == "mount":
                _mount(io, disk)
            io.set_owner(
                disk["mount"],
                mode=disk.get("mode") or "0755",
                owner=disk.get("owner") or "root",
                group=disk.get("group") or "root",
            )
            # Until a disk is mounted, a run may have been killed within its mkfs, and nobody else has used it.
            io.remove(_note(disk))


def _format(io: IO, disk: dict[str, Any]) -> None:
    """Look once more, alone on the device, note what is about to happen, and make the file system."""
    device = disk["device"]
    with io.claimed(device):
        found = _inspect(io, disk, mounted(io))
        if _is_ours(disk, found):
            return
        if refused := refusals(disk, found, device):
            raise HoldfastError("Refused, the disk was not written. " + " ".join(map(str, refused)), refused)
        forced = bool(found["holds"])
        if not forced or disk.get("wipe"):
            io.write(_note(disk), _began(device, found["size"]), mode="0600")
    if disk.get("wipe") and forced:
        io.run(["/usr/sbin/wipefs", "--all", "--quiet", device])
        io.run(["/usr/sbin/blockdev", "--rereadpt", device], check=False)
    io.run(["/usr/sbin/mkfs.xfs", "-q", *(["-f"] if forced else []), "-L", disk["label"], device])


def _mount(io: IO, disk: dict[str, Any]) -> None:
    """Mount it. The directory beneath is closed to all but root, so nothing is written there without the disk."""
    io.make_directory(disk["mount"].rpartition("/")[0] or "/", mode="0755")
    io.make_directory(disk["mount"], mode="0000")
    io.run([SYSTEMCTL, "start", unit_name(disk["mount"])])
