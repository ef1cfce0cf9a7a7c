# SPDX-License-Identifier: Apache-2.0
"""Ceph's monitors: the store of each, made once.

The monitors' stores are the cluster: two empty ones that find each other are a new cluster, which knows nothing of
the disks of the old one. So stores are made from nothing only where no monitor has answered for a cluster yet and no
disk belongs to one; afterwards a new monitor gets the cluster's own map, and joins or fails.

A store is made under another name, and renamed when it is whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...base.system import STATE
from ...change import Change, Plan
from ...errors import Finding, HoldfastError
from ...host_io import IO
from .. import values as ceph

STEP = "ceph_mon/ceph_mon"
OSD_STEP = "ceph_daemons/ceph_osd"

STORES = "/var/lib/ceph/mon"
FORMED = f"{STATE}/ceph/formed"
_CEPH = {"owner": "ceph", "group": "ceph"}


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"name": wanted["name"]}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{store, fsid, formed, key}``: whether there is a store, whose it is, whether its cluster ever answered here.

    ``fsid`` is None for a store that something else made, ``formed`` is the cluster's UUID, ``key`` the digest of the
    key that monitors have in common.
    """
    store = f"{STORES}/ceph-{asked['name']}"
    return {
        "store": io.exists(f"{store}/store.db"),
        "fsid": (io.read_text(f"{store}/ceph_fsid") or "").strip() or None,
        "formed": (io.read_text(FORMED) or "").strip() or None,
        "key": ceph.digest(key) if (key := ceph.key_in(io.read_text(f"{store}/keyring") or "")) else None,
    }


def join(host: str, answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The host's own state, with ``peers``: that of every monitor that answered; and ``disks``: what OSDs are whose."""
    peers = {name: answer[STEP] for name, answer in answers.items() if "error" not in answer.get(STEP, {"error": ""})}
    disks = [
        [label["ceph_fsid"], f"{name}:{device}"]
        for name, answer in sorted(answers.items())
        for device, disk in answer.get(OSD_STEP, {}).get("disks", {}).items()
        if (label := disk.get("label")) and label["ceph_fsid"]
    ]
    disks += [
        [part["ceph_fsid"], f"{name}:osd.{part['whoami']}"]
        for name, answer in sorted(answers.items())
        for part in answer.get(OSD_STEP, {}).get("lvm", {}).values()
    ]
    return {**answers[host][STEP], "peers": peers, "disks": disks}


def bootstraps(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether there is no cluster yet: none has answered on any monitor's host, and no disk belongs to it."""
    states = [current, *current.get("peers", {}).values()]
    return not any(state["formed"] == wanted["fsid"] for state in states) and not any(
        fsid == wanted["fsid"] for fsid, _ in current.get("disks", ())
    )


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """The store is made, or it is there. ``wanted["bootstrap"]`` says which way; by default the answers of all do."""
    name, fsid = wanted["name"], wanted["fsid"]
    path = f"{STORES}/ceph-{name}"
    if current["store"]:
        if current["fsid"] in (fsid, None):
            return Plan((), list(_other_key(current, wanted)))
        what = f"{path} belongs to the cluster {current['fsid']}, and this deployment's is {fsid}."
        return Plan(
            (), [_refusal("foreign", name, what, "Take the host out of ceph_mon, or move that directory away.")]
        )
    bootstrap = wanted.get("bootstrap")
    if bootstrap is None:
        bootstrap = bootstraps(current, wanted)
    findings = list(_lost(current, wanted, bootstrap))
    how = "a new cluster" if bootstrap else "joins the cluster"
    after = f"monitor {name} of {fsid} at {wanted['address']}, {how}"
    return Plan([Change(path, "create", "", after, {**wanted, "bootstrap": bootstrap})], findings)


def _other_key(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Finding]:
    key = next((entry["key"] for entry in wanted["keys"] if entry["entity"] == "mon."), None)
    if key and current.get("key") and current["key"] != ceph.digest(key):
        what = (
            "The secret ceph_mon_key is not the key that its monitor has: a monitor that is made anew could not join."
        )
        fix = f"Put the key of [mon.] in {STORES}/ceph-{wanted['name']}/keyring into the vault file; it is not rotated."
        yield _refusal("key", wanted["name"], what, fix)


def _lost(current: dict[str, Any], wanted: dict[str, Any], bootstrap: bool) -> list[Finding]:
    if "peers" not in current:
        return []
    peers = current["peers"]
    silent = [monitor["name"] for monitor in wanted["monitors"] if monitor["name"] not in peers]
    if silent:
        what = f"It has no store, and {', '.join(silent)} did not answer: nobody knows whether there is a cluster."
        return [_refusal("silent", wanted["name"], what, "Run without --limit, with all monitors reachable.")]
    if bootstrap or any(state["store"] for state in peers.values()):
        return []
    known = [place for fsid, place in current["disks"] if fsid == wanted["fsid"]]
    what = (
        f"No monitor has a store, and the cluster {wanted['fsid']} exists"
        f"{f': {known[0]} belongs to it' if known else ''}. A new one would not find the data."
    )
    fix = f"Restore {STORES} of a monitor, or rebuild it from the OSDs (ceph-objectstore-tool --op update-mon-db)."
    return [_refusal("lost", wanted["name"], what, fix)]


def _refusal(code: str, where: str, what: str, fix: str) -> Finding:
    return Finding("error", f"ceph_mon.{code}", where, what, fix)


def apply(io: IO, plan: Plan) -> None:
    for change in plan:
        _make(io, change.subject, dict(change.data))


def _make(io: IO, path: str, wanted: dict[str, Any]) -> None:
    name, address = wanted["name"], wanted["address"]
    if not io.has_address(address):
        raise HoldfastError(
            f"{name}: {address}, its address on Ceph's public network, is on no interface of the host: a monitor would "
            "not start. Fix: see that the bridge of the network storage is up (ip addr), then run again."
        )
    work = f"{STORES}/holdfast-{name}"
    io.run(["/usr/bin/rm", "-rf", "--", work])
    io.make_directory(work, mode="0700", **_CEPH)
    try:
        _make_in(io, work, path, wanted)
    finally:
        # Keys are in it.
        io.run(["/usr/bin/rm", "-rf", "--", work])


def _make_in(io: IO, work: str, path: str, wanted: dict[str, Any]) -> None:
    name, fsid = wanted["name"], wanted["fsid"]
    # The cluster has its keys from its first monitors.
    entries = [entry for entry in wanted["keys"] if wanted["bootstrap"] or entry["entity"] == "mon."]
    keys = {entry["entity"]: entry["key"] for entry in entries}
    io.write(
        f"{work}/keyring.new",
        ceph.keyring(keys, {e["entity"]: e["caps"] for e in entries}),
        mode="0600",
        **_CEPH,
    )
    monmap = f"{work}/monmap.new"
    if wanted["bootstrap"]:
        port = wanted["port"]
        members = [
            word
            for monitor in wanted["monitors"]
            for word in ("--addv", monitor["name"], f"[v2:{monitor['address']}:{port}]")
        ]
        io.run(["/usr/bin/monmaptool", "--create", "--clobber", "--fsid", fsid, *members, monmap])
    else:
        as_monitor = ("--name", "mon.", "--keyring", f"{work}/keyring.new")
        found = io.run(
            ["/usr/bin/ceph", *as_monitor, "--connect-timeout", "20", "mon", "getmap", "-o", monmap],
            check=False,
            timeout=60,
        )
        if found.rc != 0:
            raise HoldfastError(
                f"{name}: the cluster {fsid} does not answer, so a monitor cannot join it: {found.err.strip()[-300:]} "
                "Fix: bring a majority of its monitors up, then run again."
            )
    store = f"{work}/store"
    io.make_directory(store, mode="0750", **_CEPH)
    io.run(["/usr/bin/chown", "ceph:ceph", monmap])
    io.run([
        "/usr/bin/ceph-mon", "--mkfs", "--id", name, "--fsid", fsid, "--monmap", monmap, "--keyring",
        f"{work}/keyring.new", "--mon-data", store, "--setuser", "ceph", "--setgroup", "ceph",
    ])  # fmt: skip
    io.write(f"{store}/ceph_fsid", f"{fsid}\n", mode="0644", **_CEPH)
    io.rename(store, path)
