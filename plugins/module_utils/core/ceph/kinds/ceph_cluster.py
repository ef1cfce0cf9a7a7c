# SPDX-License-Identifier: Apache-2.0
"""What is the same for a whole Ceph cluster: options, keys and capabilities, failure domains, pools, file systems.

One host of the monitors reads it in one conversation with the cluster and changes it in another. Nothing is ever taken
away that nobody named: pools, keys and options that are not wanted stay. An OSD or a monitor leaves by its name only,
and when Ceph itself says that nothing is lost by it.
"""

from __future__ import annotations

import errno
import functools
import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ...base.system import STATE
from ...change import Change, Plan, wait_for
from ...errors import Finding, HoldfastError, Severity
from ...host_io import IO, Cluster
from .. import admin as ceph_admin
from .. import files as ceph_files
from .. import values as ceph

FORMED = f"{STATE}/ceph/formed"
ROOT = "default"
_AT_ONCE = 8
# How long a cluster may take to answer, in seconds: one that has done so before may be electing.
_PATIENCE, _PATIENCE_IF_FORMED = 5, 30
# Waves: what nothing else is needed for, hosts in their racks, rules, pools, file systems, and last what leaves.
_FIRST, _HOSTS, _RULES, _POOLS, _FILES, _LAST = range(6)


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "options": sorted({entry["name"] for entry in wanted.get("config") or ()}),
        "entities": [entry["entity"] for entry in wanted.get("keys") or ()],
        "files": bool(wanted.get("filesystems")),
        "remove_osds": [osd["uuid"] for osd in wanted.get("remove_osds") or ()],
        "remove_mons": list(wanted.get("remove_mons") or ()),
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """The cluster in one conversation.

    ``{reachable: False, formed, reason}`` where there is none yet, or it does not answer; ``formed`` says which.
    Otherwise
    ``{fsid, monitors, config: [[section, name, value]], options: {name: {type, ...} or None}, keys: {entity: {digest,
    caps}}, buckets: {name: {type, parent}}, rules: {name: {root, domain, class}}, classes, pools: {name: ...}, modules:
    {name: bool}, flags, files: {name: {metadata, data, max_mds}}, leaving: {uuid: {number, up, in, may_stop, safe}}}``.
    """
    if not ceph_admin.can_ask(io):
        return {"reachable": False, "formed": False, "reason": "It is not set up yet."}
    formed = io.exists(FORMED)
    try:
        patience = _PATIENCE_IF_FORMED if formed else _PATIENCE
        with ceph_admin.opened(io, patience) as cluster:
            return {"reachable": True, **_read(cluster, asked), "leaving": _read_leaving(io, cluster, asked, patience)}
    except HoldfastError as error:
        return {"reachable": False, "formed": formed, "reason": error.message}


def _read(cluster: Cluster, asked: dict[str, Any]) -> dict[str, Any]:
    osdmap = cluster.tell("osd dump")
    monmap = cluster.tell("mon dump")
    crush = cluster.tell("osd crush dump")
    modules = cluster.tell("mgr module ls")
    keys = {entity: _key(cluster, entity) for entity in asked["entities"]}
    rules = {rule["rule_id"]: _rule(rule, crush) for rule in crush["rules"]}
    return {
        "fsid": monmap["fsid"],
        "monitors": [monitor["name"] for monitor in monmap["mons"]],
        "config": [[e["section"], e["name"], e["value"], e.get("mask", "")] for e in cluster.tell("config dump")],
        "options": {name: _option(cluster, name) for name in asked["options"]},
        "keys": {
            entity: {"digest": ceph.digest(entry["key"]), "caps": entry["caps"]}
            for entity, entry in keys.items()
            if entry
        },
        "buckets": _standing_buckets(crush),
        "rules": {rule["name"]: rule for rule in rules.values()},
        "classes": sorted(cluster.tell("osd crush class ls") or ()),
        "pools": {pool["pool_name"]: _standing_pool(pool, rules) for pool in osdmap["pools"]},
        "modules": {
            **dict.fromkeys((module["name"] for module in modules["disabled_modules"]), False),
            **dict.fromkeys(modules["enabled_modules"], True),
            **dict.fromkeys(modules["always_on_modules"], True),
        },
        "flags": sorted(osdmap["flags_set"]),
        "files": ceph_files.read(cluster.tell("fs dump"), {pool["pool"]: pool["pool_name"] for pool in osdmap["pools"]})
        if asked["files"]
        else {},
    }


def _read_leaving(io: IO, cluster: Cluster, asked: Mapping[str, Any], patience: float) -> dict[str, dict[str, Any]]:
    """OSDs that are to leave, by UUID. Whether one may is the manager's to say."""
    if not asked["remove_osds"]:
        return {}
    leaving = [osd for osd in cluster.tell("osd dump")["osds"] if osd["uuid"] in asked["remove_osds"]]
    if not leaving:
        return {}
    with ceph_admin.with_manager(io, cluster, patience) as administrator:
        return {
            osd["uuid"]: {
                "number": osd["osd"],
                "up": bool(osd["up"]),
                "in": bool(osd["in"]),
                **_removable(administrator, osd["osd"]),
            }
            for osd in leaving
        }


def _key(cluster: Cluster, entity: str) -> dict[str, Any] | None:
    """One key and its capabilities, None where there is none: a cluster has a key for each OSD and each user's share.

    Raises HoldfastError when the cluster does not tell: without an answer a key would be made anew.
    """
    status, answer, said = cluster.ask("auth get", entity=entity)
    if status == -errno.ENOENT:
        return None
    if status != 0 or not answer:
        raise HoldfastError(f"Ceph refuses `auth get {entity}`: {said or 'error'} ({status}).")
    return dict(answer[0])


def _option(cluster: Cluster, name: str) -> dict[str, Any] | None:
    status, answer, _ = cluster.ask("config help", key=name)
    if status != 0 or not isinstance(answer, dict):
        return None
    return {key: answer.get(key) for key in ("type", "min", "max", "enum_values", "flags")}


def _standing_buckets(crush: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Type and parent of every bucket of the map, without the shadows of device classes."""
    plain = [bucket for bucket in crush["buckets"] if "~" not in bucket["name"]]
    parents = {item["id"]: bucket["name"] for bucket in plain for item in bucket["items"]}
    return {b["name"]: {"type": b["type_name"], "parent": parents.get(b["id"])} for b in plain}


def _rule(rule: Mapping[str, Any], crush: Mapping[str, Any]) -> dict[str, Any]:
    take: dict[str, Any] = next((step for step in rule["steps"] if step["op"] == "take"), {})
    choose: dict[str, Any] = next((step for step in rule["steps"] if step["op"].startswith("choose")), {})
    root, _, device_class = str(take.get("item_name", "")).partition("~")
    return {"name": rule["rule_name"], "root": root, "class": device_class or None, "domain": choose.get("type")}


def _standing_pool(pool: Mapping[str, Any], rules: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "size": pool["size"],
        "min_size": pool["min_size"],
        "pg_num": pool.get("pg_num_target", pool["pg_num"]),
        "autoscale": pool.get("pg_autoscale_mode", "off"),
        "target_size_ratio": float(pool.get("options", {}).get("target_size_ratio", 0)),
        "rule": rules.get(pool["crush_rule"], {}).get("name"),
        "applications": sorted(pool.get("application_metadata", {})),
        "quota_bytes": pool["quota_max_bytes"],
        "quota_objects": pool["quota_max_objects"],
    }


def _removable(cluster: Cluster, number: int) -> dict[str, bool]:
    stop, _, _ = cluster.ask("osd ok-to-stop", manager=True, ids=[str(number)])
    gone, answer, _ = cluster.ask("osd safe-to-destroy", manager=True, ids=[str(number)])
    safe = gone == 0 and isinstance(answer, dict) and number in answer.get("safe_to_destroy", ())
    return {"may_stop": stop == 0, "safe": safe}


# -- plan -----------------------------------------------------------------------------------------------------------

_EMPTY: dict[str, Any] = {
    "monitors": None, "config": [], "options": {}, "keys": {}, "buckets": {}, "rules": {}, "classes": [], "pools": {},
    "modules": {}, "flags": [], "files": {}, "leaving": {},
}  # fmt: skip


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """Before there is a cluster, all of it is planned.

    Of one that does not answer, nobody knows what it lacks: it is waited for, and what remains is planned then.
    """
    if not current["reachable"] and current["formed"]:
        return Plan([wait_for("the cluster", current["reason"], commands=[], wave=_FIRST)])
    now = current if current["reachable"] else {**_EMPTY, "fsid": wanted["fsid"]}
    findings: list[Finding] = []
    if now["fsid"] != wanted["fsid"]:
        what = f"The cluster that answers is {now['fsid']}, and this deployment's is {wanted['fsid']}."
        return Plan((), [_finding("fsid", wanted["host"], what, "Correct the addresses of the monitors.")])
    changes = [
        *_options(now, wanted, findings),
        *_keys(now, wanted),
        *_modules(now, wanted),
        *_map(now, wanted),
        *_rules(now, wanted, findings),
        *_pool_changes(now, wanted),
        *_files(now, wanted, findings),
        *_flags(now, wanted),
        *_leaving(now, wanted, findings),
    ]
    return Plan(changes, findings)


def _finding(code: str, where: str, what: str, fix: str, severity: Severity = "error") -> Finding:
    return Finding(severity, f"ceph_cluster.{code}", where, what, fix)


def _tell(prefix: str, *, stdin: str = "", **arguments: Any) -> dict[str, Any]:
    return {"prefix": prefix, "arguments": arguments, "stdin": stdin}


def _change(wave: int, subject: str, verb: str, before: str, after: str, *commands: dict[str, Any]) -> Change:
    """``wave``: changes of one wave do not need each other, and need those of the waves before."""
    return Change(subject, verb, before, after, {"commands": list(commands), "wave": wave})


def _options(now: dict[str, Any], wanted: dict[str, Any], findings: list[Finding]) -> Iterator[Change]:
    held = {(section, name): value for section, name, value, mask in now["config"] if not mask}
    for entry in wanted.get("config") or ():
        section, name, value = entry["section"], entry["name"], entry["value"]
        option = now["options"].get(name)
        text = _text(value)
        if now["options"] and option is None and not name.startswith("mgr/"):
            what = f"is no option of this version of Ceph (section {section})."
            findings.append(
                _finding("option", f"ceph_config.{section}.{name}", what, "Correct its name: ceph config ls.")
            )
            continue
        if option:
            try:
                text = ceph.canonical(value, option["type"])
            except ValueError as error:
                what = f"is {value!r}, which is {error}; the option's type is {option['type']}."
                findings.append(_finding("value", f"ceph_config.{section}.{name}", what, "Correct the value."))
                continue
        old = held.get((section, name))
        if old is not None and option:
            old = ceph.canonical(old, option["type"])
        if old != text:
            # An option of a module that no manager has loaded yet, or a value that it has only with another module.
            unknown = {"force": True} if name.startswith("mgr/") else {}
            command = _tell("config set", who=section, name=name, value=text, **unknown)
            yield _change(
                _FIRST, f"{section}/{name}", "update" if old is not None else "create", old or "", text, command
            )


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _keys(now: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Change]:
    """Keys come by an import, which stores whatever it is given, so it brings next to nothing, or what is held already.

    What is wanted goes by `auth caps`, which refuses what Ceph does not understand.
    """
    for entry in wanted.get("keys") or ():
        entity, caps = entry["entity"], entry["caps"]
        found = now["keys"].get(entity)
        words = [word for service, text in sorted(caps.items()) for word in (service, text)]
        commands = []
        if not found or found["digest"] != ceph.digest(entry["key"]):
            kept = found["caps"] if found and found["caps"] else {"mon": "allow r"}
            commands.append(_tell("auth import", stdin=ceph.keyring({entity: entry["key"]}, {entity: kept})))
        if not found or not ceph.same_caps(found["caps"], caps):
            commands.append(_tell("auth caps", entity=entity, caps=words))
        if commands:
            before = f"key {found['digest'][:8]}\n{_lines(found['caps'])}" if found else ""
            after = f"key {ceph.digest(entry['key'])[:8]}\n{_lines(caps)}"
            yield _change(_FIRST, entity, "update" if found else "create", before, after, *commands)


def _lines(caps: Mapping[str, str]) -> str:
    return "\n".join(f"{service}: {text}" for service, text in sorted(caps.items()))


def _modules(now: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Change]:
    for name, on in sorted((wanted.get("modules") or {}).items()):
        before = now["modules"].get(name)
        if before is None and not on and now["modules"]:
            continue
        if before != on:
            verb = "enable" if on else "disable"
            # One that no manager has told of yet is loaded when it has started.
            unknown = {"force": True} if on and before is None else {}
            command = _tell(f"mgr module {verb}", module=name, **unknown)
            yield _change(_FIRST, f"mgr module {name}", verb, "", verb, command)


def _map(now: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Change]:
    """Hosts in their racks, before a disk comes: an OSD joins its host's bucket where it stands."""
    for bucket in wanted.get("buckets") or ():
        name, kind, parent = bucket["name"], bucket["type"], bucket["parent"]
        found = now["buckets"].get(name)
        wave = _FIRST if kind == "rack" else _HOSTS
        parent_kind = "root" if parent == ROOT else next(b["type"] for b in wanted["buckets"] if b["name"] == parent)
        place = [f"{parent_kind}={parent}"]
        if found is None:
            commands = [
                _tell("osd crush add-bucket", name=name, type=kind),
                _tell("osd crush move", name=name, args=place),
            ]
            yield _change(wave, f"crush {kind} {name}", "create", "", f"in {parent}", *commands)
        elif found["parent"] != parent and not (kind == "host" and bucket.get("anywhere") and found["parent"]):
            command = _tell("osd crush move", name=name, args=place)
            yield _change(wave, f"crush {kind} {name}", "move", f"in {found['parent']}", f"in {parent}", command)


def _rules(now: dict[str, Any], wanted: dict[str, Any], findings: list[Finding]) -> Iterator[Change]:
    for rule in wanted.get("rules") or ():
        name, domain, device_class = rule["name"], rule["failure_domain"], rule.get("device_class")
        found = now["rules"].get(name)
        if found is None:
            commands = []
            if device_class and device_class not in now["classes"]:
                commands.append(_tell("osd crush class create", **{"class": device_class}))
            commands.append(
                _tell("osd crush rule create-replicated", name=name, root=ROOT, type=domain,
                      **({"class": device_class} if device_class else {}))
            )  # fmt: skip
            after = f"one copy for each {domain}{f' of class {device_class}' if device_class else ''}"
            yield _change(_RULES, f"crush rule {name}", "create", "", after, *commands)
        elif (found["domain"], found["class"], found["root"]) != (domain, device_class, ROOT):
            what = f"spreads over {found['domain']} of class {found['class']} below {found['root']}."
            fix = "Rename or remove the rule that somebody made by that name."
            findings.append(_finding("rule", f"crush rule {name}", what, fix))


def _pool_changes(now: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Change]:
    for pool in wanted.get("pools") or ():
        found = now["pools"].get(pool["name"])
        if found is None:
            yield _change(_POOLS, f"pool {pool['name']}", "create", "", "\n".join(_facts(pool)), *_new_pool(pool))
            continue
        differing = [] if pool.get("as_found") else list(_differences(pool, found))
        if differing:
            before = "\n".join(f"{name}: {_text(old)}" for name, old, _, _ in differing)
            after = "\n".join(f"{name}: {_text(new)}" for name, _, new, _ in differing)
            yield _change(
                _POOLS, f"pool {pool['name']}", "update", before, after, *(command for *_, command in differing)
            )


def _facts(pool: Mapping[str, Any]) -> Iterator[str]:
    for name in (
        "application",
        "size",
        "min_size",
        "rule",
        "pg_num",
        "target_size_ratio",
        "quota_bytes",
        "quota_objects",
    ):
        if pool.get(name):
            yield f"{name}: {pool[name]}"


def _new_pool(pool: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    name, ratio = pool["name"], pool.get("target_size_ratio")
    sizes = {"pg_num": pool["pg_num"], "pgp_num": pool["pg_num"]} if pool.get("pg_num") else {}
    # Names of pools that are Ceph's own begin with a dot.
    certain = {"yes_i_really_mean_it": True} if name.startswith(".") else {}
    yield _tell(
        "osd pool create", pool=name, pool_type="replicated", rule=pool["rule"], size=pool["size"],
        autoscale_mode="on" if ratio else "off", **sizes, **certain,
    )  # fmt: skip
    yield _set(name, "min_size", pool["min_size"])
    if ratio:
        yield _set(name, "target_size_ratio", ratio)
    yield _tell("osd pool application enable", pool=name, app=pool["application"])
    for quota in ("bytes", "objects"):
        if pool.get(f"quota_{quota}"):
            yield _quota(name, quota, pool[f"quota_{quota}"])


def _differences(pool: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any, dict[str, Any]]]:
    """What of a pool differs: its name, its value now and as wanted, and the command."""
    name = pool["name"]
    if pool["application"] not in found["applications"]:
        command = _tell("osd pool application enable", pool=name, app=pool["application"])
        yield "application", ", ".join(found["applications"]) or "none", pool["application"], command
    if found["rule"] != pool["rule"]:
        yield "rule", found["rule"], pool["rule"], _set(name, "crush_rule", pool["rule"])
    sizes = [(key, found[key], pool[key], _set(name, key, pool[key])) for key in ("size", "min_size")]
    # min_size may at no moment be larger than size.
    growing = pool["size"] >= found["size"]
    yield from (row for row in (sizes if growing else reversed(sizes)) if row[1] != row[2])
    ratio = float(pool.get("target_size_ratio") or 0)
    mode = "on" if ratio else "off"
    if found["autoscale"] != mode:
        yield "autoscale", found["autoscale"], mode, _set(name, "pg_autoscale_mode", mode)
    if abs(found["target_size_ratio"] - ratio) > 1e-6:
        yield "target_size_ratio", found["target_size_ratio"], ratio, _set(name, "target_size_ratio", ratio)
    if not ratio and pool.get("pg_num") and found["pg_num"] != pool["pg_num"]:
        yield "pg_num", found["pg_num"], pool["pg_num"], _set(name, "pg_num", pool["pg_num"])
    for quota in ("bytes", "objects"):
        old, new = found[f"quota_{quota}"], int(pool.get(f"quota_{quota}") or 0)
        if old != new:
            yield f"quota_{quota}", old, new, _quota(name, quota, new)


def _set(pool: str, variable: str, value: Any) -> dict[str, Any]:
    return _tell("osd pool set", pool=pool, var=variable, val=str(value))


def _quota(pool: str, what: str, value: int) -> dict[str, Any]:
    return _tell("osd pool set-quota", pool=pool, field=f"max_{what}", val=str(value))


def _files(now: dict[str, Any], wanted: dict[str, Any], findings: list[Finding]) -> Iterator[Change]:
    for subject, verb, before, after, commands in ceph_files.plan(
        now["files"], wanted.get("filesystems") or [], findings
    ):
        tell = (_tell(prefix, **arguments) for prefix, arguments in commands)
        yield _change(_FILES, subject, verb, before, after, *tell)


def _flags(now: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Change]:
    for flag, on in sorted((wanted.get("flags") or {}).items()):
        if (flag in now["flags"]) != on:
            verb = "set" if on else "unset"
            yield _change(_LAST, f"flag {flag}", verb, "", verb, _tell(f"osd {verb}", key=flag))


def _leaving(now: dict[str, Any], wanted: dict[str, Any], findings: list[Finding]) -> Iterator[Change]:
    """OSDs and monitors that leave: by name, and only as far as nothing is lost by it."""
    for named in wanted.get("remove_osds") or ():
        osd = now["leaving"].get(named["uuid"])
        if not osd:
            continue
        number = str(osd["number"])
        name = f"osd.{number} ({named['name']})"
        if osd["in"]:
            yield _change(_LAST, name, "empty", "in", "out: its data goes to others", _tell("osd out", ids=[number]))
        elif not osd["safe"]:
            what = "It still holds data that others do not have: Ceph does not call it safe to destroy yet."
            findings.append(_finding("draining", name, what, "Wait for the recovery, then run again.", "advice"))
        elif osd["up"] and not osd["may_stop"]:
            what = "Ceph does not call it safe to stop."
            findings.append(_finding("busy", name, what, "Wait for HEALTH_OK, then run again.", "advice"))
        else:
            stop = [_tell("osd stop", ids=[number])] if osd["up"] else []
            purge = _tell("osd purge-actual", id=int(number), yes_i_really_mean_it=True)
            yield _change(_LAST, name, "remove", "out, empty", "", *stop, purge)
    if now["monitors"] is None:
        return
    names = {monitor["name"] for monitor in wanted.get("monitors") or ()}
    for name in sorted(set(now["monitors"]) - names) if names else ():
        if name in (wanted.get("remove_mons") or ()):
            yield _change(
                _LAST,
                f"mon.{name}",
                "remove",
                "in the map",
                "",
                _tell("mon ok-to-rm", id=name),
                _tell("mon rm", name=name),
            )
        else:
            what = "It is a monitor of the cluster, and its host is not in ceph_mon."
            fix = f"Put the host back, or let it go: ceph_remove_mons: [{name}]."
            findings.append(_finding("vanished", f"mon.{name}", what, fix))


# -- apply ----------------------------------------------------------------------------------------------------------


def apply(io: IO, plan: Plan) -> None:
    """Change by change within a wave at once, wave after wave.

    Monitors agree once a second on all that was asked of them meanwhile, so commands that do not need each other wait
    together. Every command may be given twice: a run that was killed is repeated from its start.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ceph_admin.connected(io) as cluster, ThreadPoolExecutor(_AT_ONCE) as pool:
        io.write(FORMED, f"{cluster.tell('mon dump')['fsid']}\n", mode="0600")
        for _, wave in itertools.groupby(plan, key=lambda change: change.data["wave"]):
            # Asked for as a list, so that the first failure is raised after the others have ended.
            list(pool.map(functools.partial(_carry_out, cluster), list(wave)))


def _carry_out(cluster: Cluster, change: Change) -> None:
    for command in change.data["commands"]:
        _do(cluster, command)


def _do(cluster: Cluster, command: Mapping[str, Any]) -> None:
    cluster.tell(command["prefix"], stdin=command["stdin"], **command["arguments"])
    if command["prefix"] == "osd stop":
        _wait_down(cluster, int(command["arguments"]["ids"][0]))


def _wait_down(cluster: Cluster, number: int) -> None:
    deadline = time.monotonic() + 60
    while any(osd["osd"] == number and osd["up"] for osd in cluster.tell("osd dump")["osds"]):
        if time.monotonic() > deadline:
            raise HoldfastError(f"osd.{number} did not stop within 60 s. Fix: look at its journal, then run again.")
        time.sleep(0.5)
