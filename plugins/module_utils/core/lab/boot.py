# SPDX-License-Identifier: Apache-2.0
"""What the boot of a host takes, whatever it runs as: files of the first boot, cables, disks, and its process."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from typing import Any

from ..errors import HoldfastError
from ..host_io import IO
from . import owner
from .names import CGROUP, LINK_ALIAS, RUN, SLICE, link, unit

_MODES = {"root": "0700", "root/.ssh": "0700"}
_LACP = "0x4"
"""Bit of group_fwd_mask for frames to 01:80:C2:00:00:02, which a switch else keeps to itself."""


def write_first_boot(io: IO, place: str, spec: Mapping[str, Any], keys: Mapping[str, str]) -> None:
    """Write the host's own files into the directory ``place``/upper. See ``first_boot``."""
    for directory, mode in _MODES.items():
        io.make_directory(f"{place}/upper/{directory}", mode=mode)
    for path, (mode, text) in first_boot(spec, keys, resolvers(io)).items():
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


def resolvers(io: IO) -> str:
    """The machine's resolv.conf without what only the machine itself can ask."""
    stub = "/run/systemd/resolve/resolv.conf"
    text = io.read_text(stub) or io.read_text("/etc/resolv.conf") or ""
    return "".join(
        f"{line}\n" for line in text.splitlines() if not re.match(r"\s*([#;]|nameserver\s+(127\.|::1))", line)
    )


def check(io: IO, spec: Mapping[str, Any]) -> None:
    """Raise HoldfastError when layers or switches that a host needs are not there."""
    missing = [path for path in spec["layers"] if not io.exists(path)]
    missing += [f"switch {switch}" for switch in spec["nics"].values() if not io.exists(f"/sys/class/net/{switch}")]
    if missing:
        raise HoldfastError(
            f"{spec['name']} can not start without {', '.join(missing)}: lab_image and lab_network make them."
        )


def disk_image(io: IO, directory: str, disk: str, size: str) -> str:
    """The path of a disk's sparse file, which is made when it is not there."""
    image = f"{directory}/holdfast-lab-{disk}.img"
    if not io.exists(image):
        io.make_directory(directory, mode="0700")
        io.run(["truncate", "--size", size, image])
    return image


def plug(host: str, nic: str, switch: str) -> list[str]:
    """Commands of `ip -batch` that name the switch's end of a NIC and plug it in.

    It passes LACP: with one cable a switch, bonds of two hosts may be each other's partner.
    """
    end = link(host, nic)
    return [
        f"link set {end} alias '{LINK_ALIAS} {host} {nic}'",
        f"link set {end} addrgenmode none master {switch} up",
        f"link set {end} type bridge_slave group_fwd_mask {_LACP}",
    ]


def by_systemd(io: IO) -> bool:
    """Whether systemd is PID 1 of this machine, so that a host's process is a unit."""
    return io.exists("/run/systemd/system") and (io.read_text("/proc/1/comm") or "").strip() == "systemd"


def launch(io: IO, name: str, program: str, log: str) -> None:
    """Run a shell script as long as the host is on, in a control group that tells whose it is; return at once.

    The group is a transient unit's where systemd is PID 1, and else made by hand.
    """
    hierarchies = owner.hierarchies(io.read_text("/proc/mounts") or "")
    if not hierarchies:
        raise HoldfastError("No cgroup2 is mounted. Fix: mount -t cgroup2 none /sys/fs/cgroup/unified")
    service = by_systemd(io)
    groups = [] if service else [f"{hierarchy}/{CGROUP}/{name}" for hierarchy in hierarchies]
    if groups:
        io.run(["mkdir", "-p", *groups])
    join = "".join(f"echo $$ > {shlex.quote(group)}/cgroup.procs\n" for group in groups)
    path = f"{RUN}/hosts/{name}/run"
    io.write(path, f"#!/bin/sh\nset -eu\n{join}{program}", mode="0700")
    io.make_directory(log.rpartition("/")[0])
    if service:
        io.run(["systemd-run", *unit_options(name, log), path])
    else:
        alone = 'cd / && exec env -i PATH="$PATH" "$0" >"$1" 2>&1 </dev/null'
        io.run(["setsid", "--fork", "sh", "-c", alone, path, log])


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
