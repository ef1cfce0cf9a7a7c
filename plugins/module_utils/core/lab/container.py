# SPDX-License-Identifier: Apache-2.0
"""Hosts that are systemd-nspawn containers, each in a network namespace and a mount namespace of its own.

Its root is an overlay of the image's layers and a directory of the host's own. It is mounted in the container's mount
namespace, so it goes with the last process. Disks are loop devices on sparse files.

Runs with systemd as PID 1 (a transient unit) and without (a control group made by hand).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..host_io import IO
from . import owner, traces
from .boot import by_systemd, check, disk_image, launch, plug, write_first_boot
from .names import RUN, link, namespace

PROGRAM = "/usr/bin/systemd-nspawn"
PATIENCE = 1
"""How many times longer than a container it may take to answer."""
STOP_SECONDS = 30
"""How long a container may take to power off before it is killed."""


def alive(io: IO, group: str) -> bool:
    """Whether a container runs in a control group: both its halves have processes."""
    return all(owner.processes(io, f"{group}/{part}") for part in ("supervisor", "payload"))


def prepare(io: IO, spec: Mapping[str, Any], place: str, keys: Mapping[str, str]) -> None:
    """Make the writable part of its root in ``place``, as a provisioning system leaves it."""
    io.run(["rm", "-rf", "--one-file-system", place])
    for directory in (f"{place}/upper", f"{place}/work"):
        io.make_directory(directory)
    write_first_boot(io, place, spec, keys)


def start(io: IO, spec: Mapping[str, Any], place: str, disks: str, log: str) -> None:
    """Begin to boot a host of which nothing runs; return at once. ``disks`` is the directory of its disk images."""
    name = spec["name"]
    check(io, spec)
    devices = {disk: _attach(io, disk_image(io, disks, disk, size)) for disk, size in spec["disks"].items()}
    io.write(f"{place}/upper/etc/tmpfiles.d/holdfast-lab.conf", stable_names(devices))
    io.run(["ip", "netns", "add", namespace(name)])
    io.run(["ip", "-batch", "-"], stdin=cables(name, spec["nics"]))
    io.make_directory(f"{RUN}/hosts/{name}/root")
    io.link(f"{RUN}/hosts/{name}/storage", place)
    bound = [*devices.values(), *spec["devices"]]
    launch(io, name, script(name, spec["layers"], bound, by_systemd(io)), log)


def script(name: str, layers: Sequence[str], devices: Iterable[str], service: bool) -> str:
    """What runs as long as the host is on. As a unit (``service``) it is systemd that starts it again."""
    directory = f"{RUN}/hosts/{name}"
    options = f"lowerdir={':'.join(layers)},upperdir={directory}/storage/upper,workdir={directory}/storage/work"
    boot = [
        "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", f"--directory={directory}/root",
        f"--machine={name}", f"--network-namespace-path=/run/netns/{namespace(name)}", "--capability=all",
        "--resolv-conf=off", "--timezone=off", "--link-journal=no", *(f"--bind={device}" for device in devices),
    ]  # fmt: skip
    body = f"exec {shlex.join(boot)}" if service else _LOOP.format(boot=shlex.join(boot))
    return _SCRIPT.format(options=shlex.quote(options), directory=shlex.quote(directory), body=body)


_SCRIPT = """# The overlay is mounted where only this host sees it, and goes with the host.
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


def cables(host: str, nics: Mapping[str, str]) -> str:
    """Commands of `ip -batch` that plug each NIC into its switch.

    The switch's end takes any packet up to the largest jumbo frame, as a switch on metal does: the MTU is the host's.
    """
    lines = []
    for nic, switch in nics.items():
        lines.append(f"link add {link(host, nic)} mtu 9216 type veth peer name {nic} netns {namespace(host)}")
        lines += plug(host, nic, switch)
    return "".join(f"{line}\n" for line in lines)


def stable_names(devices: Mapping[str, str]) -> str:
    """tmpfiles.d(5) lines for /dev/disk/by-id/holdfast-DISK: no udev runs in a container, and loop numbers change."""
    return "".join(
        f"L+ /dev/disk/by-id/holdfast-{disk} - - - - ../../{device.removeprefix('/dev/')}\n"
        for disk, device in sorted(devices.items())
    )


def shutdown(io: IO, hosts: Sequence[str]) -> None:
    """Ask hosts to power off, and wait until they have, or their time is up."""
    groups = [group for host, found in traces.groups(io).items() if host in hosts for group in found]
    supervisors = owner.processes(io, *(f"{group}/supervisor" for group in groups))
    if supervisors:
        io.run(["kill", "-TERM", *supervisors], check=False)
        traces.wait(lambda: not owner.processes(io, *groups), STOP_SECONDS)


def _attach(io: IO, image: str) -> str:
    """A loop device on a file."""
    return io.run(["losetup", "--find", "--show", image]).out.strip()
