# SPDX-License-Identifier: Apache-2.0
"""Changes that may cut a host off: the host itself undoes them unless they are confirmed in time.

``arm`` keeps copies of the files that will change and has the host's service manager undo everything after so many
seconds. The change is then made, and ``confirm``, called over a new connection, keeps it. Whatever dies in between (the
controller, the connection, the module, every process but the service manager), the files come back by the timer; after
a reboot they come back before the network starts. A change is undone or confirmed, never both: each begins by renaming
the same directory. Each has an identity, since what a killed run left running may come to confirm when the change that
waits is another run's; whoever arms, confirms or undoes is alone with changes of the host (``Host.alone``).

State is in ``/var/lib/holdfast/guard/<name>``::

    pending/    change (its identity), paths, files/ (copies, by absolute path), undo (shell, after the files are back)
    undoing/    the same, while it is undone
    undone/     the same, of the last change that was undone
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from ..core.base import system
from ..core.base.system import SYSTEMCTL
from ..core.host_io import IO

STATE = f"{system.STATE}/guard"
SCRIPT = "/usr/local/lib/holdfast/guard"
UNITS = "/etc/systemd/system"

_SCRIPT = f"""\
#!/bin/sh
# Undoes changes that nobody confirmed. `guard NAME`: on a running system. `guard --boot`: all, before the network.
restore() {{
    cd "{STATE}/$1" || return 1
    [ -d undoing ] || mv -T pending undoing 2>/dev/null || return 1
    left=
    while read -r path; do
        if [ -e "undoing/files$path" ] || [ -L "undoing/files$path" ]; then
            # Beside it and then in its place: a full disk leaves no file half, and the next time makes up for it.
            {{ mkdir -p "${{path%/*}}" && cp -aT "undoing/files$path" "$path.holdfast" &&
                mv -fT "$path.holdfast" "$path"; }} || {{ rm -f "$path.holdfast"; left=yes; }}
        else
            rm -f "$path"
        fi
    done < undoing/paths
}}
finish() {{
    [ -z "$left" ] && rm -rf undone && mv -T undoing undone && sync .
}}
if [ "$1" = --boot ]; then
    for state in {STATE}/*/; do
        name=$(basename "$state")
        (restore "$name" && finish && echo "Undid the change of $name that was not confirmed before the restart.")
    done
    exit 0
fi
restore "$1" || exit 0
echo "Nobody confirmed the change of $1 in time: the files that were before are back."
/bin/sh undoing/undo
finish
"""

_UNITS = {
    # Kept from nothing: it may have to start what the site's own scripts of ifupdown start.
    "holdfast-guard@.service": f"""\
[Unit]
Description=Undo the change of %i that nobody confirmed

[Service]
Type=oneshot
ExecStart=/bin/sh {SCRIPT} %i
""",
    "holdfast-guard-boot.service": f"""\
[Unit]
Description=Undo changes that nobody confirmed before the restart
DefaultDependencies=no
RequiresMountsFor=/var/lib/holdfast /etc /usr/local
After=systemd-remount-fs.service
Before=network-pre.target systemd-networkd.service networking.service holdfast-firewall.service shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
ExecStart=/bin/sh {SCRIPT} --boot
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID
RestrictAddressFamilies=AF_UNIX
{system.CONFINED}
[Install]
WantedBy=sysinit.target
""",
}
_ENABLED = f"{UNITS}/sysinit.target.wants/holdfast-guard-boot.service"


def waiting(io: IO, name: str) -> str:
    """The identity of the change that waits for its confirmation. Empty when none does."""
    return io.read_text(f"{STATE}/{name}/pending/change") or ""


def arm(io: IO, name: str, *, paths: Sequence[str], undo: Sequence[str], seconds: int, change: str) -> None:
    """Keep ``paths`` as they are now, and have them back after ``seconds`` unless ``confirm`` is called.

    ``undo``: shell commands that run when the files are back, with failures ignored; not at boot, where nothing of
    the change is there but its files. Paths that do not exist now are removed when the change is undone. ``change`` is
    its identity.
    """
    _install(io)
    state = f"{STATE}/{name}"
    new = f"{state}/new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(f"{new}/files", mode=0o700)
    for path in paths:
        if os.path.lexists(path):
            _copy(path, f"{new}/files{path}")
    io.write(f"{new}/change", change, mode="0600")
    io.write(f"{new}/paths", "".join(f"{path}\n" for path in paths), mode="0600")
    io.write(f"{new}/undo", "".join(f"{line}\n" for line in undo), mode="0600")
    _flush(new)
    os.rename(new, f"{state}/pending")
    _flush(state)
    io.run(
        [
            "/usr/bin/systemd-run",
            "--quiet",
            f"--unit=holdfast-guard@{name}.service",
            f"--on-active={seconds}",
            "--timer-property=AccuracySec=100ms",
        ]
    )


def confirm(io: IO, name: str, change: str) -> bool:
    """Keep the change. False when the host has undone it, or is about to, or when it is not what waits."""
    state = f"{STATE}/{name}"
    if not change or waiting(io, name) != change:
        return False
    # What a confirmation left that was killed would keep its name.
    shutil.rmtree(f"{state}/confirmed", ignore_errors=True)
    try:
        os.rename(f"{state}/pending", f"{state}/confirmed")
    except FileNotFoundError:
        return False
    # Otherwise a power cut could bring back what was pending, and the next start would undo what is confirmed.
    _flush(state)
    io.run([SYSTEMCTL, "stop", f"holdfast-guard@{name}.timer"], check=False)
    shutil.rmtree(f"{state}/confirmed", ignore_errors=True)
    return True


def undo(io: IO, name: str) -> None:
    """Undo the pending change now, and wait until that is done."""
    io.run([SYSTEMCTL, "start", f"holdfast-guard@{name}.service"])
    io.run([SYSTEMCTL, "stop", f"holdfast-guard@{name}.timer"], check=False)


def _copy(path: str, target: str) -> None:
    """A file or link with its owner, permissions and times."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy2(path, target, follow_symlinks=False)
    status = os.lstat(path)
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)


def _flush(directory: str) -> None:
    """Have a directory's files and entries on the disk, so that a power cut does not lose the way back."""
    for parent, _, names in os.walk(directory):
        for path in (parent, *(os.path.join(parent, name) for name in names)):
            if not os.path.islink(path):
                handle = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)


def _install(io: IO) -> None:
    changed = False
    for path, text, mode in (
        (SCRIPT, _SCRIPT, "0755"),
        *((f"{UNITS}/{unit}", text, "0644") for unit, text in _UNITS.items()),
    ):
        if io.read_text(path) != text:
            io.write(path, text, mode=mode)
            changed = True
    if not io.exists(_ENABLED):
        io.make_directory(os.path.dirname(_ENABLED))
        io.link(_ENABLED, f"{UNITS}/holdfast-guard-boot.service")
        changed = True
    if changed:
        io.run([SYSTEMCTL, "daemon-reload"])
    io.make_directory(system.STATE, mode="0700")
