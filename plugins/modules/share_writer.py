#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Write to a share for a while, and tell how long a write had to wait."""

from __future__ import annotations

DOCUMENTATION = r"""
module: share_writer
short_description: Write to a share over NFS for a while, and tell how long it had to wait
version_added: "1.1.0"
description:
  - With O(kernel), mounts the share by the host's kernel, opens a file, locks it, and writes a line about each half
  second, which is on the server before the next one is written. A lock that is lost is an error of the next write.
  - Without it, a client in user space copies a small file again and again, each time anew. That says nothing of locks.
  - For verification, while a server is lost.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.verifies
options:
  location:
    description: The share, as C(server:/path).
    type: str
    required: true
  seconds:
    description: How long it writes. A write that waits then may take as long again.
    type: int
    required: true
  kernel:
    description: Whether the host's kernel mounts the share.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Write while a server is lost
  holdfast.storage.share_writer:
    location: 172.29.247.21:/volumes/_nogroup/2941de3e/ae2f
    seconds: 120
    kernel: true
"""

RETURN = r"""
writes:
  description: How many writes there were.
  returned: success
  type: int
longest:
  description: Seconds between two writes that were done, at most.
  returned: success
  type: float
locked:
  description: Whether the file was locked all the time, and could be unlocked at the end.
  returned: success
  type: bool
host:
  description: Name of the host that wrote.
  returned: success
  type: str
"""

import fcntl
import os
import subprocess
import tempfile
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

PAUSE = 0.5
COPY_SECONDS = 15
OPTIONS = "vers=4.2,proto=tcp,hard"


def by_kernel(location: str, seconds: int) -> dict[str, Any]:
    """One open file with one lock. Raises OSError when a write fails, as after a lock was lost."""
    place = tempfile.mkdtemp(prefix="holdfast-share-")
    subprocess.run(["/usr/bin/mount", "-t", "nfs4", "-o", OPTIONS, location, place], check=True, capture_output=True)
    try:
        end, last, longest, writes = time.monotonic() + seconds, time.monotonic(), 0.0, 0
        with open(os.path.join(place, "holdfast-writer"), "w", encoding="utf-8") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            while time.monotonic() < end:
                file.write(f"{writes}\n")
                file.flush()
                os.fsync(file.fileno())
                writes, longest, last = writes + 1, max(longest, time.monotonic() - last), time.monotonic()
                time.sleep(PAUSE)
            fcntl.lockf(file, fcntl.LOCK_UN)
        with open(os.path.join(place, "holdfast-writer"), encoding="utf-8") as file:
            if file.read().splitlines() != [str(number) for number in range(writes)]:
                raise OSError("The file does not hold what was written.")
        return {"writes": writes, "longest": round(longest, 1), "locked": True}
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", place], check=False, capture_output=True)
        os.rmdir(place)


def by_copies(location: str, seconds: int) -> dict[str, Any]:
    """A file after another. One that fails is tried again."""
    server, _, path = location.partition(":")
    end, last, longest, writes = time.monotonic() + seconds, time.monotonic(), 0.0, 0
    with tempfile.NamedTemporaryFile() as local:
        local.write(b"holdfast\n" * 512)
        local.flush()
        while time.monotonic() < end:
            target = f"nfs://{server}{path}/holdfast-writer-{writes % 4}?version=4&uid=0&gid=0"
            try:
                done = subprocess.run(
                    ["/usr/bin/nfs-cp", local.name, target], capture_output=True, timeout=COPY_SECONDS, check=False
                )
                ok = done.returncode == 0 and b"ailed" not in done.stderr
            except subprocess.TimeoutExpired:
                ok = False
            if ok:
                writes, longest, last = writes + 1, max(longest, time.monotonic() - last), time.monotonic()
            time.sleep(PAUSE)
    longest = max(longest, time.monotonic() - last)
    return {"writes": writes, "longest": round(longest, 1), "locked": False}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "location": {"type": "str", "required": True},
            "seconds": {"type": "int", "required": True},
            "kernel": {"type": "bool", "default": False},
        },
        supports_check_mode=False,
    )
    given = module.params
    write = by_kernel if given["kernel"] else by_copies
    try:
        found = write(given["location"], given["seconds"])
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"") or b""
        module.fail_json(msg=f"{given['location']}: {error} {said.decode('utf-8', 'replace').strip()}".strip())
    module.exit_json(changed=True, host=os.uname().nodename, **found)


if __name__ == "__main__":
    main()
