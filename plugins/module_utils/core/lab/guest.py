# SPDX-License-Identifier: Apache-2.0
"""The lab's guest: a disk image that instances of a lab boot from, of Debian's kernel, busybox and a few scripts.

It is a bare FAT file system with the boot loader syslinux, a kernel, and an initramfs that stays the guest's root: no
partition, no mount, nothing that is kept on its disk. It is built in the layers of the hosts' image, where the tools
for it are installed for as long as it takes, and stands in the cache beside them.

The directory is named after a digest of all that it is built from, and appears only when it is complete. With the same
packages, its bytes are the same each time.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from typing import Any

from ..change import Change, Plan
from ..errors import Finding
from ..host_io import IO
from . import building
from .building import HEAD, MOUNT, UNMOUNT
from .image import nearest, not_root

FORMATS = ("raw", "qcow2")
SIZE_MIB = 24
"""Of the disk."""
MODULES = ("virtio_blk", "virtio_scsi", "sd_mod", "virtio_net", "virtio-rng", "evdev", "button")
"""Modules of the kernel, beside those that they depend on. etc/rc of the guest loads them."""
PROGRAMS = ("/usr/sbin/dropbear",)
"""Programs of Debian's, beside busybox, with the libraries that they need."""
TOOLS = ("busybox-static", "cpio", "dosfstools", "dropbear-bin", "mtools", "qemu-utils", "syslinux")
"""Packages that the guest is built with."""
NEEDED_BYTES = 1024**3
"""Space that building it takes at most."""


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    """What ``read`` needs to know."""
    return dict(wanted)


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{root, place, cached, free}``: the directory where it is or would be, and all such directories there are."""
    directory = f"{asked['cache_dir']}/guests"
    recipe = {
        "script": _SCRIPT,
        "base": asked["layers"][-1].rpartition("/")[2],
        "size": SIZE_MIB,
        "modules": MODULES,
        "programs": PROGRAMS,
        "tools": TOOLS,
        "files": {path: io.digest(f"{asked['source']}/{path}") for path in _files(io, asked["source"])},
    }
    room = io.run(["stat", "-f", "-c", "%a %S", nearest(io, directory)]).out.split()
    return {
        "root": io.run(["id", "-u"]).out.strip() == "0",
        "place": f"{directory}/tiny-{_digest(recipe)}",
        "cached": [f"{directory}/{name}" for name in io.listdir(directory)],
        "free": int(room[0]) * int(room[1]),
    }


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """Build it when it is not there, then drop those of other content."""
    place = current["place"]
    missing = place not in current["cached"]
    findings = [not_root("lab_guest")] if missing and not current["root"] else []
    if missing and current["free"] < NEEDED_BYTES:
        what = f"{current['free'] >> 20} MiB are free, and building the guest takes {NEEDED_BYTES >> 20} MiB."
        fix = "Make room, or set lab_cache_dir to a larger file system."
        findings.append(Finding("error", "lab.no_space", wanted["cache_dir"], what, fix))
    changes = []
    if missing:
        changes.append(Change(place, "build", after=f"a disk of {SIZE_MIB} MiB, {' and '.join(FORMATS)}", data=wanted))
    old = sorted({*current["cached"]} - {place})
    changes += [Change(path, "delete", before="a guest of other content") for path in old]
    return Plan(changes, findings)


def apply(io: IO, plan: Plan) -> None:
    """Build and delete."""
    for change in plan:
        if change.action == "delete":
            io.run(["rm", "-rf", "--one-file-system", change.subject])
        else:
            cache_dir, log = change.data["cache_dir"], change.data["log"]
            program = script(change.data, building.scratch(cache_dir, "guest"))
            building.build(io, cache_dir, "guest", program, change.subject, log)


def result(current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """What the module returns: the file of each format."""
    return {"files": {form: f"{current['place']}/tiny.{form}" for form in FORMATS}}


def script(wanted: Mapping[str, Any], scratch: str) -> str:
    """The shell script that makes the image's files in ``scratch``/layer."""
    variables = {
        "scratch": scratch,
        "upper": f"{scratch}/tools",
        "lower": ":".join(wanted["layers"]),
        "source": wanted["source"],
        "tools": " ".join(TOOLS),
        "modules": " ".join(MODULES),
        "programs": " ".join(PROGRAMS),
        "size": str(SIZE_MIB),
        "formats": " ".join(FORMATS),
    }
    return HEAD + "".join(f"{key}={shlex.quote(value)}\n" for key, value in variables.items()) + _SCRIPT


def _files(io: IO, source: str, below: str = "") -> list[str]:
    """Paths of all files below a directory, relative to it."""
    found = []
    for name in io.listdir(f"{source}/{below}".rstrip("/")):
        path = f"{below}{name}"
        inside = _files(io, source, f"{path}/")
        found += inside or [path]
    return found


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


# In the root, /guest/root becomes the guest's root, /guest/disk what stands on its disk.
_BUILD = """
chroot "$root" apt-get -q update
chroot "$root" apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io install $tools
mkdir -p "$root/guest/kernel" "$root/guest/root/bin" "$root/guest/root/run" "$root/guest/disk" "$scratch/layer"
cp -R "$source/." "$root/guest/root/"
cat > "$root/guest/build" <<'BUILD'
set -eu
cd /guest
export SOURCE_DATE_EPOCH=1735689600 TZ=UTC MTOOLS_SKIP_CHECK=1
chmod 0755 root/init root/bin/* root/etc/rc root/etc/boot root/etc/lease root/etc/acpi/PWRF/*
cp /bin/busybox root/bin/busybox

image=$(apt-cache depends "linux-image-cloud-$(dpkg --print-architecture)" | sed -n 's/^ *Depends: //p')
apt-get -q -o APT::Sandbox::User=root download "$image"
dpkg-deb --fsys-tarfile ./*.deb | tar -x -C kernel
version=${image#linux-image-}
cp kernel/boot/vmlinuz-* disk/vmlinuz
depmod -b kernel/usr "$version"
for module in $modules; do
    modprobe -d /guest/kernel/usr -S "$version" --show-depends "$module" >> chains
done
sed -n 's/^insmod \\([^ ]*\\).*/\\1/p' chains | sort -u > needed
# Decompressed: emulated, the guest would take half a second for each.
while read -r path; do
    module=root/lib/modules/$version/${path##*/}
    mkdir -p "${module%/*}"
    case $path in
        *.xz) busybox xzcat "$path" > "${module%.xz}" ;;
        *) cp "$path" "$module" ;;
    esac
done < needed
cp kernel/usr/lib/modules/"$version"/modules.builtin kernel/usr/lib/modules/"$version"/modules.order \\
    "root/lib/modules/$version/"
depmod -b root "$version"
rm -f root/lib/modules/"$version"/*.bin

for program in $programs; do
    cp "$program" root/bin/
    ldd "$program" | sed -n 's/^[^/]*\\(\\/[^ ]*\\) (0x.*/\\1/p'
done | sort -u | while read -r library; do
    mkdir -p "root${library%/*}"
    cp -L "$library" "root$library"
done

find root -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
(cd root && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --reproducible --quiet) | gzip -9n > disk/initrd.gz
cat > disk/syslinux.cfg <<'CONFIGURATION'
DEFAULT tiny
LABEL tiny
    KERNEL vmlinuz
    INITRD initrd.gz
    APPEND console=ttyS0,115200 quiet no_timer_check mitigations=off panic=10
CONFIGURATION
mkfs.vfat --invariant -n TINY -C tiny.raw "$((size * 1024))"
for file in vmlinuz initrd.gz syslinux.cfg; do
    touch -d "@$SOURCE_DATE_EPOCH" "disk/$file"
    mcopy -i tiny.raw -m "disk/$file" "::/$file"
done
syslinux --install tiny.raw
qemu-img convert -f raw -O qcow2 tiny.raw tiny.qcow2
BUILD
chroot "$root" env modules="$modules" programs="$programs" size="$size" sh /guest/build
for format in $formats; do cp "$root/guest/tiny.$format" "$scratch/layer/"; done
"""
_SCRIPT = MOUNT + _BUILD + UNMOUNT
