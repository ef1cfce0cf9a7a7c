#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Write a file to a share, and read it, as a client of shared file systems does."""

from __future__ import annotations

DOCUMENTATION = r"""
module: share_file
short_description: Write a file to a share, and read it, as a client does
version_added: "1.1.0"
description:
  - Reaches a share by NFS, CIFS or CephFS, writes a file with content that is made from a name when O(seed) is given,
  and reads as much of it back over the network.
  - With O(kernel) the host's kernel mounts the share, for a moment. Otherwise clients in user space do, which a
  container needs. CephFS is always mounted by C(ceph-fuse).
  - The service of shared file systems is asked by an action of the same name, on the controller, with O(share). It
  gives a client access when O(access) says so, and the module what it has to know.
  - For verification. A file of that name is lost when O(seed) is given.
  - Needs C(libnfs-utils) and C(smbclient), or C(nfs-common) and C(cifs-utils) with O(kernel); for CephFS C(ceph-fuse).
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.verifies
options:
  share:
    description: What the verification calls the share. For the action.
    type: str
  run:
    description: The verification. For the action.
    type: str
  access:
    description: Whether the client is let in first, or kept out; V(none) leaves that as it is. For the action.
    type: str
    choices: [allow, deny, none]
    default: none
  client:
    description: Whom the service knows the client by, an address or a user of Ceph. For the action.
    type: str
  protocol:
    description: How the share is reached.
    type: str
    choices: [NFS, CIFS, CEPHFS]
    required: true
  location:
    description: Where it is, as the service of shared file systems says. From the action.
    type: str
  file:
    description: Name of the file.
    type: str
    default: holdfast-verify
  seed:
    description: Name from which the content is made that is written. Without it nothing is written.
    type: str
    default: ""
  size:
    description: How many bytes are written and read.
    type: int
    required: true
  user:
    description: For CephFS, the user of Ceph without C(client.). From the action.
    type: str
    default: ""
  key:
    description: For CephFS, the user's key. From the action.
    type: str
    default: ""
  filesystem:
    description: For CephFS, the name of the file system.
    type: str
    default: ""
  kernel:
    description: Whether the host's kernel mounts the share.
    type: bool
    default: false
  refused:
    description:
      - Whether the share has to refuse the host. Then nothing is written, and the module tries until it is refused, at
      most for O(patience) seconds.
    type: bool
    default: false
  patience:
    description: Seconds for which the module tries again where the share does not do what is expected.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Write to a share as an instance would
  holdfast.storage.share_file:
    share: nfs
    run: "20260101000000"
    access: allow
    client: 172.29.244.41
    protocol: NFS
    seed: 20260101000000/nfs
    size: 16777216
"""

RETURN = r"""
sha256:
  description: SHA-256 of what was read, in hexadecimal.
  returned: when it was read
  type: str
refused:
  description: What the client said when it was refused.
  returned: with O(refused)
  type: str
location:
  description: The share.
  returned: success
  type: str
host:
  description: Name of the host that read it.
  returned: success
  type: str
  sample: control1
"""

import contextlib
import hashlib
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

SECONDS = 60
# Anybody is a guest of the servers of CIFS: access is by address.
GUEST = "holdfast-guest"


class FailedError(Exception):
    """A client did not reach the share. Its text is what the client said."""


def run(*argv: str) -> bytes:
    """What a client prints. Raises FailedError with what it says when it fails or hangs."""
    try:
        done = subprocess.run(argv, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise FailedError(f"{argv[0]} was silent for {SECONDS} s") from None
    said = done.stderr.decode("utf-8", "replace").strip() or done.stdout[-300:].decode("utf-8", "replace").strip()
    # Some clients of NFS tell a failure, and end as if there was none.
    if done.returncode or re.search(r"(?i)failed to|nt_status_|\berror\b", said):
        raise FailedError(said[-300:] or f"{argv[0]}: status {done.returncode}")
    return done.stdout


def split(location: str) -> tuple[str, str]:
    r"""Server and path of ``server:/path``, and of ``\\server\share`` the share; the servers of CephFS with commas."""
    if location.startswith(("\\", "//")):
        server, _, name = location.replace("\\", "/").lstrip("/").partition("/")
        return server, name
    server, _, path = location.rpartition(":/")
    return server, f"/{path}"


class ByTools:
    """NFS and CIFS by clients in user space."""

    def __init__(self, given: Mapping[str, Any], scratch: str) -> None:
        self.server, self.path = split(given["location"])
        self.name, self.scratch, self.is_nfs = given["file"], scratch, given["protocol"] == "NFS"

    def _nfs(self) -> str:
        return f"nfs://{self.server}{self.path}/{self.name}?version=4&uid=0&gid=0"

    def _smb(self, command: str) -> None:
        share = f"//{self.server}/{self.path}"
        run("/usr/bin/smbclient", share, "--user", f"{GUEST}%{GUEST}", "--max-protocol", "SMB3", "--command", command)

    def write(self, content: bytes) -> None:
        path = os.path.join(self.scratch, "out")
        with open(path, "wb") as local:
            local.write(content)
        if self.is_nfs:
            run("/usr/bin/nfs-cp", path, self._nfs())
        else:
            self._smb(f'put "{path}" "{self.name}"')

    def read(self) -> bytes:
        path = os.path.join(self.scratch, "in")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if self.is_nfs:
            run("/usr/bin/nfs-cp", self._nfs(), path)
        else:
            self._smb(f'get "{self.name}" "{path}"')
        with open(path, "rb") as local:
            return local.read()


class ByMount:
    """A share that is mounted for each access, so that what is read comes over the network."""

    def __init__(self, given: Mapping[str, Any], scratch: str) -> None:
        self.given, self.scratch = given, scratch
        self.server, self.path = split(given["location"])
        self.place = os.path.join(scratch, "share")
        os.makedirs(self.place, exist_ok=True)

    def _mount(self) -> None:
        protocol = self.given["protocol"]
        if protocol == "NFS":
            options = "vers=4.2,proto=tcp,soft,timeo=50,retrans=2"
            run("/usr/bin/mount", "-t", "nfs4", "-o", options, f"{self.server}:{self.path}", self.place)
        elif protocol == "CIFS":
            options = f"username={GUEST},password={GUEST},vers=3.1.1,sec=ntlmssp"
            run("/usr/bin/mount", "-t", "cifs", "-o", options, f"//{self.server}/{self.path}", self.place)
        else:
            self._mount_ceph()

    def _mount_ceph(self) -> None:
        """By the monitors that the location names, with the key in a file of the moment."""
        conf, keyring = (os.path.join(self.scratch, name) for name in ("ceph.conf", "keyring"))
        monitors = ",".join(f"v2:{monitor}" for monitor in self.server.split(","))
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"[global]\nmon_host = [{monitors}]\nms_client_mode = secure\nms_mon_client_mode = secure\n")
        with open(os.open(keyring, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(f"[client.{self.given['user']}]\n\tkey = {self.given['key']}\n")
        about = ["--conf", conf, "--keyring", keyring, "--id", self.given["user"]]
        run(
            "/usr/bin/ceph-fuse",
            *about,
            "--client_fs",
            self.given["filesystem"],
            "--client_mountpoint",
            self.path,
            self.place,
        )

    @contextlib.contextmanager
    def _mounted(self) -> Iterator[str]:
        self._mount()
        try:
            yield os.path.join(self.place, self.given["file"])
        finally:
            run("/usr/bin/umount", self.place)

    def write(self, content: bytes) -> None:
        try:
            with self._mounted() as path, open(path, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise FailedError(str(error)) from error

    def read(self) -> bytes:
        try:
            with self._mounted() as path, open(path, "rb") as file:
                return file.read()
        except OSError as error:
            raise FailedError(str(error)) from error


def reach(given: Mapping[str, Any], scratch: str, *, writes: bool) -> dict[str, Any]:
    """Write and read, once; what was read. Raises FailedError."""
    by_mount = given["kernel"] or given["protocol"] == "CEPHFS"
    share = ByMount(given, scratch) if by_mount else ByTools(given, scratch)
    if writes:
        content = random.Random(given["seed"]).randbytes(given["size"])  # noqa: S311 - repeatable, not secret
        share.write(content)
    return {"sha256": hashlib.sha256(share.read()[: given["size"]]).hexdigest()}


def tried(given: Mapping[str, Any], *, writes: bool) -> dict[str, Any]:
    """The same until it is as expected, or ``patience`` is over. Raises FailedError."""
    deadline = time.monotonic() + given["patience"]
    while True:
        scratch = tempfile.mkdtemp(prefix="holdfast-share-")
        try:
            found = reach(given, scratch, writes=writes and not given["refused"])
            if not given["refused"]:
                return found
            if time.monotonic() > deadline:
                raise FailedError("The share let the host in.")
        except FailedError as error:
            if given["refused"] and str(error) != "The share let the host in.":
                return {"refused": str(error)}
            if time.monotonic() > deadline:
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        time.sleep(1)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "protocol": {"type": "str", "choices": ["NFS", "CIFS", "CEPHFS"], "required": True},
            "share": {"type": "str"},
            "run": {"type": "str"},
            "access": {"type": "str", "choices": ["allow", "deny", "none"], "default": "none"},
            "client": {"type": "str"},
            "location": {"type": "str"},
            "file": {"type": "str", "default": "holdfast-verify"},
            "seed": {"type": "str", "default": ""},
            "size": {"type": "int", "required": True},
            "user": {"type": "str", "default": ""},
            "key": {"type": "str", "default": "", "no_log": True},
            "filesystem": {"type": "str", "default": ""},
            "kernel": {"type": "bool", "default": False},
            "refused": {"type": "bool", "default": False},
            "patience": {"type": "int", "default": 30},
        },
        supports_check_mode=False,
    )
    given = module.params
    if not given["location"]:
        module.fail_json(msg="location is missing.")
    writes = bool(given["seed"])
    about = {"location": given["location"], "host": os.uname().nodename}
    try:
        found = tried(given, writes=writes)
    except FailedError as error:
        module.fail_json(msg=f"{given['location']}: {error}", **about)
    module.exit_json(changed=writes and not given["refused"], **about, **found)


if __name__ == "__main__":
    main()
