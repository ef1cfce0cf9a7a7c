# SPDX-License-Identifier: Apache-2.0
"""Hosts that are virtual machines of QEMU, with a kernel of their own: they stand for metal.

A root is an ext4 image, made once of the image's layers and the host's own files. QEMU boots the kernel of the image
itself, so there is no boot loader; the kernel has NVMe and ext4 built in, so there is no initramfs either. Each NIC is
a tap in a switch, each disk a virtio disk on a sparse file, whose serial number is its name. The console goes to the
host's log. Power buttons, and cables that a test pulls, are commands to the socket ``monitor`` (QMP).
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ..host_io import IO
from . import owner, traces
from .boot import check, disk_image, launch, plug, write_first_boot
from .names import RUN, link

PROGRAM = "/usr/bin/qemu-system-x86_64"
PATIENCE = 5
"""How many times longer than a container it may take to answer: it may be emulated."""
STOP_SECONDS = 120
"""How long it may take to power off before it is killed."""
PRESS_SECONDS = 10
"""After which the power button is pressed again: a machine that still boots does not feel it."""
ROOT_SIZE = "16G"
"""Of the root's file system. The image is sparse."""
LONGEST_SERIAL = 20
"""Characters of a virtio disk's serial number."""
PROBE_SECONDS = 20
"""Within which a kernel on KVM comes to look for its root; it takes about two."""

_RULES = """# A disk is known by its name in the inventory, which is its serial number.
SUBSYSTEM!="block", GOTO="end"
KERNEL!="vd*", GOTO="end"
ENV{DEVTYPE}=="disk", ATTR{serial}=="?*", SYMLINK+="disk/by-id/holdfast-$attr{serial}"
ENV{DEVTYPE}=="partition", ATTRS{serial}=="?*", SYMLINK+="disk/by-id/holdfast-$attr{serial}-part%n"
LABEL="end"
"""
_IMAGE = """set -eu
mkdir -p "$1/merged"
mount -t overlay overlay -o "ro,lowerdir=$1/upper:$2" "$1/merged"
mke2fs -q -F -t ext4 -L root -d "$1/merged" "$1/root.img" "$3"
"""


def alive(io: IO, group: str) -> bool:
    """Whether a virtual machine runs in a control group."""
    return any(
        (io.read_text(f"/proc/{process}/comm") or "").startswith("qemu-system")
        for process in owner.processes(io, group)
    )


def prepare(io: IO, spec: Mapping[str, Any], place: str, keys: Mapping[str, str]) -> None:
    """Make the image of its root in ``place``, as a provisioning system leaves it."""
    io.run(["rm", "-rf", "--one-file-system", place])
    io.make_directory(f"{place}/upper")
    write_first_boot(io, place, spec, keys)
    io.write(f"{place}/upper/etc/udev/rules.d/61-holdfast-lab.rules", _RULES)
    for directory in ("etc", "var"):
        # What systemd would bring up to date with /usr in a first boot, the packages' installation has.
        io.write(f"{place}/upper/{directory}/.updated", "")
    layers = ":".join(spec["layers"])
    io.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", _IMAGE, "sh", place, layers, ROOT_SIZE])
    # The private key of the host stands in the image only.
    io.run(["rm", "-rf", "--one-file-system", f"{place}/upper", f"{place}/merged"])


def start(io: IO, spec: Mapping[str, Any], place: str, disks: str, log: str) -> None:
    """Begin to boot a host of which nothing runs; return at once. ``disks`` is the directory of its disk images."""
    name = spec["name"]
    check(io, spec)
    images = {disk: disk_image(io, disks, disk, size) for disk, size in spec["disks"].items()}
    io.run(["ip", "-batch", "-"], stdin=cables(name, spec["nics"]))
    command = machine(spec, f"{place}/root.img", images, accelerator(io, spec["layers"][0]))
    launch(io, name, f"exec {shlex.join(command)}\n", log)


def machine(spec: Mapping[str, Any], root: str, images: Mapping[str, str], accelerator: Sequence[str]) -> list[str]:
    """The command that is the machine. ``images`` are its disks, ``accelerator`` the options of how it is executed."""
    name = spec["name"]
    # Without a speed a NIC is not good enough for LACP.
    nics = [
        (f"tap,id={nic},ifname={link(name, nic)},script=no,downscript=no",
         f"virtio-net-pci,netdev={nic},mac={mac(name, nic)},speed=10000,duplex=full,romfile=")
        for nic in spec["nics"]
    ]  # fmt: skip
    drives = [
        (f"if=none,id=disk{number},format=raw,discard=unmap,file={_quoted(image)}",
         f"virtio-blk-pci,drive=disk{number},serial={disk}")
        for number, (disk, image) in enumerate(images.items())
    ]  # fmt: skip
    return [
        PROGRAM, "-name", name, "-machine", "q35,sata=off", *accelerator,
        "-smp", str(spec["cpus"]), "-m", spec["memory"],
        "-nodefaults", "-no-user-config", "-display", "none",
        "-kernel", f"{spec['layers'][0]}/boot/vmlinuz",
        # NICs have the names that the inventory gives, in its order. A log is no terminal.
        "-append", "root=/dev/nvme0n1 rootfstype=ext4 rw console=ttyS0 net.ifnames=0 TERM=dumb",
        "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
        "-qmp", f"unix:{_quoted(monitor(name))},server=on,wait=off",
        "-device", "virtio-rng-pci",
        # What a host writes to its root outlives the host, and need not outlive the machine; a disk's sync is one.
        "-drive", f"if=none,id=root,format=raw,discard=unmap,cache=unsafe,file={_quoted(root)}",
        "-device", "nvme,drive=root,serial=root",
        *(word for drive, device in drives for word in ("-drive", drive, "-device", device)),
        *(word for netdev, device in nics for word in ("-netdev", netdev, "-device", device)),
    ]  # fmt: skip


def monitor(name: str) -> str:
    """The socket by which a machine is told what happens to it (QMP)."""
    return f"{RUN}/hosts/{name}/monitor"


def mac(host: str, nic: str) -> str:
    """A NIC's hardware address: the same each time, locally administered."""
    digest = hashlib.sha256(f"{host} {nic}".encode()).hexdigest()
    return ":".join(["52", "54", "00", *(digest[start : start + 2] for start in (0, 2, 4))])


def cables(host: str, nics: Mapping[str, str]) -> str:
    """Commands of `ip -batch` that make the taps and plug them in. Their MTU is a switch's, as for containers."""
    lines = []
    for nic, switch in nics.items():
        lines.append(f"tuntap add dev {link(host, nic)} mode tap")
        lines += [*plug(host, nic, switch), f"link set {link(host, nic)} mtu 9216"]
    return "".join(f"{line}\n" for line in lines)


def accelerator(io: IO, kernel: str) -> list[str]:
    """Options of QEMU: KVM where a kernel of the layer ``kernel`` boots on it, else emulation.

    The answer is kept in the image's cache, until the machine or the kernel is another.
    """
    emulation = ["-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "max"]
    if not io.exists("/dev/kvm"):
        return emulation
    record = f"{kernel.rpartition('/layers/')[0]}/kvm.json"
    asked = [io.read_text("/proc/sys/kernel/random/boot_id"), kernel]
    known = json.loads(io.read_text(record) or "{}")
    if known.get("asked") != asked:
        known = {"asked": asked, "works": _boots(io, kernel)}
        io.write(record, json.dumps(known) + "\n")
    return ["-accel", "kvm", "-cpu", "host"] if known["works"] else emulation


def _boots(io: IO, kernel: str) -> bool:
    """Whether a kernel comes as far as to miss its root."""
    command = [
        PROGRAM, "-machine", "q35,sata=off", "-accel", "kvm", "-cpu", "host", "-smp", "2", "-m", "512M", "-nodefaults",
        "-no-user-config", "-display", "none", "-no-reboot", "-kernel", f"{kernel}/boot/vmlinuz",
        "-append", "console=ttyS0 panic=-1", "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
    ]  # fmt: skip
    # timeout(1) and not ours: what the machine said until then counts.
    done = io.run(["timeout", "--kill-after=2", str(PROBE_SECONDS), *command], stdin="", check=False)
    return "Unable to mount root fs" in done.out


def shutdown(io: IO, hosts: Sequence[str]) -> None:
    """Press the power button, and wait until they are off, or their time is up."""
    groups = {host: found for host, found in traces.groups(io).items() if host in hosts}
    paths = [path for found in groups.values() for path in found]
    for _ in range(0, STOP_SECONDS, PRESS_SECONDS):
        for host in groups:
            io.monitor(monitor(host), "system_powerdown")
        if traces.wait(lambda: not owner.processes(io, *paths), PRESS_SECONDS):
            return


def _quoted(path: str) -> str:
    """A path inside an option of QEMU, where commas separate."""
    return path.replace(",", ",,")
