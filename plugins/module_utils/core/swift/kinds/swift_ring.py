# SPDX-License-Identifier: Apache-2.0
"""Swift's rings: made and changed on one host, where the true builder is; ``swift_ring_copy`` takes them to the others.

``read`` gives every host's own rings and, when its builder is not as wanted, what changing it in memory would move.
``join`` puts the answers of all hosts together, so ``plan`` sees the whole deployment. Nothing is written before
``apply``, which writes the builder first and the ring after it: a builder newer than its ring is a run cut short.
"""

from __future__ import annotations

import array
import copy
import gzip
import hashlib
import io as streams
import json
import pickle
import struct
import sys
import time
import zlib
from collections.abc import Mapping
from typing import Any

from ...change import Change, Plan
from ...errors import HoldfastError
from ...host_io import IO
from .. import rings

STEP = "rings/swift_ring"
DISKS = "devices/disk"
DIRECTORY = "/etc/swift"
DEVICES = "/srv/node"
BACKUPS_KEPT = 20
ANCESTORS_KEPT = 50
DIST_PACKAGES = "/usr/lib/python3/dist-packages"
_MAX_CREATION_ROUNDS = 10


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "rings": wanted["rings"],
        "remove": wanted.get("remove") or [],
        "directory": wanted.get("directory") or DIRECTORY,
        "devices": wanted.get("devices") or DEVICES,
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{ring: {builder, file, data, simulation}}``, see ``rings.decide``. Writes nothing."""
    return {ring["name"]: _read_ring(io, ring, asked) for ring in asked["rings"]}


def _read_ring(io: IO, ring: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    path = f"{asked['directory']}/{ring['name']}"
    state: dict[str, Any] = {
        "builder": None,
        "file": _ring_file(io.read(f"{path}.ring.gz")),
        "data": [],
        "simulation": None,
    }
    content = io.read(f"{path}.builder")
    if content is None:
        state["data"] = _data(io, ring["name"], asked["devices"])
        return state
    try:
        builder = loaded(content)
        state["builder"] = _view(builder, hashlib.sha256(content).hexdigest())
    except Exception as error:  # a broken file may fail in any way, and each is the same finding
        state["builder"] = {"error": f"{type(error).__name__}: {error}"}
        return state
    steps, findings = rings.plan_ring(state["builder"], ring, asked["remove"])
    if not findings and any(step.verb in rings.MOVING for step in steps):
        state["simulation"] = _simulated(builder, [step.as_dict() for step in steps], ring["name"])
    return state


class _Plain(pickle.Unpickler):
    """Reads a builder: plain values and arrays of numbers, nothing that runs."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("array", "array"):
            return array.array
        if (module, name) == ("array", "_array_reconstructor"):
            return array._array_reconstructor  # type: ignore[attr-defined]
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which no builder does")


def loaded(content: bytes) -> dict[str, Any]:
    """What a builder file holds. Raises UnpicklingError for anything but a builder."""
    builder = _Plain(streams.BytesIO(content)).load()
    if not isinstance(builder, dict) or "part_power" not in builder:
        raise pickle.UnpicklingError("it is not a ring builder")
    return builder


def _view(builder: dict[str, Any], digest: str) -> dict[str, Any]:
    ours = builder.get("holdfast") or {}
    pending = ours.get("pending", 0)
    devices = [device for device in builder["devs"] if device is not None]
    return {
        "sha256": digest,
        "id": builder.get("id"),
        "version": builder["version"],
        "part_power": builder["part_power"],
        "replicas": builder["replicas"],
        "min_part_hours": builder["min_part_hours"],
        "unbalanced": bool(builder["devs_changed"] or builder["_remove_devs"]),
        "pending": pending,
        "due": bool(pending) and time.time() >= ours["not_before"],
        "ancestors": ours.get("ancestors"),
        "devices": [
            {
                "id": device["id"],
                "name": device.get("meta") or f"#{device['id']}",
                **{name: device[name] for name in ("device", "region", "zone", "ip", "port", "weight")},
                "replication_ip": device.get("replication_ip", device["ip"]),
                "replication_port": device.get("replication_port", device["port"]),
                "parts": device.get("parts", 0),
            }
            for device in devices
            if device not in builder["_remove_devs"]
        ],
    }


def _ring_file(content: bytes | None) -> dict[str, Any] | None:
    """Digest of a ring file and the version of the builder that it was written from."""
    if content is None:
        return None
    version = None
    try:
        start = zlib.decompressobj(wbits=31).decompress(content, 1 << 22)
        if start[:6] == b"R1NG\0\1":
            (length,) = struct.unpack("!I", start[6:10])
            version = json.loads(start[10 : 10 + length]).get("version")
    except (zlib.error, ValueError, struct.error):
        version = None
    return {"sha256": hashlib.sha256(content).hexdigest(), "version": version}


def _data(io: IO, ring: str, devices: str) -> list[str]:
    """Directories of the disks that hold something of the ring."""
    kind, _, index = ring.partition("-")
    name = f"{kind}s-{index}" if index else f"{kind}s"
    places = [f"{devices}/{device}/{name}" for device in io.listdir(devices)]
    return [place for place in places if io.listdir(place)]


def join(host: str, answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What plan looks at: the host itself and the answers of every host to this kind's question."""
    states = {}
    for name, answer in answers.items():
        if "error" in answer.get(STEP, {"error": ""}):
            continue
        unmounted = _unmounted(answer.get(DISKS) or {})
        more = {"unmounted": unmounted} if unmounted else {}
        states[name] = {ring: {**state, **more} for ring, state in answer[STEP].items()}
    return {"host": host, "states": states}


def _unmounted(answer: Mapping[str, Any]) -> list[str]:
    """Disks of Swift that an earlier run prepared to the end, and that are not mounted: as on a host installed anew."""
    return [
        f"{device} ({found['mount']})"
        for device, found in (answer.get("disks") or {}).items()
        if found["number"]
        and found["mount"].startswith(f"{DEVICES}/")
        and found["xfs"]
        and found["xfs"]["complete"]
        and not (found["holds"] or found["begun"] or found["mounted"])
    ]


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """What this host does: change the rings whose true builder it has, and give their files out.

    What is refused is said once, by the first host that answered.
    """
    hosts, states, host = wanted["hosts"], current["states"], current["host"]
    decisions = rings.decide(wanted, hosts, states)
    changes = []
    for decision in decisions:
        if decision.source != host:
            continue
        state = states[host][decision.ring]
        if decision.steps:
            changes.append(_change(decision, state, wanted))
        if decision.stale:
            data = {"ring": decision.ring, "directory": wanted.get("directory") or DIRECTORY}
            changes.append(Change(decision.ring, "publish", after=f"to {', '.join(decision.stale)}", data=data))
    speaker = next((name for name in hosts if name in states), None)
    findings = [finding for decision in decisions for finding in decision.findings] if speaker == host else []
    return Plan(changes, findings)


def _change(decision: rings.Decision, state: dict[str, Any], wanted: dict[str, Any]) -> Change:
    verbs = {step.verb for step in decision.steps}
    action = next((verb for verb in ("create", "rebalance", "resume", "write") if verb in verbs), "update")
    after = [step.after for step in decision.steps if step.after]
    if simulation := state["simulation"]:
        after += _movement(simulation)
    data = {
        "ring": decision.ring,
        "steps": [step.as_dict() for step in decision.steps],
        "directory": wanted.get("directory") or DIRECTORY,
        "limit": wanted["move_limit_percent"] if rings.is_limited(decision.steps) else 100,
        "base": (state["builder"] or {}).get("sha256"),
    }
    before = "\n".join(step.before for step in decision.steps if step.before)
    return Change(decision.ring, action, before, "\n".join(after), data)


def _movement(simulation: dict[str, Any]) -> list[str]:
    lines = [f"moves {simulation['moved_percent']:.1f} % of the ring"]
    if simulation["pending"]:
        lines[0] += f", of which {simulation['now_percent']:.1f} % now and the rest when min_part_hours have passed"
    return [*lines, f"balance {simulation['balance']:.2f} %, dispersion {simulation['dispersion']:.2f} %"]


# -- on the host, with Swift's own builder ----------------------------------------------------------------------


def _simulated(builder: dict[str, Any], steps: list[dict[str, Any]], ring: str) -> dict[str, Any]:
    """What the steps would move, by doing them to the builder in memory."""
    try:
        return _built(builder, steps, ring)[1]
    except HoldfastError as error:
        return {"error": error.message}


def _built(builder: dict[str, Any] | None, steps: list[dict[str, Any]], ring: str) -> tuple[Any, dict[str, Any]]:
    """The changed RingBuilder, and ``{moved_percent, now_percent, pending, not_before, balance, dispersion}``.

    ``moved_percent`` is the share of part-replicas that come to another device in the end; ``now_percent`` those that
    min_part_hours lets move at once. The random seed is the ring's name, so the same change gives the same ring.
    """
    if DIST_PACKAGES not in sys.path:
        sys.path.append(DIST_PACKAGES)
    try:
        from swift.common.exceptions import SwiftException
        from swift.common.ring.builder import RingBuilder
    except ImportError as error:
        raise HoldfastError(f"Swift is not installed ({error}).") from error
    try:
        if builder is None:
            made = RingBuilder(**next(step["value"] for step in steps if step["verb"] == "create"))
        else:
            made = RingBuilder.from_dict(copy.deepcopy(builder))
        old = _assignment(made)
        for step in steps:
            _do(made, step)
        if not any(step["verb"] in {"create", *rings.MOVING} for step in steps):
            return made, {"moved_percent": 0.0, **_remembered(builder or {})}
        made.rebalance(seed=ring)
        settled, pending = _settled(made, ring)
        for _ in range(_MAX_CREATION_ROUNDS if builder is None and pending else 0):
            made = settled
            settled, pending = _settled(made, ring)
        made.validate()
    except (SwiftException, ValueError) as error:
        raise HoldfastError(f"Swift's ring builder refuses it: {error}") from error
    return made, {
        "moved_percent": _moved(old, _assignment(settled if pending else made)),
        "now_percent": _moved(old, _assignment(made)),
        "pending": pending,
        "not_before": made._last_part_moves_epoch + made.min_part_hours * 3600,
        "balance": made.get_balance(),
        "dispersion": made.dispersion,
    }


def _remembered(builder: dict[str, Any]) -> dict[str, Any]:
    ours = builder.get("holdfast") or {}
    return {"pending": ours.get("pending", 0), "not_before": ours.get("not_before", 0)}


def _do(builder: Any, step: dict[str, Any]) -> None:
    verb, number, value = step["verb"], step["id"], step["value"]
    if verb == "add":
        builder.add_dev({**{name: item for name, item in value.items() if name != "name"}, "meta": value["name"]})
    elif verb == "remove":
        builder.remove_dev(number)
    elif verb == "set_info":
        builder.devs[number].update(value)
        builder.version += 1
    elif verb in ("set_weight", "set_zone", "set_region"):
        getattr(builder, verb.replace("set_", "set_dev_"))(number, value)
    elif verb == "set_replicas":
        builder.set_replicas(value)
    elif verb == "set_min_part_hours":
        builder.change_min_part_hours(value)
        builder.version += 1


def _settled(builder: Any, ring: str) -> tuple[Any, int]:
    """The builder as it is once min_part_hours have passed, and how many parts move until then.

    That is 0 when the ring gets no better by it. Better is what Swift's own tool takes for it: a balance better by a
    whole percent, or less dispersion.
    """
    later = copy.deepcopy(builder)
    later.pretend_min_part_hours_passed()
    changed, balance, _ = later.rebalance(seed=ring)
    better = builder.get_balance() - balance >= 1 or later.dispersion < builder.dispersion
    return later, int(changed) if better else 0


def _assignment(builder: Any) -> list[Any]:
    return [array.array("H", row) for row in builder._replica2part2dev or ()]


def _moved(old: list[Any], new: list[Any]) -> float:
    """Percent of the new part-replicas whose device did not hold the partition before. 0 for a new ring."""
    if not old:
        return 0.0
    moved = total = 0
    for part in range(len(new[0])):
        before = {row[part] for row in old if part < len(row)}
        devices = [row[part] for row in new if part < len(row)]
        moved += sum(device not in before for device in devices)
        total += len(devices)
    return 100.0 * moved / total


def apply(io: IO, plan: Plan) -> None:
    for change in plan:
        if change.action != "publish":
            _change_ring(io, dict(change.data))


def _change_ring(io: IO, data: dict[str, Any]) -> None:
    """Change a builder and write it, then its ring. Refuses when another hand changed it since it was planned."""
    ring, path = data["ring"], f"{data['directory']}/{data['ring']}"
    content = io.read(f"{path}.builder")
    digest = hashlib.sha256(content).hexdigest() if content is not None else None
    if digest != data["base"]:
        raise HoldfastError(f"{path}.builder changed since the plan was made. Nothing was written; run again.")
    if content is None and io.exists(f"{path}.ring.gz"):
        raise HoldfastError(f"{path}.ring.gz came into being since the plan was made. Nothing was written; run again.")
    old = loaded(content) if content is not None else None
    steps = [step for step in data["steps"] if step["verb"] != "write"]
    made, result = _built(old, steps, ring)
    if result["moved_percent"] > data["limit"]:
        moved = f"{result['moved_percent']:.1f} % would move, more than {data['limit']:g} %"
        raise HoldfastError(f"ring {ring}: {moved}. Nothing was written.")
    if steps:
        content = _saved(made, old, digest, result)
        save(io, data["directory"], ring, "builder", content)
    save(io, data["directory"], ring, "ring.gz", _ring_bytes(made, ring))


def _saved(builder: Any, old: dict[str, Any] | None, digest: str | None, result: dict[str, Any]) -> bytes:
    """A builder as Swift's tool reads it, with what we remember beside: where it came from and what it waits for."""
    known = ((old or {}).get("holdfast") or {}).get("ancestors", [])
    ours = {
        "ancestors": [*known, *([digest] if digest else [])][-ANCESTORS_KEPT:],
        "pending": result["pending"],
        "not_before": result["not_before"],
    }
    plain = builder.to_dict()
    if plain["id"] is None:
        with open("/proc/sys/kernel/random/uuid") as stream:
            plain["id"] = stream.read().strip().replace("-", "")
    return pickle.dumps({**plain, "holdfast": ours}, protocol=2)


def _ring_bytes(builder: Any, ring: str) -> bytes:
    """The ring file. The same ring gives the same bytes, so digests on the hosts can be compared."""
    target = streams.BytesIO()
    with gzip.GzipFile(f"{ring}.ring", "wb", fileobj=target, mtime=0) as stream:
        builder.get_ring().serialize_v1(stream)
    return target.getvalue()


def save(io: IO, directory: str, ring: str, kind: str, content: bytes) -> None:
    """Write a builder or ring file whole or not at all; a builder also goes to the backups, which are pruned."""
    if kind == "builder":
        version = loaded(content)["version"]
        backups = f"{directory}/backups"
        name = f"{ring}.{version:06d}-{hashlib.sha256(content).hexdigest()[:12]}.builder"
        io.write(f"{backups}/{name}", content, mode="0640", group="swift")
        kept = [entry for entry in io.listdir(backups) if entry.startswith(f"{ring}.") and entry.endswith(".builder")]
        for entry in kept[:-BACKUPS_KEPT]:
            io.remove(f"{backups}/{entry}")
    io.write(f"{directory}/{ring}.{kind}", content, mode="0640", group="swift")
