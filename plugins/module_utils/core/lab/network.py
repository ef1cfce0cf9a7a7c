# SPDX-License-Identifier: Apache-2.0
"""The lab's switches: Linux bridges on the controller, and its way to the internet for hosts that are bare.

A switch with an address is the hosts' gateway: the controller forwards what they send, to another such switch as it is
and else masqueraded. All rules are in a table of their own. Docker's FORWARD policy drops what its own chain does not
accept, so where that chain (DOCKER-USER) exists the switches are accepted there.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..base.system import SYSTEMCTL
from ..change import Change, Plan
from ..errors import Finding
from ..host_io import IO
from . import owner
from .image import not_root
from .names import LINK_ALIAS, RUN, SLICE, TABLE

FORWARD = "/proc/sys/net/ipv4/ip_forward"
RECORD = f"{RUN}/network.json"
"""What stood before: ``{ip_forward, namespaces}``, put back when the lab goes."""

NAMESPACES = "/run/netns"
"""Where `ip netns` keeps namespaces. The first one ever made mounts the directory on itself."""


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    """``read`` looks at all there is."""
    return {}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """The links, addresses, routes and rules that concern a lab."""
    links = json.loads(io.run(["ip", "-json", "-details", "address", "show"]).out)
    bridges = {
        link["ifname"]: {
            "lab": link.get("ifalias", "").split(" ")[0] == LINK_ALIAS,
            "up": "UP" in link["flags"],
            "addresses": sorted(f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["family"] == "inet"),
        }
        for link in links
        if link.get("linkinfo", {}).get("info_kind") == "bridge"
    }
    routes = json.loads(io.run(["ip", "-json", "-4", "route", "show", "table", "main"]).out or "[]")
    docker = io.run(["iptables", "-w", "-S", "DOCKER-USER"], check=False)
    return {
        "root": io.run(["id", "-u"]).out.strip() == "0",
        "owner": owner.read(io),
        "bridges": bridges,
        "routes": [{"to": r["dst"], "dev": r.get("dev", "")} for r in routes if r["dst"] != "default"],
        "table": io.run(["nft", "--stateless", "list", "table", "inet", TABLE], check=False).out,
        "forward": (io.read_text(FORWARD) or "").strip() == "1",
        "recorded": json.loads(io.read_text(RECORD) or "null"),
        "docker": docker.out.splitlines() if docker.rc == 0 else None,
        "dropping": _dropping(io.run(["nft", "-json", "list", "chains"], check=False).out),
    }


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """What is missing, or what is there to remove. Refuses a machine that another lab owns."""
    state_dir = wanted["state_dir"]
    findings = owner.refusal(current["owner"], state_dir)
    if wanted["state"] == "absent":
        return _checked(current, _removal(current), findings)
    switches = wanted["switches"]
    findings += [*_overlaps(current, switches), *_foreign(current, switches), *_forward_advice(current)]
    changes = []
    if current["owner"] is None or current["owner"]["state_dir"] != state_dir:
        before = f"the dead lab in {current['owner']['state_dir']}" if current["owner"] else ""
        changes.append(Change("machine", "claim", before, f"the lab in {state_dir}", {"state_dir": state_dir}))
    for switch in switches:
        name, address = switch["name"], switch["address"]
        after = f"switch {name} {address or 'without an address'} up"
        found = current["bridges"].get(name)
        if found is None:
            changes.append(Change(name, "create", "", after, switch))
        elif found["addresses"] != ([address] if address else []) or not found["up"]:
            before = f"switch {name} {' '.join(found['addresses'])} {'up' if found['up'] else 'down'}"
            changes.append(Change(name, "update", before, after, switch))
    if not current["forward"]:
        changes.append(Change("net.ipv4.ip_forward", "enable", "0", "1"))
    rules = ruleset(switches)
    if current["table"].split() != rules.split():
        changes.append(Change(f"table inet {TABLE}", "load", current["table"], rules, {"rules": rules}))
    for rule in docker_rules([switch["name"] for switch in switches]):
        if current["docker"] is not None and " ".join(["-A", *rule]) not in current["docker"]:
            changes.append(Change("iptables DOCKER-USER", "accept", "", " ".join(rule), {"rule": rule}))
    return _checked(current, changes, findings)


def apply(io: IO, plan: Plan) -> None:
    """Do each change."""
    for change in plan:
        _APPLY[change.action](io, change)


def result(current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """What the module returns: what it advises."""
    return {"findings": [finding.as_dict() for finding in plan(current, wanted).findings]}


def ruleset(switches: Sequence[Mapping[str, Any]]) -> str:
    """The table, word for word as `nft --stateless list table` prints it."""
    gateways = [switch for switch in switches if switch["address"]]
    # Between themselves the switches are routed: who is asked sees who asks.
    outside = " ".join(f'oifname != "{switch["name"]}"' for switch in gateways)
    forward = [f'\t\t{way} "{switch["name"]}" accept' for switch in switches for way in ("iifname", "oifname")]
    nat = [
        f"\t\tip saddr {ipaddress.ip_interface(switch['address']).network} {outside} masquerade" for switch in gateways
    ]
    return "\n".join(
        [
            f"table inet {TABLE} {{",
            "\tchain forward {",
            "\t\ttype filter hook forward priority filter; policy accept;",
            *forward,
            "\t}",
            "",
            "\tchain postrouting {",
            "\t\ttype nat hook postrouting priority srcnat; policy accept;",
            *nat,
            "\t}",
            "}",
            "",
        ]
    )


def docker_rules(names: Sequence[str]) -> list[list[str]]:
    """Rules of DOCKER-USER, as words of `iptables -A`, each as `iptables -S` prints it."""
    return [["DOCKER-USER", way, name, "-j", "ACCEPT"] for name in names for way in ("-i", "-o")]


def _removal(current: dict[str, Any]) -> list[Change]:
    changes = []
    own = [name for name, bridge in sorted(current["bridges"].items()) if bridge["lab"]]
    accepted = {" ".join(rule): rule for rule in docker_rules(own)}
    for line in current["docker"] or ():
        if rule := accepted.get(line.removeprefix("-A ")):
            changes.append(Change("iptables DOCKER-USER", "withdraw", line, "", {"rule": rule}))
    if current["table"]:
        changes.append(Change(f"inet {TABLE}", "delete table", before=current["table"]))
    recorded = current["recorded"]
    if recorded and not recorded["ip_forward"] and current["forward"] and current["docker"] is None:
        changes.append(Change("net.ipv4.ip_forward", "disable", "1", "0"))
    changes += [Change(name, "delete link", before=f"switch {name}") for name in own]
    if current["owner"] or recorded:
        stood = {"namespaces": not recorded or recorded["namespaces"]}
        changes.append(Change("machine", "release", "owned by a lab", data=stood))
    return changes


def _checked(current: dict[str, Any], changes: list[Change], findings: list[Finding]) -> Plan:
    return Plan(changes, [not_root("lab_network"), *findings] if changes and not current["root"] else findings)


def _overlaps(current: dict[str, Any], switches: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """A new switch whose network the machine reaches by another link would cut it off, or be cut off."""
    findings = []
    for switch in switches:
        if switch["address"] and switch["name"] not in current["bridges"]:
            network = ipaddress.ip_interface(switch["address"]).network
            reached = [route for route in current["routes"] if network.overlaps(ipaddress.ip_network(route["to"]))]
            for link in sorted({route["dev"] for route in reached}):
                ways = ", ".join(route["to"] for route in reached if route["dev"] == link)
                findings.append(
                    Finding(
                        "error",
                        "lab.network_in_use",
                        f"{switch['name']}: {switch['address']}",
                        f"this machine reaches {ways} through {link} already.",
                        "Give the lab other addresses, or take the other network down.",
                    )
                )
    return findings


def _foreign(current: dict[str, Any], switches: Sequence[Mapping[str, Any]]) -> list[Finding]:
    return [
        Finding(
            "error",
            "lab.foreign_bridge",
            switch["name"],
            "a bridge of this name is here that no lab made.",
            "Give the switch another name.",
        )
        for switch in switches
        if not current["bridges"].get(switch["name"], {"lab": True})["lab"]
    ]


def _forward_advice(current: dict[str, Any]) -> list[Finding]:
    """Another table may still drop what this one accepts; Docker's is dealt with in its own chain."""
    return [
        Finding(
            "advice",
            "lab.forward_dropped",
            chain,
            "its policy drops forwarded packets, so hosts of the lab may not reach the internet, and only what is in "
            "the image's archives can be installed.",
            "Accept the lab's switches there.",
        )
        for chain in current["dropping"]
        if current["docker"] is None or chain != "ip filter FORWARD"
    ]


def _dropping(chains: str) -> list[str]:
    """``family table chain`` of the base chains that drop what is forwarded, from `nft -json list chains`."""
    entries = [entry.get("chain", {}) for entry in json.loads(chains or "{}").get("nftables", ())]
    return [
        f"{entry['family']} {entry['table']} {entry['name']}"
        for entry in entries
        if entry.get("hook") == "forward" and entry.get("policy") == "drop"
    ]


def _claim(io: IO, change: Change) -> None:
    io.make_directory(RUN)
    if io.read(RECORD) is None:
        # From the kernel, not from the plan: a dead lab may have changed it and kept the record.
        before = {"ip_forward": (io.read_text(FORWARD) or "").strip() == "1", "namespaces": io.exists(NAMESPACES)}
        io.write(RECORD, json.dumps(before) + "\n")
    owner.claim(io, change.data["state_dir"])


def _switch(io: IO, change: Change) -> None:
    name, address = change.data["name"], change.data["address"]
    add = f"link add {name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
    lines = [
        *([add] if change.action == "create" else []),
        f"link set {name} alias {LINK_ALIAS}",
        f"link set {name} mtu 1500 addrgenmode none up",
        f"address flush dev {name}",
        *([f"address add {address} dev {name}"] if address else []),
    ]
    io.run(["ip", "-batch", "-"], stdin="\n".join(lines) + "\n")


def _load(io: IO, change: Change) -> None:
    io.run(["nft", "-f", "-"], stdin=f"table inet {TABLE}\ndelete table inet {TABLE}\n{change.data['rules']}")


def _set_forward(io: IO, change: Change) -> None:
    io.run(["sysctl", "-q", "-w", f"net.ipv4.ip_forward={change.after}"])


def _release(io: IO, change: Change) -> None:
    if not change.data["namespaces"] and not io.listdir(NAMESPACES):
        io.run(["umount", NAMESPACES], check=False)
        io.run(["rmdir", NAMESPACES], check=False)
    if any(group.endswith(SLICE) for group in owner.groups(io)):
        # systemd keeps a slice that it made for a unit when the unit is gone.
        io.run([SYSTEMCTL, "stop", *reversed(SLICE.split("/"))])
    io.run(["rm", "-rf", "--one-file-system", RUN])


_APPLY = {
    "claim": _claim,
    "create": _switch,
    "update": _switch,
    "enable": _set_forward,
    "disable": _set_forward,
    "load": _load,
    "accept": lambda io, change: io.run(["iptables", "-w", "-I", *change.data["rule"]]),
    "withdraw": lambda io, change: io.run(["iptables", "-w", "-D", *change.data["rule"]]),
    "delete table": lambda io, change: io.run(["nft", "delete", "table", "inet", TABLE]),
    "delete link": lambda io, change: io.run(["ip", "link", "delete", change.subject]),
    "release": _release,
}
