# SPDX-License-Identifier: Apache-2.0
"""Swift rings, planned on plain values: which builder is the true one, what changes in it, and what is refused.

Nothing here computes an assignment of partitions; that is RingBuilder's, on a host. A ring is changed only by steps
that keep a device's number, and a device leaves only when it is named.

A *view* of a builder, as the host's probe gives it::

    {sha256, id, version, part_power, replicas, min_part_hours, unbalanced, pending, due, ancestors,
     devices: [{id, name, device, region, zone, ip, port, replication_ip, replication_port, weight, parts}]}

``name`` is ``host/device``, kept in the builder's field meta. ``pending`` is how many partitions wait for
min_part_hours, ``due`` whether they waited long enough, ``ancestors`` the digests of the builders it came from, or
None when it was last saved by another tool.

A *wanted* ring::

    {name, part_power, replicas, min_part_hours, erasure_coded,
     devices: [{name, device, region, zone, ip, port, replication_ip, replication_port, weight}]}

A zone that is None is that of the host's other devices in the ring, or a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import Finding

ADDRESSES = ("ip", "port", "replication_ip", "replication_port")
BACKUPS = "/var/backups/swift"

# Steps after which partitions must be assigned anew.
MOVING = frozenset({"add", "remove", "set_weight", "set_zone", "set_region", "set_replicas", "rebalance", "resume"})


@dataclass(frozen=True)
class Step:
    """One change of a builder. ``verb``: create, add, remove, set_info, set_weight, set_zone, set_region,
    set_replicas, set_min_part_hours, rebalance, resume (what min_part_hours held back, allowed when it was planned)
    or write. ``device`` is the device's name, ``id`` its number.
    """

    verb: str
    device: str = ""
    id: int | None = None
    value: Any = None
    before: str = ""
    after: str = ""

    def as_dict(self) -> dict[str, Any]:
        """What a host is told to do."""
        return {"verb": self.verb, "device": self.device, "id": self.id, "value": self.value}


@dataclass(frozen=True)
class Decision:
    """What becomes of one ring in a deployment.

    ``source`` is the host whose builder is the true one and is changed by ``steps``; None when the ring is refused.
    ``stale`` are the hosts that need a copy of its files afterwards.
    """

    ring: str
    source: str | None
    steps: Sequence[Step] = ()
    stale: Sequence[str] = ()
    findings: Sequence[Finding] = field(default=())


def plan_ring(
    view: Mapping[str, Any] | None, wanted: Mapping[str, Any], remove: Sequence[str]
) -> tuple[list[Step], list[Finding]]:
    """The steps from a builder, or none, to the wanted ring, and what forbids them.

    ``remove`` names devices (``host/device``) that leave the ring, whether the inventory still has them or not.
    """
    ring = str(wanted["name"])
    devices = [device for device in wanted["devices"] if device["name"] not in remove]
    findings = _impossible(ring, wanted, devices)
    if view is None:
        zoned = _zoned(devices, [])
        settings = {name: wanted[name] for name in ("part_power", "replicas", "min_part_hours")}
        text = f"2^{wanted['part_power']} partitions, {_number(wanted['replicas'])} replicas"
        steps = [Step("create", value=settings, after=text), *(_addition(device) for device in zoned)]
        return steps, findings
    findings += _forbidden(ring, view, wanted)
    old_devices = _recognised(view["devices"], wanted["devices"])
    known = {device["name"]: device for device in old_devices}
    steps = []
    if view["min_part_hours"] != wanted["min_part_hours"]:
        steps.append(_setting("min_part_hours", view, wanted))
    if view["replicas"] != wanted["replicas"]:
        steps.append(_setting("replicas", view, wanted))
    named = {device["name"] for device in wanted["devices"]}
    vanished = []
    for old in old_devices:
        if old["name"] in remove:
            text = f"{old['name']}: weight {_number(old['weight'])}, {old['parts']} partitions"
            steps.append(Step("remove", old["name"], old["id"], before=text))
        elif old["name"] not in named:
            vanished.append(old["name"])
    if vanished:
        findings.append(_vanished(ring, vanished))
    zoned = _zoned(devices, old_devices)
    for device in zoned:
        if device["name"] in known:
            steps += _differences(known[device["name"]], device)
    steps += [_addition(device) for device in zoned if device["name"] not in known]
    if not any(step.verb in MOVING for step in steps):
        if view["unbalanced"]:
            steps.append(Step("rebalance", before="changed by hand and not rebalanced", after="assigned anew"))
        elif view["due"]:
            steps.append(
                Step("resume", before=f"{view['pending']} partitions wait", after="min_part_hours have passed")
            )
    return steps, findings


def _recognised(old: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The builder's devices by the names that we give them; ``meta`` is the name that stands in the builder.

    A builder that another tool made knows no names of ours: its devices are found by address and directory.
    """
    places = {(device["ip"], device["device"]): device["name"] for device in wanted}
    taken = {device["name"] for device in old}
    result = []
    for device in old:
        name = device["name"]
        if "/" not in name and places.get((device["ip"], device["device"]), name) not in taken:
            name = places[device["ip"], device["device"]]
        result.append({**device, "name": name, "meta": device["name"]})
    return result


def _zoned(devices: Sequence[Mapping[str, Any]], old: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The devices with every zone filled in: as it was, that of the host's other devices, or the next unused one."""
    zones: dict[str, int] = {}
    by_name: dict[str, int] = {}
    for device in old:
        by_name[device["name"]] = device["zone"]
        zones.setdefault(device["name"].partition("/")[0], device["zone"])
    used = {device["zone"] for device in [*old, *devices] if device["zone"] is not None}
    result = []
    for device in devices:
        host = device["name"].partition("/")[0]
        zone = device["zone"] if device["zone"] is not None else by_name.get(device["name"], zones.get(host))
        if zone is None:
            zone = next(number for number in range(1, len(used) + 2) if number not in used)
        used.add(zone)
        if device["zone"] is None:
            zones.setdefault(host, zone)
        result.append({**device, "zone": zone})
    return result


def _addition(device: Mapping[str, Any]) -> Step:
    text = f"{device['name']}: region {device['region']} zone {device['zone']}, {_place(device)}, "
    return Step("add", device["name"], value=dict(device), after=f"{text}weight {_number(device['weight'])}")


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Step]:
    steps = []
    name, number = new["name"], old["id"]
    if old["meta"] != name or any(old[key] != new[key] for key in (*ADDRESSES, "device")):
        info = {**{key: new[key] for key in (*ADDRESSES, "device")}, "meta": name}
        before, after = f"{old['meta']}: {_place(old)}", f"{name}: {_place(new)}"
        steps.append(Step("set_info", name, number, info, before, after))
    for key in ("region", "zone", "weight"):
        if float(old[key]) != float(new[key]):
            before, after = (f"{name}: {key} {_number(device[key])}" for device in (old, new))
            steps.append(Step(f"set_{key}", name, number, new[key], before, after))
    return steps


def _setting(key: str, view: Mapping[str, Any], wanted: Mapping[str, Any]) -> Step:
    before, after = (f"{key} {_number(ring[key])}" for ring in (view, wanted))
    return Step(f"set_{key}", value=wanted[key], before=before, after=after)


def _place(device: Mapping[str, Any]) -> str:
    own = f"{device['ip']}:{device['port']}"
    return f"{own} (replication {device['replication_ip']}:{device['replication_port']}) {device['device']}"


def _number(value: float) -> str:
    return f"{value:g}"


# -- refusals ---------------------------------------------------------------------------------------------------


def _impossible(ring: str, wanted: Mapping[str, Any], devices: Sequence[Mapping[str, Any]]) -> list[Finding]:
    findings = []
    holding = [device for device in devices if device["weight"] > 0]
    if len(holding) < wanted["replicas"]:
        needs = f"{_number(wanted['replicas'])} replicas need as many devices; {len(holding)} with a weight are left."
        findings.append(_error("too_few_devices", ring, needs, "Add disks (swift_disks), or lower the replicas."))
    names = [device["name"] for device in devices]
    for name in sorted({name for name in names if names.count(name) > 1}):
        findings.append(_error("twice", ring, f"{name} is listed twice.", "Name each device once."))
    return findings


def _forbidden(ring: str, view: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Finding]:
    findings = []
    if view["part_power"] != wanted["part_power"]:
        what = f"the ring has part power {view['part_power']}, and {wanted['part_power']} is asked for: every object "
        fix = f"Set swift_part_power back to {view['part_power']}."
        findings.append(_error("part_power", ring, what + "would be looked for where it is not.", fix))
    if view["replicas"] != wanted["replicas"]:
        fix = f"Set them back to {_number(view['replicas'])}."
        if wanted["erasure_coded"]:
            what = "the fragments of an erasure-coded policy cannot change: its objects could not be read any more."
            findings.append(_error("fragments", ring, what, f"{fix} Make a new policy for other fragments."))
        elif wanted["replicas"] < view["replicas"]:
            what = f"{_number(wanted['replicas'])} replicas instead of {_number(view['replicas'])} would delete copies."
            findings.append(_error("fewer_replicas", ring, what, fix))
    return findings


def _vanished(ring: str, names: Sequence[str]) -> Finding:
    what = f"{', '.join(sorted(names))} hold{'s' if len(names) == 1 else ''} data and left the inventory."
    fix = (
        "Put the host or disk back (swift_disks, group swift_storage), or, if it shall leave for good, say so: "
        f"swift_remove_devices: [{', '.join(sorted(names))}]."
    )
    return _error("vanished", ring, what, fix)


def _error(code: str, ring: str, what: str, fix: str) -> Finding:
    return Finding("error", f"swift_ring.{code}", f"ring {ring}", what, fix)


# -- a deployment -----------------------------------------------------------------------------------------------


def decide(wanted: Mapping[str, Any], hosts: Sequence[str], states: Mapping[str, Mapping[str, Any]]) -> list[Decision]:
    """A decision for each wanted ring.

    Args:
        wanted: ``{rings, remove, move_limit_percent}``.
        hosts: every host that has the rings, the preferred one first.
        states: what each of them answered, ``{ring: {builder, file, data, simulation}}``: ``builder`` is a view,
            ``{"error": reason}`` or None; ``file`` is ``{sha256, version}`` of the ring file or None; ``data`` lists
            directories with data of the ring, and ``unmounted``, which may be missing, disks that may have some;
            ``simulation`` is what changing the builder in memory gave.
    """
    answered = [host for host in hosts if host in states]
    return [
        _decide(ring, wanted, hosts, {host: states[host][ring["name"]] for host in answered})
        for ring in wanted["rings"]
    ]


def _decide(
    ring: Mapping[str, Any], wanted: Mapping[str, Any], hosts: Sequence[str], states: Mapping[str, Mapping[str, Any]]
) -> Decision:
    name = str(ring["name"])
    source, findings = _true_builder(name, states)
    remove = wanted.get("remove") or ()
    if not findings and source is not None:
        findings = _older_than_ring(name, states[source]["builder"]["version"], states)
    if findings:
        return Decision(name, None, findings=findings)
    if source is None:
        findings = _not_to_be_created(name, hosts, states)
        steps, impossible = plan_ring(None, ring, remove)
        findings += impossible
        if findings:
            return Decision(name, None, findings=findings)
        first = next(iter(states))
        return Decision(name, first, steps, [host for host in states if host != first])
    state = states[source]
    steps, findings = plan_ring(state["builder"], ring, remove)
    if not findings and steps and 2 * len(states) < len(hosts):
        findings = [_unasked(name, hosts, states, "whether a newer builder is there")]
    if not findings and is_limited(steps):
        findings = _movement(name, source, state["simulation"] or {}, wanted["move_limit_percent"])
    if any(finding.severity == "error" for finding in findings):
        return Decision(name, None, findings=findings)
    if state["builder"]["pending"] and not state["builder"]["due"]:
        findings.append(_waiting(name, state["builder"]["pending"]))
    if not steps and (state["file"] is None or state["file"]["version"] != state["builder"]["version"]):
        steps = [Step("write", before="older than its builder" if state["file"] else "", after="as its builder")]
    changed = bool(steps)
    stale = [
        host for host, other in states.items() if host != source and (changed or _digests(other) != _digests(state))
    ]
    return Decision(name, source, steps, stale, findings)


def is_limited(steps: Sequence[Step]) -> bool:
    """Whether the limit of what may move concerns the steps: it was kept already when the rest of a move comes due."""
    return any(step.verb in MOVING and step.verb != "resume" for step in steps)


def _digests(state: Mapping[str, Any]) -> tuple[str | None, str | None]:
    builder, file = state["builder"], state["file"]
    return builder and builder.get("sha256"), file and file["sha256"]


def _true_builder(ring: str, states: Mapping[str, Mapping[str, Any]]) -> tuple[str | None, list[Finding]]:
    """The first host that has the newest builder, when all others are older states of the same one."""
    builders = {host: state["builder"] for host, state in states.items() if state["builder"]}
    for host, builder in builders.items():
        if "error" in builder:
            what = f"the builder on {host} cannot be read: {builder['error']}"
            fix = f"Move {ring}.builder on {host} away; it is copied again from another host, or see {BACKUPS} there."
            return None, [_error("unreadable", ring, what, fix)]
    if not builders:
        return None, []
    source = max(builders, key=lambda host: builders[host]["version"])
    newest = builders[source]
    for host, builder in builders.items():
        if builder["sha256"] == newest["sha256"]:
            continue
        ancestors = newest["ancestors"]
        older = builder["id"] == newest["id"] and builder["version"] < newest["version"]
        if not older or (ancestors is not None and builder["sha256"] not in ancestors):
            what = (
                f"{source} and {host} have builders of which neither came from the other "
                f"(version {newest['version']} and {builder['version']})."
            )
            fix = (
                f"Find out which one the cluster runs with (compare {ring}.ring.gz on the hosts with swift-recon "
                f"--md5), and move {ring}.builder away on the hosts that have the other."
            )
            return None, [_error("diverged", ring, what, fix)]
    return next(host for host in builders if builders[host]["sha256"] == newest["sha256"]), []


def _not_to_be_created(ring: str, hosts: Sequence[str], states: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Why a ring without a builder must not be made anew."""
    existing = [host for host, state in states.items() if state["file"]]
    data = [f"{host}:{path}" for host, state in states.items() for path in state["data"]]
    unmounted = [f"{host}:{disk}" for host, state in states.items() for disk in state.get("unmounted") or ()]
    lost = f"A new ring would look for the data elsewhere. Restore {ring}.builder on one of the hosts, from {BACKUPS} "
    lost += "on any host that had it or from your backups, then run again."
    if existing:
        what = f"the ring is in use on {', '.join(existing)} and its builder is on no host."
        return [_error("lost_builder", ring, what, lost)]
    if data:
        places = ", ".join(data[:4]) + (", ..." if len(data) > 4 else "")
        what = f"there is data of it ({places}), but neither ring nor builder."
        return [_error("lost_ring", ring, what, f"{lost} If the data may be lost, empty the disks first.")]
    if unmounted:
        what = f"nobody knows what is on disks that were prepared before and are not mounted: {', '.join(unmounted)}."
        fix = "Mount them there by hand and run again; empty those whose data may be lost."
        return [_error("unknown_data", ring, what, fix)]
    if len(states) < len(hosts):
        return [_unasked(ring, hosts, states, "whether the ring exists there")]
    return []


def _unasked(ring: str, hosts: Sequence[str], states: Mapping[str, Any], question: str) -> Finding:
    what = f"{', '.join(host for host in hosts if host not in states)} cannot be asked {question}."
    return _error("unasked", ring, what, "Run without --limit, with all Swift hosts up, until the rings are made.")


def _older_than_ring(ring: str, version: int, states: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """A builder is written before its ring, so one that is older than a ring is an old state that came back."""
    versions = {host: state["file"]["version"] or 0 for host, state in states.items() if state["file"]}
    newer = [host for host, number in versions.items() if number > version]
    if not newer:
        return []
    used = f"the ring in use on {', '.join(newer)} has version {max(versions.values())}"
    what = f"{used} and its builder {version}: an older state, by which data would be looked for elsewhere."
    fix = f"Restore {ring}.builder of the ring's version, from {BACKUPS} on any Swift host or from your backups."
    return [_error("old_builder", ring, what, fix)]


def _movement(ring: str, source: str, simulation: Mapping[str, Any], limit: float) -> list[Finding]:
    if "moved_percent" not in simulation:
        what = f"what would move cannot be computed on {source}: {simulation.get('error', 'no answer')}"
        return [
            _error("unknown_movement", ring, what, f"Make `python3 -c 'import swift.common.ring'` work on {source}.")
        ]
    if simulation["moved_percent"] > limit:
        what = f"{simulation['moved_percent']:.1f} % of the ring would move, more than the limit of {_number(limit)} %."
        fix = (
            'If that is meant, allow it for this run: -e \'{"swift_move_limit_percent": '
            f"{int(simulation['moved_percent']) + 1}}}'. Smaller steps: raise or lower weights bit by bit."
        )
        return [_error("moves_too_much", ring, what, fix)]
    return []


def _waiting(ring: str, pending: int) -> Finding:
    return Finding(
        "advice",
        "swift_ring.pending",
        f"ring {ring}",
        f"{pending} partitions wait until min_part_hours have passed since the last change.",
        "Run site.yml again then; until then it changes nothing.",
    )
