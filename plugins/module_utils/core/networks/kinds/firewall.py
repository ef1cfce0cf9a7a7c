# SPDX-License-Identifier: Apache-2.0
"""The firewall of a host's bridges: one nftables table, ``inet holdfast``, derived from the flow table.

What arrives on a bridge is dropped unless a flow has it there, from its own clients. Every packet of a flow is counted
by the counter of the flow's name, in both directions and before anything accepts it. Other interfaces and other tables
are left alone.

Servers that know who asks by the address alone are asked by certain users of a host only: others' connections are
dropped where they begin, those to the host's own server too. The numbers of these users are the host's, so it puts
them before the rules.

What stands is judged by the file that is loaded at boot and by what the kernel lists, against the listing that was
taken when the file was loaded: a rule that was changed by hand differs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...base.system import CONFINED, STATE, SYSTEMCTL
from ...change import Change, Plan
from ...errors import HoldfastError
from ...host_io import IO
from ...kind import Arm

_Names = dict[tuple[str, ...], str]

_VRRP = 112
"""The number of the protocol, since not every host has its name."""

NAME = "firewall"
SOURCE = "/etc/holdfast/firewall.nft"
LOADED = f"{STATE}/firewall.loaded"
UNIT = "holdfast-firewall.service"
NFT = "/usr/sbin/nft"

_UNIT_PATH = f"/etc/systemd/system/{UNIT}"
_ENABLED = f"/etc/systemd/system/sysinit.target.wants/{UNIT}"
# nftables.service flushes everything when it starts and stops: this one comes after it, and again with it.
_UNIT = f"""\
[Unit]
Description=Firewall of Holdfast's bridges
DefaultDependencies=no
After=local-fs.target nftables.service
PartOf=nftables.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
ConditionPathExists={SOURCE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={NFT} --file {SOURCE}
CapabilityBoundingSet=CAP_NET_ADMIN
RestrictAddressFamilies=AF_NETLINK AF_UNIX
{CONFINED}
[Install]
WantedBy=sysinit.target
"""
# IPv6 is closed but for this, without which a bridge's own IPv6 address would be useless to whoever adds one.
_NEIGHBOURS = "{ nd-neighbor-solicit, nd-neighbor-advert }"
_LIST = [NFT, "--stateless", "list", "table", "inet", "holdfast"]


def rendered(wanted: dict[str, Any]) -> dict[str, str]:
    return {SOURCE: render(wanted)}


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"source": _digest(render(wanted)), "users": _users(wanted)}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{source, loaded, recorded, unit, enabled}``: texts only where they are not what is expected, else None or True.

    ``source`` and ``loaded`` are True when they are as they should be, a text when they differ, None when missing;
    ``recorded`` is the listing taken when the file was loaded, given when ``loaded`` is a text.
    """
    source = io.read_text(SOURCE)
    numbers = _numbers(io, asked["users"])
    if source is not None:
        source = source.removeprefix(numbers)
    listed = io.run(_LIST, check=False)
    loaded = listed.out if listed.rc == 0 else None
    recorded = json.loads(io.read_text(LOADED) or "{}")
    as_recorded = loaded is not None and _blocks(recorded.get("listing") or "") == _blocks(loaded)
    current: dict[str, Any] = {
        "source": True if source is not None and _digest(source) == asked["source"] else source,
        "loaded": True if as_recorded and recorded.get("source") == asked["source"] else loaded,
        "recorded": None,
        "unit": io.read_text(_UNIT_PATH) == _UNIT,
        "enabled": io.exists(_ENABLED),
        "pending": any(io.exists(f"{STATE}/guard/{NAME}/{state}") for state in ("pending", "undoing")),
    }
    if current["loaded"] is not True:
        current["recorded"] = recorded.get("listing")
    return current


def _blocks(listing: str) -> list[str]:
    """The chains, sets and counters of a listing in an order of their own.

    The kernel lists them as they were made. What was added to a table in place comes last, and after a reboot where the
    file has it.
    """
    body = listing.strip().removeprefix("table inet holdfast {").removesuffix("}")
    return sorted(block.strip() for block in body.split("\n\n"))


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    text = render(wanted)
    data = {"text": text, "users": _users(wanted)}
    changes = []
    if current["pending"]:
        changes.append(Change(NAME, "undo", before="a change that was never confirmed", after="what was before it"))
    if current["source"] is not True:
        action = "create" if current["source"] is None else "update"
        changes.append(Change(SOURCE, action, current["source"] or "", text, data=data))
    if current["loaded"] is not True:
        before, after = current["loaded"] or "", current["recorded"] or ""
        if before == after or current["source"] is not True:
            before, after = ("loaded: an earlier version" if before else ""), f"loaded: {SOURCE}"
        changes.append(Change("table inet holdfast", "load", before, after, data=data))
    if not (current["unit"] and current["enabled"]):
        changes.append(Change(UNIT, "enable", after=_UNIT, data=data))
    return Plan(tuple(changes))


def apply(io: IO, plan: Plan, arm: Arm) -> None:
    """Load the rules at once or not at all, under a guard that brings the former ones back if nobody confirms.

    Counters keep their values. Raises HoldfastError, with nothing changed, when the kernel or nft refuses the rules.
    """
    data = next(step.data for step in plan if "text" in step.data)
    text = _numbers(io, data["users"]) + data["text"]
    if not io.exists(NFT):
        raise HoldfastError(f"{NFT} is missing. Fix: install the package nftables, which the phase packages does.")
    io.make_directory(STATE, mode="0700")
    io.run([NFT, "--check", "--file", "-"], stdin=text)
    before = io.run(_LIST, check=False)
    restore = (
        f"{NFT} delete table inet holdfast; {NFT} --file {SOURCE}"
        if before.rc == 0
        else f"{NFT} delete table inet holdfast"
    )
    undo = [f"{SYSTEMCTL} daemon-reload", restore]
    arm(paths=[SOURCE, LOADED, _UNIT_PATH, _ENABLED], undo=undo)
    stale = _stale(io, text)
    if io.run([NFT, "--file", "-"], stdin=text + stale, check=False).rc != 0:
        # Something by hand stands in the way of the change in place: begin anew, and lose what was counted.
        io.run([NFT, "--file", "-"], stdin=f"table inet holdfast\ndelete table inet holdfast\n{text}")
    io.write(SOURCE, text, mode="0640")
    io.write(LOADED, json.dumps({"source": _digest(data["text"]), "listing": io.run(_LIST).out}), mode="0600")
    if io.read_text(_UNIT_PATH) != _UNIT or not io.exists(_ENABLED):
        io.write(_UNIT_PATH, _UNIT)
        io.run([SYSTEMCTL, "--quiet", "enable", "--now", UNIT])


# -- the rules --------------------------------------------------------------------------------------------------


def render(wanted: Mapping[str, Any]) -> str:
    """The file for ``nft --file``: it replaces the rules of the table and keeps the values of its counters."""
    return "\n".join(_lines(wanted)) + "\n"


def _lines(wanted: Mapping[str, Any]) -> Iterator[str]:
    bridges = wanted["bridges"]
    chains = {bridge["bridge"]: bridge["network"] for bridge in bridges}
    sets, names_of = _sets(wanted)
    counters = list(dict.fromkeys(entry["id"] for entry in wanted["flows"]))
    counters += [f"{kind}_{network}" for network in chains.values() for kind in ("other", "dropped")]
    names = ["input", "forward", "output", "own_out"]
    names += [f"{network}_{way}" for network in chains.values() for way in ("in", "out")]
    hooks = {name: f"type filter hook {name} priority filter; policy accept; " for name in names[:3]}

    yield "# Written by Holdfast, which replaces it. Loaded by holdfast-firewall.service."
    yield "table inet holdfast {"
    for name in counters:
        yield f"    counter {name} {{ }}"
    for name in sets:
        yield f"    set {name} {{ type ipv4_addr; flags interval; auto-merge; }}"
    for name in names:
        yield f"    chain {name} {{ {hooks.get(name, '')}}}"
    yield "}"
    for name in names:
        yield f"flush chain inet holdfast {name}"
    for name, addresses in sets.items():
        yield f"flush set inet holdfast {name}"
        if addresses:
            yield f"add element inet holdfast {name} {{ {', '.join(addresses)} }}"
    yield "table inet holdfast {"
    for way, interface in (("input", "iifname"), ("output", "oifname")):
        suffix = "in" if way == "input" else "out"
        verdicts = ", ".join(f'"{bridge}" : jump {network}_{suffix}' for bridge, network in chains.items())
        if way == "output":
            verdicts += ', "lo" : jump own_out'
        yield from _chain(way, [f"{interface} vmap {{ {verdicts} }}"])
    yield from _chain("forward", _forward(chains))
    yield from _chain("own_out", _own(bridges, wanted["flows"]))
    for bridge in bridges:
        entries = [entry for entry in wanted["flows"] if entry["bridge"] == bridge["bridge"]]
        yield from _chain(f"{bridge['network']}_in", _input(bridge, entries, names_of))
        yield from _chain(f"{bridge['network']}_out", _output(bridge, entries, names_of))
    yield "}"


def _chain(name: str, rules: list[str]) -> Iterator[str]:
    if rules:
        yield f"    chain {name} {{"
        yield from (f"        {rule}" for rule in rules)
        yield "    }"


def _forward(chains: Mapping[str, str]) -> list[str]:
    """A host is no router between its bridges."""
    rules = []
    for bridge, network in chains.items():
        others = ", ".join(f'"{other}"' for other in chains if other != bridge)
        if others:
            rules.append(f'iifname "{bridge}" oifname {{ {others} }} counter name dropped_{network} drop')
    return rules


def _input(bridge: Mapping[str, Any], entries: list[Mapping[str, Any]], sets: _Names) -> list[str]:
    network = bridge["network"]
    drop = f"counter name dropped_{network} drop"
    rules = [f"ip saddr @{network}_spoofed {drop}"]
    if bridge["sources"]:
        rules.append(f"ip saddr != @{network}_sources {drop}")
    rules.append(f"ip daddr @{network}_elsewhere {drop}")
    for entry in entries:
        rules += _rules(entry, sets, network, incoming=True)
    return [
        *rules,
        f"meta nfproto ipv4 ct state established,related counter name other_{network} accept",
        f"icmpv6 type {_NEIGHBOURS} ip6 hoplimit 255 counter name other_{network} accept",
        drop,
    ]


def _output(bridge: Mapping[str, Any], entries: list[Mapping[str, Any]], sets: _Names) -> list[str]:
    network = bridge["network"]
    return [rule for entry in entries for rule in _rules(entry, sets, network, incoming=False)] + [
        f"counter name other_{network}"
    ]


def _rules(entry: Mapping[str, Any], sets: _Names, network: str, *, incoming: bool) -> list[str]:
    """One flow's rule in one direction; none when nobody is at the other end."""
    if entry["peers"] == []:
        return []
    server = entry["role"] == "server"
    near, far, toward_server = ("daddr", "saddr", server) if incoming else ("saddr", "daddr", not server)
    words = []
    if entry["peers"] is not None:
        words.append(f"ip {far} @{sets[tuple(entry['peers'])]}")
    elif entry["protocol"] in ("tcp", "udp"):
        words.append("meta nfproto ipv4")
    if entry["address"]:
        words.append(f"ip {near} {entry['address']}")
    if entry["protocol"] == "icmp":
        words.append(f"icmp type {'echo-request' if toward_server else 'echo-reply'}")
    elif entry["protocol"] == "vrrp":
        words.append(f"meta l4proto {_VRRP}")
    else:
        ports = ", ".join(map(str, entry["ports"]))
        ports = f"{{ {ports} }}" if len(entry["ports"]) > 1 else ports
        words.append(f"{entry['protocol']} {'dport' if toward_server else 'sport'} {ports}")
    if incoming and not server:
        words.append("ct state established,related")
    rules = [" ".join([*words, f"counter name {entry['id']} accept"])]
    if entry["users"] and toward_server and not incoming:
        rules.insert(0, " ".join([*words, _of_others(entry, network)]))
    return rules


def _own(bridges: Sequence[Mapping[str, Any]], entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """What a host's own processes may not ask of its servers."""
    networks = {bridge["bridge"]: bridge for bridge in bridges}
    rules = []
    for entry in entries:
        if entry["users"] and entry["role"] == "server":
            bridge = networks[entry["bridge"]]
            own = ", ".join([entry["address"]] if entry["address"] else bridge["addresses"])
            where = f"ip daddr {{ {own} }} {entry['protocol']} dport {{ {', '.join(map(str, entry['ports']))} }}"
            rules.append(f"{where} {_of_others(entry, bridge['network'])}")
    return rules


def _of_others(entry: Mapping[str, Any], network: str) -> str:
    """A connection that neither root nor one of the flow's users begins. What belongs to no process is none."""
    users = ", ".join(["0", *(f"$user_{user}" for user in entry["users"])])
    return f"ct state new meta skuid != {{ {users} }} counter name dropped_{network} drop"


def _users(wanted: Mapping[str, Any]) -> list[str]:
    return sorted({user for entry in wanted["flows"] for user in entry["users"]})


def _numbers(io: IO, users: Sequence[str]) -> str:
    """Lines for nft with the numbers of users. Root stands for one that the host does not have."""
    found = {user: io.run(["/usr/bin/id", "-u", user], check=False) for user in users}
    return "".join(f"define user_{user} = {said.out.strip() if said.rc == 0 else 0}\n" for user, said in found.items())


def _sets(wanted: Mapping[str, Any]) -> tuple[dict[str, list[str]], _Names]:
    """Sets of addresses by name, and the name of the set that has just these peers.

    Peers of several flows are one set, named after the first. The others are what may not be the source or the target
    of a packet on a bridge.
    """
    names: _Names = {}
    for entry in wanted["flows"]:
        if entry["peers"]:
            end = "clients" if entry["role"] == "server" else "servers"
            names.setdefault(tuple(entry["peers"]), f"{entry['id']}_{end}")
    sets = {name: list(peers) for peers, name in names.items()}
    for bridge in wanted["bridges"]:
        others = [other for other in wanted["bridges"] if other is not bridge]
        network = bridge["network"]
        sets[f"{network}_spoofed"] = [
            *bridge["addresses"],
            *(source for other in others for source in other["sources"] or other["addresses"]),
        ]
        sets[f"{network}_elsewhere"] = [address for other in others for address in other["addresses"]]
        if bridge["sources"]:
            sets[f"{network}_sources"] = bridge["sources"]
    return sets, names


def _stale(io: IO, text: str) -> str:
    """Statements that remove what the table has and ``text`` has not: chains, then sets and counters."""
    listed = io.run([NFT, "--json", "list", "table", "inet", "holdfast"], check=False)
    if listed.rc != 0:
        return ""
    kept = {tuple(line.split()[:2]) for line in text.splitlines() if line.startswith("    ")}
    found = [
        (kind, entry[kind]["name"])
        for entry in json.loads(listed.out)["nftables"]
        for kind in ("chain", "set", "counter")
        if kind in entry and (kind, entry[kind]["name"]) not in kept
    ]
    chains = [name for kind, name in found if kind == "chain"]
    statements = [f"flush chain inet holdfast {name}" for name in chains]
    statements += [f"delete {kind} inet holdfast {name}" for kind, name in sorted(found)]
    return "".join(f"{statement}\n" for statement in statements)


# -- from the model ---------------------------------------------------------------------------------------------


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
