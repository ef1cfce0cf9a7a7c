#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Attach a volume to a host as a compute host does, write and read it, and detach it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: attached_volume
short_description: Write to a volume, and read it, on a host to which it is attached
version_added: "1.0.0"
description:
  - Attaches a volume of the volume service to the host by C(os-brick), as a compute host does, writes content at its
    start that is made from a name when O(seed) is given, reads as much back past the host's memory, and detaches it.
  - The volume service is asked by an action of the same name, on the controller, with O(volume). The module itself gets
    O(connection) and O(credentials), what the service said; or neither, and then tells what the service wants to know
    of the host.
  - For verification. What the volume held at its start is lost when O(seed) is given.
  - Needs C(python3-os-brick).
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.verifies
options:
  volume:
    description: Id of the volume. For the action.
    type: str
  connection:
    description: What the volume service says of the way to the volume. From the action.
    type: dict
  credentials:
    description: The secrets among it, by name. From the action.
    type: dict
  multipath:
    description: Whether all ways to the volume are used.
    type: bool
    default: true
  ways:
    description: How many ways the host has to have before the volume is used. They are waited for, at most a minute.
    type: int
    default: 1
  mount_options:
    description: How a share is mounted.
    type: str
    default: nfsvers=4.2,proto=tcp,hard
  address:
    description: The host's address on br-storage.
    type: str
    required: true
  seed:
    description: Name from which the content is made that is written. Without it nothing is written.
    type: str
    default: ""
  size:
    description: How many bytes at the start of the volume are written and read, 1 to 267386880 (255 MiB).
    type: int
    required: true
  wrong_secret:
    description:
      - Whether to come with another secret than that of the volume first, which has to be refused. Then the host comes
        to the same target with the right one.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Write a volume as an instance would
  holdfast.storage.attached_volume:
    volume: 2941de3e-1bcc-42ee-87fa-627fe7d2e4e3
    address: 172.29.244.31
    seed: 20260101000000/disk
    size: 16777216
  delegate_to: compute1
"""

RETURN = r"""
sha256:
  description: SHA-256 of what was read, in hexadecimal.
  returned: when it was attached
  type: str
image:
  description: The device or file that the volume was on the host.
  returned: when it was attached
  type: str
ways:
  description: How many ways to the volume the host had.
  returned: when it was attached
  type: int
refused:
  description: What the host was told when it came with a wrong secret.
  returned: when O(wrong_secret) is true and it was refused
  type: str
codes:
  description: The exit status of iscsiadm at each of these logins.
  returned: when O(wrong_secret) is true and it was refused
  type: list
  elements: int
connector:
  description: What the volume service wants to know of the host.
  returned: when O(connection) is not given
  type: dict
"""

import hashlib
import mmap
import os
import random
import secrets
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

CHUNK = 4 * 1024 * 1024
LARGEST = 255 * 1024 * 1024  # of what Python makes from a seed in one go
MOUNTS = "/run/holdfast-volumes"
WAYS_SECONDS = 60  # os-brick goes on as soon as one way is there; a slow host finds the others later


def write(path: str, seed: str, size: int) -> None:
    """Write content that follows from the seed, and return when the device has it.

    Each chunk is synced, so that a failure can tell how much the device has acknowledged.
    """
    content = random.Random(seed).randbytes(size)  # noqa: S311 - repeatable, not secret
    handle = os.open(path, os.O_WRONLY)
    place = 0
    try:
        for place in range(0, size, CHUNK):
            os.pwrite(handle, content[place : place + CHUNK], place)
            os.fsync(handle)
    except OSError as error:
        raise OSError(f"{error}, after {place} bytes that are on the device") from error
    finally:
        os.close(handle)


def read(path: str, size: int) -> str:
    """SHA-256 of the start of a device or file, past the memory of this host."""
    digest = hashlib.sha256()
    handle = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        with mmap.mmap(-1, CHUNK) as buffer:  # as aligned as reading past the memory wants it
            for place in range(0, size, CHUNK):
                length = min(CHUNK, size - place)
                if os.preadv(handle, [memoryview(buffer)[:length]], place) != length:
                    raise OSError(f"{path} ends before {size} bytes")
                digest.update(buffer[:length])
    finally:
        os.close(handle)
    return digest.hexdigest()


def as_owner(path: str) -> None:
    """Become the owner of a file: who root of a client is on a share is the server's to say."""
    status = os.stat(os.path.dirname(path))
    os.setgroups([])
    os.setgid(status.st_gid)
    os.setuid(status.st_uid)


def in_child(work: Callable[..., str], *arguments: Any) -> str:
    """What a function returns, run in a process of its own, which may give up its rights."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            text = work(*arguments)
        except OSError as error:
            text = f"!{error}"
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    if answer.startswith("!") or not answer:
        raise OSError(answer[1:] or "the process that wrote ended")
    return answer


def use(path: str, seed: str, size: int, owned: bool) -> str:
    """Write, where there is a seed, and read. ``owned``: as the owner of the directory of the file."""
    if owned:
        as_owner(path)
    if seed:
        write(path, seed, size)
    return read(path, size)


class VolumeError(Exception):
    """Why there is no answer, for people."""


class Brick:
    """The libraries by which a host attaches volumes. Raises ImportError where they are missing."""

    def __init__(self) -> None:
        from os_brick import exception, privileged
        from os_brick.initiator import connector
        from os_brick.privileged import rootwrap
        from oslo_concurrency import lockutils, processutils

        # This process is root already and needs no second one.
        privileged.default.set_client_mode(False)
        lockutils.set_defaults(lock_path="/run/lock")
        self.connector, self.rootwrap = connector, rootwrap
        self.failed = processutils.ProcessExecutionError
        self.refusals = (exception.BrickException, processutils.ProcessExecutionError, OSError)


class Connector:
    """os-brick's way to one volume, and what it refused."""

    def __init__(self, given: Mapping[str, Any], brick: Brick) -> None:
        kind = given["connection"]["driver_volume_type"]
        mounted = {"nfs_mount_point_base": MOUNTS, "nfs_mount_options": given["mount_options"]}
        self._brick = brick
        self._is_file = kind == "nfs"
        self._data = {**given["connection"]["data"], **(given["credentials"] or {})}
        self._codes: list[int] = []
        self._wanted_ways = given["ways"]
        self._way = brick.connector.InitiatorConnector.factory(
            kind,
            "",
            use_multipath=given["multipath"],
            device_scan_attempts=5,
            execute=self._execute,
            **(mounted if self._is_file else {}),
        )

    def _execute(self, *words: str, **options: Any) -> tuple[str, str]:
        # os-brick keeps why a login failed to its log.
        try:
            shown: tuple[str, str] = self._brick.rootwrap.execute(*words, **options)
        except self._brick.failed as error:
            self._codes.extend([error.exit_code] if "--login" in words else [])
            raise
        return shown

    def try_wrong_secret(self) -> dict[str, Any]:
        """``{refused, codes}``: how a login with another secret was refused. Raises VolumeError when it was not."""
        wrong = {**self._data, "auth_password": secrets.token_hex(8)}
        try:
            let_in = self._way.connect_volume(wrong)
        except self._brick.refusals as error:
            return {"refused": f"{type(error).__name__}: {error}"[:300], "codes": list(self._codes)}
        self._way.disconnect_volume(wrong, let_in)
        raise VolumeError("The volume was attached with a wrong secret.")

    def use(self, seed: str, size: int) -> dict[str, Any]:
        """``{sha256, image, ways}`` of the volume, attached meanwhile. Raises VolumeError."""
        try:
            device = self._way.connect_volume(self._data)
        except self._brick.refusals as error:
            raise VolumeError(f"The volume could not be attached: {error}"[:600]) from error
        path = device["path"]
        broken = False
        try:
            ways = wait_for_ways(path, self._wanted_ways)
            return {"sha256": in_child(use, path, seed, size, self._is_file), "image": path, "ways": ways}
        except OSError as error:
            broken = True
            raise VolumeError(f"{path}: {error}") from error
        finally:
            # What a device that is gone has not taken can not be flushed.
            self._way.disconnect_volume(self._data, device, force=broken, ignore_errors=broken)
            if self._is_file:  # os-brick leaves the share to those who use it still; here nobody does
                subprocess.run(["/usr/bin/umount", os.path.dirname(path)], check=False, capture_output=True)


def ways_to(path: str) -> int:
    """How many disks stand beneath a device; one for a file."""
    try:
        return len(os.listdir(f"/sys/class/block/{os.path.basename(os.path.realpath(path))}/slaves")) or 1
    except FileNotFoundError:
        return 1


def wait_for_ways(path: str, wanted: int) -> int:
    """How many ways there are: as soon as there are enough, or when the time for it has passed."""
    until = time.monotonic() + WAYS_SECONDS
    while (found := ways_to(path)) < wanted and time.monotonic() < until:
        time.sleep(0.2)
    return found


OPTIONS = {
    "volume": {"type": "str"},
    "connection": {"type": "dict"},
    "credentials": {"type": "dict", "no_log": True},
    "multipath": {"type": "bool", "default": True},
    "ways": {"type": "int", "default": 1},
    "mount_options": {"type": "str", "default": "nfsvers=4.2,proto=tcp,hard"},
    "address": {"type": "str", "required": True},
    "seed": {"type": "str", "default": ""},
    "size": {"type": "int", "required": True},
    "wrong_secret": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS)
    given = module.params
    if not 0 < given["size"] <= LARGEST:
        module.fail_json(msg=f"size is {given['size']}. Fix: give 1 to {LARGEST} bytes.")
    try:
        brick = Brick()
    except ImportError as error:
        module.fail_json(msg=f"A library is missing: {error}. Run this on a host that attaches volumes.")
    os.makedirs(MOUNTS, exist_ok=True)
    if not given["connection"]:
        found = brick.connector.get_connector_properties("", given["address"], given["multipath"], False)
        module.exit_json(changed=False, connector=found)
    try:
        way = Connector(given, brick)
        refused = way.try_wrong_secret() if given["wrong_secret"] else {}
        said = way.use(given["seed"], given["size"])
    except VolumeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(given["seed"]), **said, host=os.uname().nodename, parent="", **refused)


if __name__ == "__main__":
    main()
