# SPDX-License-Identifier: Apache-2.0
"""The bridges of a host, made by systemd-networkd.

What stands is judged by two things: our files in ``/etc/systemd/network``, and the kernel. A bridge that was changed by
hand differs, as does a file. Our files sort first, so a file of the provisioning that configures the same interface
stays where it is and has no effect; the plan says which. An interface that held an address of a bridge, or carried one,
and is no port of it any more is released: it gets a file of ours without an address, so that nobody reaches the host by
it unawares.

``apply`` only starts a change. The host makes it, and undoes it unless it is confirmed: see ``host.guarded``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ...base.system import STATE, SYSTEMCTL
from ...change import Change, Plan
from ...errors import Finding
from ...host_io import IO
from ...kind import Arm
from ..networkd import DIRECTORY, PREFIX, SWITCHED, links_of, released_network, render

NAME = "network"
SWITCH = f"{STATE}/network/switch"
NETWORKD = "systemd-networkd.service"
IP = "/usr/sbin/ip"
NETWORKCTL = "/usr/bin/networkctl"

_ENABLED = f"/etc/systemd/system/multi-user.target.wants/{NETWORKD}"
# While it runs it makes at once again what is taken from it. Its sockets would start it; it wants them when it starts.
_STOP = f"{SYSTEMCTL} stop {NETWORKD} 'systemd-networkd*.socket'"
# Starts that follow each other quickly are refused by systemd, unless their count begins anew.
_START = f"{SYSTEMCTL} reset-failed {NETWORKD}; {SYSTEMCTL} start {NETWORKD}"
# It looks at its files every three seconds, and gives a link its address as soon as that is there.
_RELOAD_UDEV = "[ ! -S /run/udev/control ] || /usr/bin/udevadm control --reload"
# So that the answer to the one who asked for the change is on its way before the network moves.
_PAUSE = 0.5


def rendered(wanted: dict[str, Any]) -> dict[str, str]:
    return {f"{DIRECTORY}/{name}": text for name, text in render(wanted).items()}


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"links": sorted(links_of(wanted)), "addresses": sorted(_addresses(wanted))}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """What stands: our files with their text (they are small), and what the kernel has of the links that concern us.

    Those are the asked ones, those with a file of ours, and those that hold an asked address.

    ``{files: {name: text}, links: {name: {kind, master, mtu, up, carrier, addresses, routes, parent, vlan, file}},
    enabled, running, ifupdown, pending}``. ``file`` is what networkd configures the link by.
    """
    ours = [name for name in io.listdir(DIRECTORY) if name.startswith(PREFIX)]
    shown = io.run([IP, "-json", "-details", "address", "show"], check=False)
    every = {entry["ifname"]: entry for entry in json.loads(shown.out or "[]") if "ifname" in entry}
    numbers = {entry["ifindex"]: name for name, entry in every.items()}
    routes = json.loads(io.run([IP, "-json", "-4", "route", "show"], check=False).out or "[]")
    # Asking a networkd that is stopped would start it.
    running = io.run([SYSTEMCTL, "--quiet", "is-active", NETWORKD], check=False).rc == 0
    in_effect = _files_in_effect(io) if running else {}
    looked_at = {*asked["links"], *map(_link_of, ours)}
    looked_at |= {
        name
        for name, entry in every.items()
        if any(address.get("local") in asked["addresses"] for address in entry.get("addr_info", ()))
    }
    return {
        "files": {name: io.read_text(f"{DIRECTORY}/{name}") for name in ours},
        "links": {
            name: {
                **_link(entry, numbers),
                "routes": sorted(
                    f"{route['dst']} via {route['gateway']}"
                    for route in routes
                    if route.get("dev") == name and "gateway" in route
                ),
                "file": in_effect.get(name),
            }
            for name, entry in every.items()
            if name in looked_at
        },
        "enabled": io.exists(_ENABLED),
        "running": running,
        "ifupdown": {path: text for path in _interfaces_files(io) if (text := io.read_text(path))},
        "pending": any(io.exists(f"{STATE}/guard/{NAME}/{state}") for state in ("pending", "undoing")),
    }


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """Files first, then what differs in the kernel only. Each change's data says what the switch has to do for it."""
    links, released = links_of(wanted), _released(current, wanted)
    files = render(wanted) | {f"{PREFIX}{name}.network": released_network(name) for name in released}
    ours = {name for name, link in links.items() if link["lowest"]} | released.keys()
    changes: list[Change] = []
    if current["pending"]:
        changes.append(Change(NAME, "undo", before="a change that was never confirmed", after="what was before it"))
    if not (current["enabled"] and current["running"]):
        changes.append(Change(NETWORKD, "enable", data={"enable": True}))
    for path, text in sorted(current["ifupdown"].items()):
        left = without_interfaces(text, ours)
        if left != text:
            taken = sorted(name for name in ours if _configures(text, name))
            changes.append(Change(path, "update", text, left, data={"path": path, "text": left, "ifdown": taken}))
    for name in sorted({*links, *released}):
        foreign = current["links"].get(name, {}).get("file")
        if foreign and not _is_ours(foreign):
            changes.append(
                Change(foreign, "supersede", f"configures {name}", f"{name} is configured by a file of ours")
            )
    changes += _file_changes(current, files)
    for name, link in sorted(links.items()):
        is_now = current["links"].get(name)
        before, after = _state(is_now, link), link["state"]
        if link["kind"] == SWITCHED and _is_bridge_to_come(is_now):
            continue
        if before != after:
            action = "update" if is_now else "create"
            shown = ["(absent)"] if is_now is None else before
            changes.append(Change(name, action, "\n".join(shown), "\n".join(after), data={"link": name}))
    for name, before in sorted(released.items()):
        if before:
            changes.append(Change(name, "release", "\n".join(before), "(nothing of ours)", data={"free": [name]}))
    return Plan(tuple(changes), tuple(_findings(current, wanted, links)) if changes else ())


def apply(io: IO, plan: Plan, arm: Arm) -> None:
    """Start the change, under a guard that undoes it in time. It is made after this has returned."""
    datas = [step.data for step in plan]
    written = {data["path"]: data["text"] for data in datas if "path" in data}
    made = [step.data["link"] for step in plan if step.action == "create" and "link" in step.data]
    remade = _named(datas, "remake")
    ifdown = _named(datas, "ifdown")
    enable = any(data.get("enable") for data in datas)
    arm(
        paths=[*written, *([_ENABLED] if enable else ())],
        undo=[
            *([f"{SYSTEMCTL} daemon-reload"] if enable else ()),
            _STOP,
            *(f"{IP} link delete dev {name}" for name in [*made, *remade]),
            *(f"{IP} link set dev {name} nomaster" for name in _named(datas, "taken")),
            *(f"ifup --force {name}" for name in ifdown),
            f"[ ! -e {_ENABLED} ] || {{ {_START}; }}",
        ],
    )
    for path, text in written.items():
        if text is None:
            io.remove(path)
        else:
            io.write(path, text)
    if enable:
        io.run([SYSTEMCTL, "--quiet", "enable", NETWORKD])
    steps = [
        f"sleep {_PAUSE}",
        _STOP,
        *(f"ifdown --force {name}" for name in ifdown),
        *(f"{IP} link set dev {name} nomaster" for name in _named(datas, "free")),
        *(f"{IP} link delete dev {name}" for name in remade),
        _RELOAD_UDEV,
        _START,
    ]
    io.make_directory(STATE, mode="0700")
    io.write(SWITCH, "".join(f"{step}\n" for step in steps), mode="0600")
    io.run(
        [
            "/usr/bin/systemd-run",
            "--quiet",
            "--no-block",
            "--collect",
            "--unit=holdfast-network-switch",
            "/bin/sh",
            SWITCH,
        ]
    )


def _named(datas: list[Mapping[str, Any]], key: str) -> list[str]:
    return sorted({name for data in datas for name in data.get(key, ())})


# -- what stands ------------------------------------------------------------------------------------------------


def _link(entry: Mapping[str, Any], numbers: Mapping[int, str]) -> dict[str, Any]:
    information = entry.get("linkinfo", {})
    data = information.get("info_data", {})
    kind = information.get("info_kind")
    return {
        "kind": kind,
        "master": entry.get("master"),
        "mtu": entry["mtu"],
        "up": "UP" in entry["flags"],
        "carrier": "LOWER_UP" in entry["flags"],
        "addresses": [
            f"{address['local']}/{address['prefixlen']}"
            for address in entry.get("addr_info", ())
            if address.get("family") == "inet"
        ],
        "vlan": data.get("id") if kind == "vlan" else None,
        "mode": data.get("mode") if kind == "bond" else None,
        "parent": entry.get("link") or numbers.get(entry.get("link_index", 0)),
    }


def _files_in_effect(io: IO) -> dict[str, str]:
    """The .network file that networkd configures each link by."""
    shown = io.run([NETWORKCTL, "--json=short", "list"], check=False)
    links = json.loads(shown.out)["Interfaces"] if shown.rc == 0 else []
    return {link["Name"]: link["NetworkFile"] for link in links if link.get("NetworkFile")}


def _interfaces_files(io: IO) -> Iterator[str]:
    """Configuration of ifupdown, where that is installed."""
    if io.exists("/usr/sbin/ifup"):
        yield "/etc/network/interfaces"
        yield from (f"/etc/network/interfaces.d/{name}" for name in io.listdir("/etc/network/interfaces.d"))


def _state(current: Mapping[str, Any] | None, link: Mapping[str, Any]) -> list[str]:
    """The lines of ``link["state"]`` as they are now. Others' addresses and routes on a bridge are let be."""
    if current is None:
        return []
    lines = [f"kind {current['kind']}"] if link["kind"] not in (None, SWITCHED) else []
    lines += [f"vlan {current['vlan']} on {current['parent']}"] if link["vlan"] else []
    lines += [f"mode {current['mode']}"] if link.get("mode") else []
    lines += ["up" if current["up"] else "down", f"mtu {current['mtu']}"]
    lines += [f"in {current['master'] or 'nothing'}"] if link["master"] else []
    if link["kind"] in ("bridge", SWITCHED):
        stands = {f"address {address}" for address in current["addresses"]}
        stands |= {f"route {route}" for route in current["routes"]}
        lines += [line for line in link["state"] if line in stands]
    else:
        lines += [f"address {address}" for address in current["addresses"]]
    return lines


def _is_bridge_to_come(current: Mapping[str, Any] | None) -> bool:
    """Whether the switch has still to make a bridge, perhaps in the place of one that the kernel made."""
    return current is None or current["kind"] == "bridge"


def _addresses(wanted: Mapping[str, Any]) -> set[str]:
    """The addresses of the bridges, without prefix length."""
    return {address.partition("/")[0] for bridge in wanted["bridges"] for address in bridge["addresses"]}


def _released(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, list[str]]:
    """Links that are not wanted but were ours or hold an address of ours, with what they still have of ours."""
    links, addresses = links_of(wanted), _addresses(wanted)
    released = {}
    for name, link in current["links"].items():
        if name in links or f"{PREFIX}{name}.netdev" in current["files"]:
            continue
        holds = [f"address {address}" for address in link["addresses"] if address.partition("/")[0] in addresses]
        if link["master"] in links:
            # networkd leaves a NIC that it no longer configures in its bridge.
            holds.append(f"in {link['master']}")
        if holds or f"{PREFIX}{name}.network" in current["files"]:
            released[name] = holds
    return released


def _file_changes(current: Mapping[str, Any], files: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted({*current["files"], *files}):
        before, after = current["files"].get(name), files.get(name)
        if before == after:
            continue
        link = _link_of(name)
        # A device's kind, VLAN or bond cannot be changed, and one that is no longer wanted goes.
        remake = [link] if name.endswith(".netdev") and before and link in current["links"] else []
        is_nic = name.endswith(".network") and name.replace(".network", ".netdev") not in {*current["files"], *files}
        yield Change(
            f"{DIRECTORY}/{name}",
            "create" if before is None else "delete" if after is None else "update",
            before or "",
            after or "",
            data={
                "path": f"{DIRECTORY}/{name}",
                "text": after,
                "remake": remake,
                "taken": [link] if is_nic and before is None else [],
            },
        )


def _link_of(name: str) -> str:
    return name.removeprefix(PREFIX).rpartition(".")[0]


def _is_ours(path: str) -> bool:
    return path.startswith(f"{DIRECTORY}/{PREFIX}")


def _findings(
    current: Mapping[str, Any], wanted: Mapping[str, Any], links: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    for name, link in sorted(links.items()):
        stands = current["links"].get(name)
        if link["lowest"] and stands is None:
            yield Finding(
                "error",
                "networks.interface_missing",
                f"networks_ports: {name}",
                f"The host has no interface {name}, which is to carry {', '.join(_carries(name, links))}.",
                "Name an interface that `ip link` shows on the host, or plug the card in.",
            )
            continue
        if stands is None:
            continue
        if link["lowest"] and stands["up"] and not stands["carrier"]:
            yield Finding(
                "error",
                "networks.no_carrier",
                f"networks_ports: {name}",
                f"The interface {name} has no link: nothing answers at the other end of its cable.",
                "Plug the cable in, or bring the switch port up.",
            )
        if (
            stands["master"]
            and stands["master"] != link["master"]
            and f"{PREFIX}{name}.network" not in current["files"]
        ):
            yield Finding(
                "error",
                "networks.interface_taken",
                f"networks_ports: {name}",
                f"The interface {name} belongs to {stands['master']}, which is not Holdfast's.",
                f"Free it (`ip link set {name} nomaster` and what made it so), or name another.",
            )
        if link["kind"] and not _is_of_kind(stands, link) and f"{PREFIX}{name}.netdev" not in current["files"]:
            yield Finding(
                "error",
                "networks.name_taken",
                f"networks_bridges: {name}",
                f"{name} exists and is a {stands['kind'] or 'NIC'}, not a {link['kind']}.",
                "Give the bridge or bond another name, or remove what has it.",
            )
        foreign = stands["file"]
        if foreign and not _is_ours(foreign) and foreign.rpartition("/")[2] < link["file"]:
            yield Finding(
                "error",
                "networks.file_before_ours",
                foreign,
                f"This file configures {name} and sorts before {link['file']}, so it would keep its effect.",
                "Give it a name that sorts later, such as 10-provision.network.",
            )


def _is_of_kind(stands: Mapping[str, Any], link: Mapping[str, Any]) -> bool:
    kinds = ("tun", "openvswitch") if link["kind"] == SWITCHED else (link["kind"],)
    return stands["kind"] in kinds


def _carries(name: str, links: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The bridges on top of a link, and what a switch takes it for."""
    link = links[name]
    if link["kind"] == "bridge":
        return [name]
    if link.get("taken"):
        return [link["taken"], *(bridge for vlan in link["vlans"] for bridge in _carries(vlan, links))]
    above = [link["master"], *link["vlans"]]
    return [bridge for upper in above if upper for bridge in _carries(upper, links)]


# -- ifupdown ---------------------------------------------------------------------------------------------------

_STANZAS = (
    "iface",
    "auto",
    "mapping",
    "source",
    "source-directory",
    "rename",
    "no-auto-down",
    "no-scripts",
    "template",
)


def without_interfaces(text: str, names: set[str]) -> str:
    """An ``interfaces`` file without what it says of these interfaces; the rest stands as it was."""
    kept: list[str] = []
    dropping = False
    for line in text.splitlines(keepends=True):
        words = line.split()
        if words and (words[0] in _STANZAS or words[0].startswith("allow-")):
            dropping = words[0] in ("iface", "mapping") and len(words) > 1 and words[1] in names
            if words[0] in ("auto", "no-auto-down", "no-scripts") or words[0].startswith("allow-"):
                left = [word for word in words[1:] if word not in names]
                if len(left) < len(words) - 1:
                    line = " ".join([words[0], *left]) + "\n" if left else ""
        if not dropping and line:
            kept.append(line)
    return "".join(kept)


def _configures(text: str, name: str) -> bool:
    return any(line.split()[:2] == ["iface", name] for line in text.splitlines())
