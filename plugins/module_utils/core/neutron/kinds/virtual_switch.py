# SPDX-License-Identifier: Apache-2.0
"""The host's Open vSwitch: the bridges that it makes, their ports, and what OVN reads of it.

Read by one command and changed by one. Bridges that it made are marked as ours, and go when they are not wanted any
more; others, such as OVN's own, are left alone, as are other settings. A bridge's address is given by systemd-networkd
as soon as the switch has made the bridge (kind ``network``), at boot as well.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ...base.system import STATE
from ...change import Change, Plan, is_wait, wait_for
from ...errors import Finding, HoldfastError
from ...host_io import IO

VSCTL = "/usr/bin/ovs-vsctl"
NETWORKCTL = "/usr/bin/networkctl"
MADE = f"{STATE}/virtual_switch.made"
INTEGRATION = "br-int"
"""The bridge that OVN makes, to which instances are plugged."""
MARK = "holdfast"
WAIT_SECONDS = 60
ADDRESS_SECONDS = 30
SWITCH = "the switch"

_LISTED = (
    ("Open_vSwitch", "external_ids"),
    ("Bridge", "name,datapath_type,ports,external_ids"),
    ("Port", "_uuid,name"),
    ("Interface", "name,error"),
)


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "external_ids": sorted(wanted["external_ids"]),
        "addresses": sorted(address for bridge in wanted["bridges"] for address in bridge["addresses"]),
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{state, made, external_ids, bridges: {name: {datapath, ports, ours}}, errors: {port: reason}, addresses}``.

    ``state`` is ``absent`` where no switch answers; ``made`` is whether all was there once. ``external_ids`` are the
    asked ones that are set, ``addresses`` the asked ones that the host has.
    """
    current: dict[str, Any] = {"state": "absent", "made": io.exists(MADE), "external_ids": {}, "bridges": {}}
    current |= {"errors": {}, "addresses": []}
    if not io.exists(VSCTL):
        return current
    words = [word for table, columns in _LISTED for word in ("--", f"--columns={columns}", "list", table)]
    told = io.run([VSCTL, "--timeout=10", "--format=json", *words], check=False)
    if told.rc != 0:
        return current
    settings, bridges, ports, interfaces = (_rows(line) for line in told.out.strip().splitlines())
    names = {port["_uuid"]: port["name"] for port in ports}
    found = settings[0]["external_ids"] if settings else {}
    return {
        "state": "present",
        "made": current["made"],
        "external_ids": {name: found[name] for name in asked["external_ids"] if name in found},
        "bridges": {
            bridge["name"]: {
                "datapath": bridge["datapath_type"] or "system",
                "ports": sorted(names[port] for port in _set(bridge["ports"]) if names.get(port) != bridge["name"]),
                "ours": MARK in bridge["external_ids"],
            }
            for bridge in bridges
        },
        "errors": {one["name"]: str(one["error"]) for one in interfaces if _set(one["error"])},
        "addresses": [address for address in asked["addresses"] if io.has_address(address.partition("/")[0])],
    }


def _rows(line: str) -> list[dict[str, Any]]:
    """The rows of a table as ``ovs-vsctl --format=json`` prints it: values plain, references by their UUIDs."""
    table = json.loads(line)
    return [dict(zip(table["headings"], map(_plain, row), strict=True)) for row in table["data"]]


def _plain(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    form, content = value
    if form == "map":
        return {str(name): text for name, text in content}
    return [_plain(one) for one in content] if form == "set" else content


def _set(value: Any) -> list[Any]:
    """A set of one is written as that one."""
    return value if isinstance(value, list) else [value]


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    if current["state"] == "absent" and current["made"]:
        return Plan([wait_for(SWITCH, "openvswitch-switch.service does not answer.", wanted=wanted)])
    return Plan(tuple(_changes(current, wanted)), tuple(_findings(current, wanted)))


def _changes(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Change]:
    shared = {"wanted": wanted}
    kept = {bridge["name"] for bridge in wanted["bridges"]}
    for name, stands in sorted(current["bridges"].items()):
        if stands["ours"] and name not in kept:
            argv = ["--if-exists", "del-br", name]
            yield Change(name, "delete", _shown(stands), data={**shared, "argv": argv})
    for bridge in wanted["bridges"]:
        yield from _bridge(current, bridge, shared)
    before, after, argv = [], [], []
    for name, value in sorted(wanted["external_ids"].items()):
        stands = current["external_ids"].get(name, "")
        if stands != value:
            before += [f"{name}: {stands}"] if stands else []
            after += [f"{name}: {value}"] if value else []
            argv.append(_setting(name, value))
    if argv:
        words = [word for command in argv for word in ("--", *command)][1:]
        action = "update" if before else "create"
        yield Change(
            "what OVN reads of the host", action, "\n".join(before), "\n".join(after), {**shared, "argv": words}
        )


def _setting(name: str, value: str) -> list[str]:
    if not value:
        return ["remove", "Open_vSwitch", ".", "external_ids", name]
    return ["set", "Open_vSwitch", ".", f"external_ids:{name}={json.dumps(value)}"]


def _bridge(current: dict[str, Any], bridge: Mapping[str, Any], shared: dict[str, Any]) -> Iterator[Change]:
    name, port = bridge["name"], bridge["port"]
    stands = current["bridges"].get(name)
    after = f"datapath {bridge['datapath']}\nport {port}"
    make = ["--may-exist", "add-br", name, "--", "set", "Bridge", name]
    make += [f"datapath_type={bridge['datapath']}", f"external_ids:{MARK}=true"]
    plug = ["--may-exist", "add-port", name, port]
    if not stands:
        yield Change(name, "create", "", after, {**shared, "argv": [*make, "--", *plug]})
        return
    if stands["datapath"] != bridge["datapath"] or not stands["ours"]:
        yield Change(name, "update", _shown(stands), after, {**shared, "argv": make})
    if port not in stands["ports"]:
        yield Change(f"port {port} of {name}", "create", "", port, {**shared, "argv": plug})
    elif reason := current["errors"].get(port):
        again = ["--if-exists", "del-port", name, port, "--", *plug]
        yield Change(f"port {port} of {name}", "renew", reason, port, {**shared, "argv": again})
    if missing := [address for address in bridge["addresses"] if address not in current["addresses"]]:
        yield Change(name, "address", "", "\n".join(missing), {**shared, "reconfigure": name})


def _shown(bridge: Mapping[str, Any]) -> str:
    return "\n".join([f"datapath {bridge['datapath']}", *(f"port {port}" for port in bridge["ports"])])


def _findings(current: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Finding]:
    holders = {port: name for name, bridge in current["bridges"].items() for port in bridge["ports"]}
    for bridge in wanted["bridges"]:
        holder = holders.get(bridge["port"], bridge["name"])
        if holder != bridge["name"] and not current["bridges"][holder]["ours"]:
            yield Finding(
                "error",
                "switch.port-taken",
                bridge["port"],
                f"It is a port of the switch's bridge {holder} already, and is to be one of {bridge['name']}.",
                f"Free it (`ovs-vsctl del-port {holder} {bridge['port']}`), or name another port.",
            )
    stands = current["bridges"].get(INTEGRATION)
    chosen = wanted["external_ids"].get("ovn-bridge-datapath-type") or "system"
    if stands and stands["datapath"] != chosen and stands["ports"]:
        yield Finding(
            "error",
            "switch.datapath",
            INTEGRATION,
            f"Its packets are moved by {stands['datapath']}, and are to be moved by {chosen}: every instance on the "
            "host would be cut off.",
            "Set openvswitch_datapath to what it was. Or take all instances off the host, stop ovn-controller.service, "
            f"and remove the bridge (`ovs-vsctl del-br {INTEGRATION}`).",
        )


def apply(io: IO, plan: Plan) -> None:
    """The switch may just have been started: waits for it, and does what then still differs, in one command."""
    wanted = plan.changes[0].data["wanted"]
    asked = question(wanted)
    current = _wait(io, asked)
    if is_wait(plan):
        return
    if refused := tuple(_findings(current, wanted)):
        raise HoldfastError(" ".join(map(str, refused)), refused)
    changes = list(_changes(current, wanted))
    words = [word for change in changes if "argv" in change.data for word in ("--", *change.data["argv"])]
    if words:
        # It waits until the switch has done it.
        io.run([VSCTL, f"--timeout={WAIT_SECONDS}", *words])
    for change in changes:
        if "reconfigure" in change.data:
            io.run([NETWORKCTL, "reconfigure", change.data["reconfigure"]])
    _check_ports(read(io, asked), wanted)
    _wait_for_addresses(io, wanted)
    io.write(MADE, "", mode="0600")


def _wait(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        current = read(io, asked)
        if current["state"] == "present":
            return current
        if time.monotonic() > deadline:
            raise HoldfastError(
                f"The switch does not answer after {WAIT_SECONDS} s. Fix: see `journalctl -u ovsdb-server -u "
                "ovs-vswitchd` on the host, and run again."
            )
        time.sleep(0.5)


def _check_ports(current: dict[str, Any], wanted: dict[str, Any]) -> None:
    for bridge in wanted["bridges"]:
        if reason := current["errors"].get(bridge["port"]):
            raise HoldfastError(
                f"The switch can not take {bridge['port']} into {bridge['name']}: {reason}. Fix: name an interface "
                "that `ip link` shows on the host and that nothing else uses, and run again."
            )


def _wait_for_addresses(io: IO, wanted: dict[str, Any]) -> None:
    deadline = time.monotonic() + ADDRESS_SECONDS
    for bridge in wanted["bridges"]:
        for address in bridge["addresses"]:
            while not io.has_address(address.partition("/")[0]):
                if time.monotonic() > deadline:
                    raise HoldfastError(
                        f"{bridge['name']} has not got the address {address} after {ADDRESS_SECONDS} s. Fix: see "
                        f"`networkctl status {bridge['name']}` on the host, and run again."
                    )
                time.sleep(0.2)
