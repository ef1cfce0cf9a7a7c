# SPDX-License-Identifier: Apache-2.0
"""What Ceph takes for what: keys, capabilities, values of options in their canonical form, and the OSDs' labels.

Pure, standard library only: the probe, the rules and the descriptions of services all use it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

KEY_BYTES = 16
_KEY = struct.Struct("<hIIH")
_AES = 1

LABEL_BYTES = 4096
_LABEL_MAGIC = b"bluestore block device\n"

OSD_HOMES = "/var/lib/ceph/osd"
# The parts of an OSD: option of ceph_osds, its link in the OSD's directory, and what its label calls it.
OSD_PARTS = (
    ("device", "block", "main"),
    ("db_device", "block.db", "bluefs db"),
    ("wal_device", "block.wal", "bluefs wal"),
)


def osd_home(number: str) -> str:
    """The directory of an OSD."""
    return f"{OSD_HOMES}/ceph-{number}"


# -- keys ---------------------------------------------------------------------------------------------------------


def make_key(random: bytes, now: int = 0) -> str:
    """A key of cephx from 16 random bytes, in base64 as keyrings have it. ``now`` is its time of birth in seconds."""
    return base64.b64encode(_KEY.pack(_AES, now, 0, KEY_BYTES) + random).decode()


def derived_key(root: str, entity: str) -> str:
    """The key of a daemon, such as ``mgr.storage1``: always the same from the same root secret, and like no other's."""
    return make_key(hmac.digest(root.encode(), entity.encode(), "sha256")[:KEY_BYTES])


def is_key(text: str) -> bool:
    """Whether a text is a key of cephx."""
    try:
        raw = base64.b64decode(text, validate=True)
        kind, _, _, length = _KEY.unpack(raw[: _KEY.size])
    except (ValueError, struct.error):
        return False
    return kind == _AES and length == KEY_BYTES and len(raw) == _KEY.size + KEY_BYTES and len(set(raw[12:])) > 4


def digest(key: str) -> str:
    """What tells keys apart and may be shown."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def key_in(keyring: str) -> str:
    """The first key in a keyring file; empty when there is none."""
    found = re.search(r"^\s*key\s*=\s*(\S+)", keyring, re.M)
    return found[1] if found else ""


def keyring(entries: Mapping[str, str], caps: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """A keyring file of entities and their keys."""
    blocks = []
    for entity, key in entries.items():
        lines = [f"[{entity}]", f"\tkey = {key}"]
        lines += [f'\tcaps {service} = "{text}"' for service, text in (caps or {}).get(entity, {}).items()]
        blocks.append("\n".join(lines) + "\n")
    return "".join(blocks)


# What the daemons that Holdfast starts are allowed, as Ceph's own documentation has it.
DAEMON_CAPS: Mapping[str, Mapping[str, str]] = {
    "mgr": {"mon": "allow profile mgr", "osd": "allow *", "mds": "allow *"},
    "mds": {"mon": "allow profile mds", "mgr": "allow profile mds", "osd": "allow rw tag cephfs *=*", "mds": "allow *"},
    "client.rgw": {"mon": "allow rw", "mgr": "allow rw", "osd": "allow rwx tag rgw *=*"},
}
# The pools of a gateway, and placement groups that do. Left to itself it makes each with 32.
RGW_POOLS: Mapping[str, int] = {
    ".rgw.root": 8,
    "default.rgw.log": 8,
    "default.rgw.control": 8,
    "default.rgw.meta": 8,
    "default.rgw.buckets.index": 8,
    "default.rgw.buckets.non-ec": 8,
    "default.rgw.buckets.data": 32,
}
ADMIN_CAPS = {"mon": "allow *", "osd": "allow *", "mgr": "allow *", "mds": "allow *"}
MON_CAPS = {"mon": "allow *"}
BOOTSTRAP_OSD_CAPS = {"mon": "allow profile bootstrap-osd"}

# -- capabilities -------------------------------------------------------------------------------------------------

_PROFILES = {
    "mon": {"rbd", "rbd-read-only", "fs-client", "role-definer", "simple-rados-client",
            "simple-rados-client-with-blocklist", "crash"},
    "osd": {"rbd", "rbd-read-only"},
    "mgr": {"rbd", "rbd-read-only", "crash"},
    "mds": set(),
}  # fmt: skip
_NAME = r"[A-Za-z0-9_.:-]+"
_SCOPES = {
    "mon": r"(?: fsname=NAME)?",
    "osd": r"(?: (?:pool[= ]NAME|namespace=NAME|tag NAME NAME=NAME|object_prefix NAME))*",
    "mgr": r"(?: (?:pool[= ]NAME|module[= ]NAME))*",
    "mds": r"(?: fsname=NAME)?(?: path=[A-Za-z0-9_./-]+)?",
}
_RIGHTS = {"mon": "r?w?x?", "osd": "r?w?x?(?:class-read|class-write)?", "mgr": "r?w?x?", "mds": "r?w?p?s?"}


def caps_problem(service: str, text: str) -> str:
    """What is wrong with a client's capabilities on mon, osd, mgr or mds; empty when nothing is.

    ``allow *`` in any form is for administrators and daemons. Ceph itself stores whatever it is given by an import, and
    complains afterwards.
    """
    if service not in _PROFILES:
        return f"{service!r} is not one of {', '.join(_PROFILES)}"
    if "*" in text or re.search(r"\b(any|all)\b", text):
        return "it allows everything"
    for grant in re.split(r"\s*[,;]\s*", text.strip()):
        scope = _SCOPES[service].replace("NAME", _NAME)
        profile = re.match(r"(?:allow )?profile (\S+)", grant)
        if profile:
            if profile[1] not in _PROFILES[service]:
                known = ", ".join(sorted(_PROFILES[service])) or "none"
                return f"{profile[1]!r} is no profile of {service} that a client may have ({known})"
            if not re.fullmatch(rf"(?:allow )?profile \S+{_SCOPES['osd'].replace('NAME', _NAME)}", grant):
                return f"{grant!r} cannot be read"
        elif not (rights := re.fullmatch(rf"allow (\S+){scope}", grant)) or not re.fullmatch(
            _RIGHTS[service], rights[1]
        ):
            return f"{grant!r} is not of the form 'allow RIGHTS' or 'profile NAME'"
        elif service == "mon" and set(rights[1]) >= set("rwx"):
            return f"it allows everything: with {grant!r} a client may make keys"
    return ""


def pools_in(text: str) -> list[str]:
    """The pools that capabilities name."""
    return re.findall(rf"pool[= ]({_NAME})", text)


def pools_tried(text: str) -> tuple[list[str], list[str]]:
    """The pools that a client's rights on data let it write, and those that it may only read, where a trial can tell.

    It cannot where the rights are on a part of a pool.
    """
    writes: list[str] = []
    reads: list[str] = []
    for grant in re.split(r"\s*[,;]\s*", text.strip()):
        if re.search(r" (namespace=|tag |object_prefix )", grant):
            continue
        rights = re.match(r"allow (\S+)", grant)
        may_write = "w" in rights[1] if rights else "profile rbd " in f"{grant} "
        (writes if may_write else reads).extend(pools_in(grant))
    return writes, [pool for pool in reads if pool not in writes]


def same_caps(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether capabilities are the same but for spaces and the order of what is granted."""
    return _plain(one) == _plain(other)


def _plain(caps: Mapping[str, str]) -> dict[str, str]:
    return {service: ", ".join(sorted(re.split(r"\s*,\s*", " ".join(text.split())))) for service, text in caps.items()}


# -- values of options --------------------------------------------------------------------------------------------

_IEC = {letter: 1024**power for power, letter in enumerate("BKMGTPE")}
_SI = {letter: 1000**power for power, letter in enumerate("BKMGTPE")}
_SPANS = {
    "s": 1, "sec": 1, "second": 1, "seconds": 1, "m": 60, "min": 60, "minute": 60, "minutes": 60, "h": 3600, "hr": 3600,
    "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400, "w": 604800, "wk": 604800, "week": 604800,
    "weeks": 604800, "mo": 2592000, "month": 2592000, "months": 2592000, "y": 31536000, "yr": 31536000,
    "year": 31536000, "years": 31536000,
}  # fmt: skip


def canonical(value: Any, kind: str) -> str:
    """A value as the cluster's database has it. ``kind`` is the option's type as Ceph tells it: size, secs, bool, ...

    Raises ValueError for a value that the type does not take.
    """
    text = ("true" if value else "false") if isinstance(value, bool) else str(value).strip()
    if kind == "bool":
        lowered = text.lower()
        if lowered in ("true", "yes", "on") or (lowered.isdigit() and int(lowered) != 0):
            return "true"
        if lowered in ("false", "no", "off", "0"):
            return "false"
        raise ValueError("neither true nor false")
    if kind == "size":
        return str(_number(text, _IEC))
    if kind in ("int", "uint"):
        return str(_number(text, _SI, signed=kind == "int"))
    if kind in ("float", "double"):
        return f"{float(text):.6f}"
    if kind == "secs":
        return str(_seconds(text))
    if kind == "millisecs":
        return str(int(text))
    return text


def _number(text: str, units: Mapping[str, int], *, signed: bool = False) -> int:
    match = re.fullmatch(r"(-?\d+)\s*(?:([KMGTPE])(i)?B?|B)?", text, re.I)
    if not match or (match[1].startswith("-") and not signed):
        raise ValueError("not a number")
    unit = (match[2] or "B").upper()
    return int(match[1]) * (_IEC if match[3] else units)[unit]


def _seconds(text: str) -> int:
    if re.fullmatch(r"\d+", text):
        return int(text)
    parts = re.findall(r"(\d+)\s*([a-z]+)", text.lower())
    if not parts or re.sub(r"\d+\s*[a-z]+|\s", "", text.lower()) or any(unit not in _SPANS for _, unit in parts):
        raise ValueError("not a span of time")
    return sum(int(number) * _SPANS[unit] for number, unit in parts)


# -- the labels of BlueStore --------------------------------------------------------------------------------------


def parse_label(block: bytes) -> dict[str, Any] | None:
    """What the first 4 KiB of a disk say of the OSD that is on it, or None when there is none.

    ``{osd_uuid, description, ceph_fsid, whoami, complete}``; of a disk for the journal or the database only the first
    two. The label holds the OSD's key too, which is left out.
    """
    if not block.startswith(_LABEL_MAGIC):
        return None
    try:
        return _label(block)
    except (struct.error, ValueError):
        return {"osd_uuid": "", "description": "unreadable", "ceph_fsid": None, "whoami": None, "complete": False}


def _label(block: bytes) -> dict[str, Any]:
    place = len(_LABEL_MAGIC) + 37 + 6  # the UUID as text with a newline, and versions and length of the structure
    osd_uuid = str(uuid.UUID(bytes=block[place : place + 16]))
    place += 16 + 8 + 8  # after it the size, and the time of birth

    def text() -> str:
        nonlocal place
        (length,) = struct.unpack_from("<I", block, place)
        place += 4 + length
        return block[place - length : place].decode()

    description = text()
    (count,) = struct.unpack_from("<I", block, place)
    place += 4
    meta = {text(): text() for _ in range(count)}
    return {
        "osd_uuid": osd_uuid,
        "description": description,
        "ceph_fsid": meta.get("ceph_fsid"),
        "whoami": int(meta["whoami"]) if meta.get("whoami", "").isdigit() else None,
        "complete": meta.get("mkfs_done") == "yes" and "ceph_fsid" in meta,
    }


def osd_uuid(fsid: str, host: str, device: str) -> str:
    """The UUID of the OSD that Holdfast makes on a device: a run that begins anew finds what an earlier one began."""
    return str(uuid.uuid5(uuid.UUID(fsid), f"{host}:{device}"))


def mon_host(addresses: Iterable[str], port: int) -> str:
    """The monitors as ceph.conf names them, by the second protocol only."""
    return ",".join(f"[v2:{address}:{port}]" for address in addresses)


# -- status -------------------------------------------------------------------------------------------------------


def status_summary(status: Mapping[str, Any]) -> dict[str, Any]:
    """``{health, osds: {total, up, in}, placement_groups: {state: count}, clean}`` of what ``ceph status`` answers."""
    osds = {name: int(status["osdmap"][f"num_{key}"]) for name, key in _OSD_COUNTS.items()}
    states = {row["state_name"]: int(row["count"]) for row in status["pgmap"].get("pgs_by_state", ())}
    whole = all(state.startswith("active+clean") for state in states)
    return {
        "health": status["health"]["status"],
        "osds": osds,
        "placement_groups": states,
        "clean": osds["up"] == osds["total"] and whole and bool(states),
    }


def told_since_return(osds: Iterable[Mapping[str, Any]], groups: Iterable[Mapping[str, Any]]) -> bool:
    """Whether what the manager says of each placement group is from after its OSDs came up.

    It hears of a change seconds later than the monitors, and until then calls clean what was clean before. ``osds`` are
    those of ``ceph osd dump``, ``groups`` those of ``ceph pg dump``.
    """
    since = {osd["osd"]: int(osd["up_from"]) for osd in osds}
    return all(
        int(group["reported_epoch"]) >= max((since.get(osd, 0) for osd in (*group["up"], *group["acting"])), default=0)
        for group in groups
    )


_OSD_COUNTS = {"total": "osds", "up": "up_osds", "in": "in_osds"}
