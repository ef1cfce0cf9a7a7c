# SPDX-License-Identifier: Apache-2.0
"""Hosts that are systemd-nspawn containers, each in a network namespace and a mount namespace of its own.

Its root is an overlay of the image's layers and a directory of the host's own. It is mounted in the container's mount
namespace, so it goes with the last process. Disks are loop devices on sparse files.

Runs with systemd as PID 1 (a transient unit) and without (a control group made by hand).
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import HoldfastError
from . import owner
from .names import CGROUP, LINK_ALIAS, PREFIX, RUN, SLICE, link, namespace, unit

if TYPE_CHECKING:
    from ...io.host import Host as IO

_DISK = re.compile(r"/disks/(?P<host>[^/]+)/holdfast-lab-[^/]+\.img(?: \(deleted\))?$")
_MODES = {"root": "0700", "root/.ssh": "0700"}
STOP_SECONDS = 30
"""How long a container may take to power off before it is killed."""
SETTLE_SECONDS = 20
"""How long the kernel may take to let go of processes and loop devices."""


def find(io: IO) -> dict[str, dict[str, Any]]:
    """``{running, traces}`` of each host that has left anything on the machine, from names alone."""
    found: dict[str, dict[str, Any]] = {}

    def trace(host: str, what: str) -> None:
        found.setdefault(host, {"running": False, "traces": []})["traces"].append(what)

    for host, groups in _groups(io).items():
        for group in groups:
            trace(host, f"control group {group}")
        parts = [f"{groups[0]}/{part}" for part in ("supervisor", "payload")]
        found[host]["running"] = all(owner.processes(io, part) for part in parts)
    for name in io.listdir("/run/netns"):
        if name.startswith(PREFIX):
            trace(name.removeprefix(PREFIX), f"network namespace {name}")
    for name, host in _links(io):
        trace(host, f"link {name}")
    for device, host in _loops(io):
        trace(host, f"loop device {device}")
    for host in io.listdir(f"{RUN}/hosts"):
        trace(host, f"{RUN}/hosts/{host}")
    return found


def prepare(io: IO, spec: Mapping[str, Any], place: str, keys: Mapping[str, str]) -> None:
    """Make the writable part of its root in ``place``, as a provisioning system leaves it. See ``first_boot``."""
    io.run(["rm", "-rf", "--one-file-system", place])
    for directory in (f"{place}/upper", f"{place}/work"):
        io.make_directory(directory)
    for directory, mode in _MODES.items():
        io.make_directory(f"{place}/upper/{directory}", mode=mode)
    for path, (mode, text) in first_boot(spec, keys, _resolvers(io)).items():
        io.write(f"{place}/upper{path}", text, mode=mode)


def first_boot(spec: Mapping[str, Any], keys: Mapping[str, str], resolv_conf: str) -> dict[str, tuple[str, str]]:
    """Files of a new host: path to (mode, text). ``keys`` are ``authorized``, ``private`` and ``public`` (its own)."""
    name, address = spec["name"], spec["address"]
    nic = next(iter(spec["nics"]))
    network = [
        "[Match]", f"Name={nic}", "", "[Network]", f"Address={address}",
        *([f"Gateway={spec['gateway']}"] if spec["gateway"] else []),
        "LinkLocalAddressing=no", "IPv6AcceptRA=no",
    ]  # fmt: skip
    return {
        "/etc/hostname": ("0644", f"{name}\n"),
        "/etc/hosts": ("0644", f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{address.split('/')[0]} {name}\n"),
        "/etc/machine-id": ("0444", hashlib.sha256(f"holdfast-lab {name}".encode()).hexdigest()[:32] + "\n"),
        "/etc/resolv.conf": ("0644", resolv_conf),
        "/etc/systemd/network/80-provision.network": ("0644", "\n".join(network) + "\n"),
        "/root/.ssh/authorized_keys": ("0600", keys["authorized"]),
        "/etc/ssh/ssh_host_ed25519_key": ("0600", keys["private"]),
        "/etc/ssh/ssh_host_ed25519_key.pub": ("0644", keys["public"]),
    }


def start(io: IO, spec: Mapping[str, Any], place: str, disks: str, log: str) -> None:
    """Begin to boot a host of which nothing runs; return at once. ``disks`` is the directory of its disk images."""
    name = spec["name"]
    missing = [path for path in spec["layers"] if not io.exists(path)]
    missing += [f"switch {switch}" for switch in spec["nics"].values() if not io.exists(f"/sys/class/net/{switch}")]
    if missing:
        raise HoldfastError(f"{name} can not start without {', '.join(missing)}: lab_image and lab_network make them.")
    devices = {disk: _attach(io, f"{disks}/holdfast-lab-{disk}.img", size) for disk, size in spec["disks"].items()}
    io.write(f"{place}/upper/etc/tmpfiles.d/holdfast-lab.conf", stable_names(devices))
    io.run(["ip", "netns", "add", namespace(name)])
    io.run(["ip", "-batch", "-"], stdin=cables(name, spec["nics"]))
    directory = f"{RUN}/hosts/{name}"
    io.make_directory(f"{directory}/root")
    io.link(f"{directory}/storage", place)
    hierarchies = owner.hierarchies(io.read_text("/proc/mounts") or "")
    if not hierarchies:
        raise HoldfastError("No cgroup2 is mounted. Fix: mount -t cgroup2 none /sys/fs/cgroup/unified")
    service = io.exists("/run/systemd/system") and (io.read_text("/proc/1/comm") or "").strip() == "systemd"
    groups = [] if service else [f"{hierarchy}/{CGROUP}/{name}" for hierarchy in hierarchies]
    if groups:
        io.run(["mkdir", "-p", *groups])
    program = f"{directory}/run"
    io.write(program, script(name, spec["layers"], list(devices.values()), groups), mode="0700")
    io.make_directory(log.rpartition("/")[0])
    if service:
        io.run(["systemd-run", *unit_options(name, log), program])
    else:
        alone = 'cd / && exec env -i PATH="$PATH" "$0" >"$1" 2>&1 </dev/null'
        io.run(["setsid", "--fork", "sh", "-c", alone, program, log])


def script(name: str, layers: Sequence[str], devices: Iterable[str], groups: Sequence[str]) -> str:
    """What runs as long as the host is on. ``groups`` are the control groups to join; none where a unit gives one."""
    directory = f"{RUN}/hosts/{name}"
    options = f"lowerdir={':'.join(layers)},upperdir={directory}/storage/upper,workdir={directory}/storage/work"
    boot = [
        "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", f"--directory={directory}/root",
        f"--machine={name}", f"--network-namespace-path=/run/netns/{namespace(name)}", "--capability=all",
        "--resolv-conf=off", "--timezone=off", "--link-journal=no", *(f"--bind={device}" for device in devices),
    ]  # fmt: skip
    body = f"exec {shlex.join(boot)}" if not groups else _LOOP.format(boot=shlex.join(boot))
    join = "".join(f"echo $$ > {shlex.quote(group)}/cgroup.procs\n" for group in groups)
    return _SCRIPT.format(join=join, options=shlex.quote(options), directory=shlex.quote(directory), body=body)


_SCRIPT = """#!/bin/sh
set -eu
{join}# The overlay is mounted where only this host sees it, and goes with the host.
[ "${{1-}}" = inside ] || exec unshare --mount --propagation private "$0" inside
# What a host wrote need not survive a power cut, so it need not wait for the disk; a killed host leaves a mark in
# the work directory that would forbid another such mount.
rm -rf {directory}/storage/work
mkdir {directory}/storage/work
mount -t overlay overlay -o {options},volatile {directory}/root ||
    mount -t overlay overlay -o {options} {directory}/root
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network SYSTEMD_COLORS=0
{body}
"""

_LOOP = """# nspawn ends with 133 when the host reboots; systemd would start it again, and so does this.
while :; do
    status=0
    {boot} || status=$?
    [ $status = 133 ] || exit $status
done"""


def unit_options(name: str, log: str) -> list[str]:
    """Options of systemd-run: the same as of Debian's systemd-nspawn@.service where it matters."""
    properties = (
        "Type=exec", "Delegate=yes", "KillMode=mixed", "RestartForceExitStatus=133", "SuccessExitStatus=133",
        "TasksMax=16384", f"StandardOutput=truncate:{log}", f"StandardError=append:{log}",
    )  # fmt: skip
    return [
        "--quiet", "--collect", f"--unit={unit(name)}", f"--slice={SLICE.rpartition('/')[2]}",
        f"--description=Holdfast lab host {name}", *(f"--property={line}" for line in properties), "--",
    ]  # fmt: skip


def cables(host: str, nics: Mapping[str, str]) -> str:
    """Commands of `ip -batch` that plug each NIC into its switch.

    The switch's end takes any packet up to the largest jumbo frame, as a switch on metal does: the MTU is the host's.
    """
    lines = []
    for nic, switch in nics.items():
        end = link(host, nic)
        lines += [
            f"link add {end} mtu 9216 type veth peer name {nic} netns {namespace(host)}",
            f"link set {end} alias '{LINK_ALIAS} {host} {nic}'",
            f"link set {end} addrgenmode none master {switch} up",
        ]
    return "".join(f"{line}\n" for line in lines)


def stable_names(devices: Mapping[str, str]) -> str:
    """tmpfiles.d(5) lines for /dev/disk/by-id/holdfast-DISK: no udev runs in a container, and loop numbers change."""
    return "".join(
        f"L+ /dev/disk/by-id/holdfast-{disk} - - - - ../../{device.removeprefix('/dev/')}\n"
        for disk, device in sorted(devices.items())
    )


def shutdown(io: IO, hosts: Sequence[str]) -> None:
    """Ask hosts to power off, and wait until they have, or their time is up."""
    groups = [group for host, found in _groups(io).items() if host in hosts for group in found]
    supervisors = owner.processes(io, *(f"{group}/supervisor" for group in groups))
    if supervisors:
        io.run(["kill", "-TERM", *supervisors], check=False)
        _wait(lambda: not owner.processes(io, *groups), STOP_SECONDS)


def clear(io: IO, hosts: Sequence[str]) -> None:
    """Remove all traces of hosts, dead or alive. Their connections end before their networks do, so peers notice."""
    groups = [group for host, found in _groups(io).items() if host in hosts for group in found]
    for group in groups:
        if io.exists(f"{group}/cgroup.kill"):
            # systemd may remove the group meanwhile; whether processes are left is asked below.
            io.run(["tee", f"{group}/cgroup.kill"], stdin="1", check=False)
    if not _wait(lambda: not owner.processes(io, *groups), SETTLE_SECONDS):
        raise HoldfastError(f"Processes {', '.join(owner.processes(io, *groups))} do not end, killed as they are.")
    for name, host in _links(io):
        if host in hosts:
            io.run(["ip", "link", "delete", name])
    for name in io.listdir("/run/netns"):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) in hosts:
            io.run(["ip", "netns", "delete", name])
    for device, host in _loops(io):
        if host in hosts:
            io.run(["losetup", "--detach", device])
    if not _wait(lambda: not any(host in hosts for _, host in _loops(io)), SETTLE_SECONDS):
        devices = [device for device, host in _loops(io) if host in hosts]
        raise HoldfastError(f"{', '.join(devices)} can not be detached: something still has it mounted or open.")
    parents = {group.rpartition("/")[0] for group in groups if f"/{CGROUP}/" in group}
    # Depth first: a control group goes when it has no children. Where systemd makes them, it removes them too.
    for group in groups:
        io.run(["find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"], check=False)
    for parent in parents:
        io.run(["rmdir", "--ignore-fail-on-non-empty", parent], check=False)
    for host in hosts:
        io.run(["rm", "-rf", "--one-file-system", f"{RUN}/hosts/{host}"])


def _groups(io: IO) -> dict[str, list[str]]:
    """Control groups of each host, that of version 2 first."""
    found: dict[str, list[str]] = {}
    for parent in owner.groups(io):
        for name in io.listdir(parent):
            path = f"{parent}/{name}"
            if io.exists(f"{path}/cgroup.procs"):
                host = name.removeprefix(f"{PREFIX}lab-").removesuffix(".service")
                found.setdefault(host, []).append(path)
    return found


def _links(io: IO) -> list[tuple[str, str]]:
    """(link, host) of the switches' ends of all hosts."""
    links = json.loads(io.run(["ip", "-json", "link", "show"]).out)
    words = ((entry["ifname"], entry.get("ifalias", "").split(" ")) for entry in links)
    return [(name, alias[1]) for name, alias in words if len(alias) == 3 and alias[0] == LINK_ALIAS]


def _loops(io: IO) -> list[tuple[str, str]]:
    """(device, host) of the loop devices on disk images of all hosts.

    The kernel lists those of other machines that are containers on it, too; their devices are not here.
    """
    listing = io.run(["losetup", "--json", "--list", "--output", "NAME,BACK-FILE"]).out
    devices = json.loads(listing or "{}").get("loopdevices", ())
    matches = ((entry["name"], _DISK.search(entry["back-file"] or "")) for entry in devices)
    return [(name, match["host"]) for name, match in matches if match and io.exists(name)]


def _attach(io: IO, image: str, size: str) -> str:
    """A loop device on a sparse file, which is made when it is not there."""
    if not io.exists(image):
        io.make_directory(image.rpartition("/")[0], mode="0700")
        io.run(["truncate", "--size", size, image])
    return io.run(["losetup", "--find", "--show", image]).out.strip()


def _resolvers(io: IO) -> str:
    """The machine's resolv.conf without what only the machine itself can ask."""
    stub = "/run/systemd/resolve/resolv.conf"
    text = io.read_text(stub) or io.read_text("/etc/resolv.conf") or ""
    return "".join(
        f"{line}\n" for line in text.splitlines() if not re.match(r"\s*([#;]|nameserver\s+(127\.|::1))", line)
    )


def _wait(done: Any, seconds: float) -> bool:
    """Whether ``done()`` became true in time."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
