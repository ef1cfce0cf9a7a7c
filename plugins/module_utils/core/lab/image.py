# SPDX-License-Identifier: Apache-2.0
"""The image of the lab's hosts: directories that overlayfs stacks, shared by all hosts and cached by content.

``base``
    Debian as a provisioning system leaves it: it boots, has a network and SSH.
``archives``
    What apt would download for the package set, so that an installation on ``base`` downloads nothing.
``packages``
    The package set installed, nothing of it enabled.
``kernel``
    Debian's kernel for clouds, for virtual machines. It is unpacked and not installed: dpkg knows nothing of it, so
    it goes on top of any of the others.

A layer's directory is named after a digest of all that it is built from, and appears only when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..change import Change, Plan
from ..errors import Finding, HoldfastError
from ..host_io import IO
from . import building
from .building import HEAD, MOUNT, UNMOUNT
from .names import RUN

RECIPE = 1
"""Raised when the scripts below change what a layer holds."""

BASE_PACKAGES = (
    "ca-certificates", "dbus", "e2fsprogs", "iproute2", "iputils-ping", "kmod", "nftables", "openssh-server", "procps",
    "python3", "sudo", "systemd", "systemd-sysv", "udev", "util-linux",
)  # fmt: skip
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CERTIFICATES = "/usr/local/share/ca-certificates"
NEEDED_BYTES = 6 * 1024**3
"""Space that building all layers takes at most, with what is thrown away on the way."""

_APT_OPTIONS = ("Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until", "Acquire::Check-Date")


def mirrors(sources: Iterable[str]) -> dict[str, str]:
    """``{debian: URI, debian-security: URI}``: those that the machine's own apt sources name.

    The security archive is beside the other where no source names it. Raises HoldfastError without any of Debian's.
    """
    found = {"debian": "", "debian-security": ""}
    for text in sources:
        for line in text.splitlines():
            words = line.partition("#")[0].split()
            if not words or words[0] not in ("deb", "URIs:"):
                continue
            for word in words:
                archive = word.rstrip("/").rsplit("/", 1)[-1]
                if archive in found and word.startswith(("http://", "https://")):
                    found[archive] = word.rstrip("/")
    if not found["debian"]:
        raise HoldfastError(
            "No apt source of this machine names an archive of Debian, which the lab's image comes from. Fix: name "
            "one in a file below /etc/apt/sources.list.d, with `Enabled: no` where apt itself is not to use it."
        )
    return {**found, "debian-security": found["debian-security"] or f"{found['debian']}-security"}


def apt_options(dump: str) -> list[str]:
    """Of ``apt-config dump``, the lines on how to reach archives and how far to trust their dates."""
    return [line for line in dump.splitlines() if line.startswith(_APT_OPTIONS) and '""' not in line]


def sources_list(archives: Mapping[str, str], suite: str) -> str:
    """apt's sources.list(5) for a release of Debian, with its updates and its security archive."""
    lines = (
        (archives["debian"], suite),
        (archives["debian"], f"{suite}-updates"),
        (archives["debian-security"], f"{suite}-security"),
    )
    return "".join(f"deb [signed-by={KEYRING}] {uri} {name} main\n" for uri, name in lines)


def layers(cache: str, recipe: Mapping[str, Any], packages: Sequence[str]) -> dict[str, str]:
    """The directory of each layer, by its name."""
    base = _digest(recipe)
    full = _digest([base, sorted(packages)])
    return {
        "base": f"{cache}/layers/base-{base}",
        "archives": f"{cache}/layers/archives-{full}",
        "packages": f"{cache}/layers/packages-{full}",
        "kernel": f"{cache}/layers/kernel-{base}",
    }


def stack(paths: Mapping[str, str], layer: str) -> list[str]:
    """The directories of a host on ``layer``, topmost first, as overlayfs wants them."""
    below = [paths["archives"], paths["base"]]
    return [paths["packages"], *below] if layer == "packages" else below


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    """What ``read`` needs to know."""
    return dict(wanted)


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{root, recipe, layers, cached, used, free}``: how it would be built here, and what is in the cache.

    ``cached`` are the layers' directories there, ``used`` those that the lab's hosts stand on.
    """
    lists = ["/etc/apt/sources.list", *(f"/etc/apt/sources.list.d/{n}" for n in io.listdir("/etc/apt/sources.list.d"))]
    recipe = {
        "recipe": RECIPE,
        "suite": asked["suite"],
        "architecture": io.run(["dpkg", "--print-architecture"]).out.strip(),
        "mirrors": mirrors(io.read_text(path) or "" for path in lists if path.endswith((".list", ".sources"))),
        "apt": apt_options(io.run(["apt-config", "dump"]).out),
        "certificates": {
            name: io.digest(f"{CERTIFICATES}/{name}") for name in io.listdir(CERTIFICATES) if name.endswith(".crt")
        },
        "packages": list(BASE_PACKAGES),
    }
    directory = f"{asked['cache_dir']}/layers"
    used = [
        layer
        for name in io.listdir(f"{RUN}/hosts")
        for layer in json.loads(io.read_text(f"{RUN}/hosts/{name}/host.json") or "{}").get("layers", ())
    ]
    room = io.run(["stat", "-f", "-c", "%a %S", nearest(io, directory)]).out.split()
    return {
        "root": io.run(["id", "-u"]).out.strip() == "0",
        "recipe": recipe,
        "layers": layers(asked["cache_dir"], recipe, asked["packages"]),
        "cached": [f"{directory}/{name}" for name in io.listdir(directory)],
        "used": used,
        "free": int(room[0]) * int(room[1]),
    }


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """Build the layers that are not there, then drop those that nothing needs any more."""
    paths = current["layers"]
    needed = ["base", "archives", *(["packages"] if wanted["layer"] == "packages" else [])]
    needed += ["kernel"] if wanted["kernel"] else []
    missing = [name for name in needed if paths[name] not in current["cached"]]
    findings = []
    if missing and not current["root"]:
        findings.append(not_root("lab_image"))
    if missing and current["free"] < NEEDED_BYTES:
        findings.append(
            Finding(
                "error",
                "lab.no_space",
                wanted["cache_dir"],
                f"{current['free'] >> 20} MiB are free, and building the image takes {NEEDED_BYTES >> 20} MiB.",
                "Make room, or set lab_cache_dir to a larger file system.",
            )
        )
    context = {
        "recipe": current["recipe"],
        "layers": paths,
        "packages": sorted(wanted["packages"]),
        "cache_dir": wanted["cache_dir"],
        "log": wanted["log"],
    }
    changes = [
        Change(paths[name], "build", after=_describe(name, current["recipe"], wanted), data={"name": name, **context})
        for name in missing
    ]
    old = sorted(set(current["cached"]) - {*paths.values(), *current["used"]})
    changes += [Change(path, "delete", before="layer of an earlier image, used by no host") for path in old]
    return Plan(changes, findings)


def apply(io: IO, plan: Plan) -> None:
    """Build and delete; each layer appears when it is complete."""
    for change in plan:
        if change.action == "delete":
            io.run(["rm", "-rf", "--one-file-system", change.subject])
        else:
            _build(io, change)


def result(current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """What the module returns: the stack of directories for a host on each of the layers, and what a VM has on top."""
    paths = current["layers"]
    return {"layers": {**{name: stack(paths, name) for name in ("base", "packages")}, "kernel": [paths["kernel"]]}}


def not_root(where: str) -> Finding:
    """The refusal of a module that root was not given."""
    return Finding(
        "error", "lab.not_root", where, "it needs root: it mounts, makes devices and network namespaces.",
        "Run it as root, or with become.",
    )  # fmt: skip


def script(name: str, context: Mapping[str, Any], scratch: str) -> str:
    """The shell script that makes a layer in ``scratch``/layer. It runs in mount and PID namespaces of its own."""
    recipe, paths = context["recipe"], context["layers"]
    variables = {
        "scratch": scratch,
        "upper": f"{scratch}/layer",
        "packages": " ".join(context["packages"]),
        "lower": ":".join([paths["base"]] if name == "archives" else stack(paths, "base")),
        "include": ",".join(recipe["packages"]),
        "suite": recipe["suite"],
        "architecture": recipe["architecture"],
        "certificates": CERTIFICATES,
        "sources": sources_list(recipe["mirrors"], recipe["suite"]),
        "apt": "".join(line + "\n" for line in recipe["apt"]),
    }
    head = "".join(f"{key}={shlex.quote(value)}\n" for key, value in variables.items())
    return f"{HEAD}{head}{_SCRIPTS[name]}"


_SCRIPTS = {
    "base": """
root=$scratch/layer
printf '%s' "$sources" > "$scratch/sources.list"
printf '%s' "$apt" > "$scratch/apt.conf"
mmdebstrap --variant=minbase --mode=root --architectures="$architecture" --include="$include" \\
    --aptopt="$scratch/apt.conf" "$suite" "$root" "$scratch/sources.list"
if [ -d "$certificates" ]; then
    cp -a "$certificates/." "$root$certificates/"
    chroot "$root" update-ca-certificates
fi
# Each host has its own name, keys and identity.
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/hosts" "$root/etc/resolv.conf"
: > "$root/etc/machine-id"
systemctl --root="$root" enable ssh.service systemd-networkd.service
# They would take apt's lock when a role wants it, and change packages that are under test.
systemctl --root="$root" mask apt-daily.timer apt-daily-upgrade.timer
# The kernel is the machine's: a container has no use for them.
systemctl --root="$root" mask sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount
""",
    "archives": f"""{MOUNT}
chroot "$root" apt-get -q update
chroot "$root" apt-get -q -y --download-only --no-install-recommends install $packages
{UNMOUNT}""",
    # The kernel deals with its file systems itself, and QEMU loads it: no initramfs, no boot loader, no hooks.
    "kernel": f"""{MOUNT}
name=$(chroot "$root" apt-cache depends "linux-image-cloud-$architecture" | sed -n 's/^ *Depends: //p')
chroot "$root" sh -c 'cd /tmp && apt-get -q -o APT::Sandbox::User=root download "$0"' "$name"
chroot "$root" sh -c 'dpkg-deb --fsys-tarfile /tmp/*.deb | tar -x --keep-directory-symlink'
rm "$root"/tmp/*.deb
# Emulated, a machine takes half a second to decompress a module.
chroot "$root" python3 -c '
import lzma, pathlib
for module in pathlib.Path("/usr/lib/modules").rglob("*.ko.xz"):
    module.with_suffix("").write_bytes(lzma.decompress(module.read_bytes()))
    module.unlink()
'
chroot "$root" depmod "${{name#linux-image-}}"
mv "$root"/boot/vmlinuz-* "$root/boot/vmlinuz"
{UNMOUNT}""",
    "packages": f"""{MOUNT}
enabled() {{ systemctl --root="$root" list-unit-files --state=enabled --no-legend --plain | cut -d' ' -f1 | sort; }}
enabled > "$scratch/before"
printf '#!/bin/sh\\nexit 101\\n' > "$root/usr/sbin/policy-rc.d"
chmod 0755 "$root/usr/sbin/policy-rc.d"
chroot "$root" apt-get -q -y --no-download --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \\
    install $packages
rm "$root/usr/sbin/policy-rc.d"
# A unit runs when a role has configured it, and not because its package is in the image.
enabled | comm -13 "$scratch/before" - | xargs -r systemctl --root="$root" disable
{UNMOUNT}""",
}


def _build(io: IO, change: Change) -> None:
    name, context = change.data["name"], change.data
    cache_dir = context["cache_dir"]
    program = script(name, context, building.scratch(cache_dir, name))
    building.build(io, cache_dir, name, program, change.subject, context["log"])


def _describe(name: str, recipe: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    if name == "base":
        return "\n".join([f"debian {recipe['suite']} {recipe['architecture']}", *recipe["packages"]])
    return "linux-image-cloud" if name == "kernel" else "\n".join(sorted(wanted["packages"]))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def nearest(io: IO, path: str) -> str:
    """The path itself, or the nearest directory above it that exists."""
    while not io.exists(path):
        path = path.rpartition("/")[0] or "/"
    return path
