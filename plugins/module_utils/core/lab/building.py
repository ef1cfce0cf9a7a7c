# SPDX-License-Identifier: Apache-2.0
"""How a directory of the cache is built: by a shell script in namespaces of its own, complete or not at all."""

from __future__ import annotations

from ..errors import HoldfastError
from ..host_io import IO

MOUNT = """
# Nothing of a build outlives a crash, so nothing has to reach the disk before the end.
mkdir -p "$upper" "$scratch/work" "$scratch/root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$scratch/work,volatile" "$scratch/root" ||
    mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$scratch/work" "$scratch/root"
root=$scratch/root
mount -t proc proc "$root/proc"
# An empty mount point is left in the layer; each host gets its own resolv.conf.
[ -e "$root/etc/resolv.conf" ] || : > "$root/etc/resolv.conf"
mount --bind "$(readlink -f /etc/resolv.conf)" "$root/etc/resolv.conf"
"""
"""Puts ``$root`` together from the layers ``$lower``; what is written to it goes to ``$upper``."""

UNMOUNT = """
umount "$root/etc/resolv.conf" "$root/proc" "$root"
"""

HEAD = "set -eu\nexport LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive\n"

# The lock belongs to the script, so that a build whose caller was killed is waited for, not joined. The scratch
# directory is cleared under it, and what was built moves into place under it.
# sync: a directory under its final name is complete even after a power cut.
_STEPS = (
    'exec >>"$1" 2>&1; set -eu; echo "== $(date -Is) $3"; [ ! -d "$3" ] || exit 0; rm -rf --one-file-system "$2"; '
    'mkdir -p "$2" "${3%/*}"; unshare --mount --propagation private --pid --fork --kill-child --mount-proc sh "$2.sh"; '
    'sync -f "$2/layer"; mv -T "$2/layer" "$3"; rm -rf --one-file-system "$2" "$2.sh"'
)


def scratch(cache_dir: str, name: str) -> str:
    """The directory in which ``name`` is built. What its script leaves in ``layer`` there is the result."""
    return f"{cache_dir}/build/{name}"


def build(io: IO, cache_dir: str, name: str, program: str, place: str, log: str) -> None:
    """Run the shell script ``program`` and move what it made to ``place``. ``name`` is what people call it.

    Its output is appended to the file ``log``. Raises HoldfastError with the log's end when the script fails.
    """
    directory = scratch(cache_dir, name)
    for path in (f"{cache_dir}/build", log.rpartition("/")[0]):
        io.run(["mkdir", "-p", path])
    io.write(f"{directory}.sh", program, mode="0700")
    lock = f"{cache_dir}/build/lock"
    done = io.run(["flock", lock, "sh", "-c", _STEPS, "sh", log, directory, place], check=False)
    if done.rc != 0:
        tail = "\n".join((io.read_text(log) or done.err).splitlines()[-15:])
        raise HoldfastError(f"Building {place} failed. The log is {log}; it ends with:\n{tail}")
