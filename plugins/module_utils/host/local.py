# SPDX-License-Identifier: Apache-2.0
"""The host, as the core sees it: commands and files. Standard library only; injected, so tests replace it."""

from __future__ import annotations

import contextlib
import fcntl
import grp
import hashlib
import os
import pwd
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..core import host_io
from ..core.errors import HoldfastError
from ..core.host_io import Result

CHANGE_LOCK = "/run/holdfast/change.lock"


class Host:
    """Commands and files of the machine that this runs on. Several threads may use it at once."""

    def __init__(self) -> None:
        self._tokens: dict[str, Any] = {}

    @contextlib.contextmanager
    def alone(self, seconds: float = 900, path: str = "") -> Iterator[None]:
        """Wait for a change of Holdfast's that is under way on this host, and keep others waiting for this one.

        A killed run leaves its last module at work on the host; the next run must not work beside it. Raises
        HoldfastError when the other one does not end within ``seconds``. ``path`` is the lock's file, when the change
        is one that others may go on beside.
        """
        path = path or CHANGE_LOCK
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        deadline = time.monotonic() + seconds
        with open(path, "a", encoding="utf-8") as stream:
            while True:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise HoldfastError(
                            f"Another change has been under way on this host for {seconds:.0f} s. "
                            f"Fix: look for it (fuser {path}), let it end, and run this again."
                        ) from None
                    time.sleep(0.2)
            yield

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        user: str | None = None,
    ) -> Result:
        """Run a command without a shell, in the C locale. Raises HoldfastError when it fails and ``check`` is set.

        Secrets go through ``stdin`` or ``env``, never through ``argv``: others can read a command line.
        ``timeout`` is in seconds. ``user`` runs it as that user.
        """
        environment = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
        if user:
            argv = ["/usr/sbin/runuser", "-u", user, "--", *argv]
        try:
            done = subprocess.run(
                list(argv),
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                env=environment,
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError:
            result = Result(127, "", f"{argv[0]}: command not found")
        except subprocess.TimeoutExpired:
            result = Result(124, "", f"no answer within {timeout:g} s")
        else:
            result = Result(done.returncode, done.stdout, done.stderr)
        if check and result.rc != 0:
            reason = (result.err.strip() or result.out.strip() or "no output")[-2000:]
            raise HoldfastError(f"`{' '.join(argv)}` failed with exit status {result.rc}: {reason}")
        return result

    def read(self, path: str) -> bytes | None:
        """A file's content, or None when there is no such file."""
        try:
            with open(path, "rb") as stream:
                return stream.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read_text(self, path: str) -> str | None:
        content = self.read(path)
        return None if content is None else content.decode("utf-8", "replace")

    def stat(self, path: str) -> dict[str, Any] | None:
        """``{type, mode, owner, group, target}`` of a path itself (a link is not followed), or None.

        ``type`` is file, directory, link, block or other; ``mode`` is four octal digits, such as ``0640``.
        """
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISLNK, "link"), (stat.S_ISBLK, "block"))
        return {
            "type": next((name for test, name in kinds if test(status.st_mode)), "other"),
            "mode": f"{stat.S_IMODE(status.st_mode):04o}",
            "owner": _name(pwd.getpwuid, status.st_uid),
            "group": _name(grp.getgrgid, status.st_gid),
            "target": os.readlink(path) if stat.S_ISLNK(status.st_mode) else None,
        }

    def block_number(self, path: str) -> str | None:
        """``major:minor`` of the block device that a path leads to, or None when it leads to no such thing."""
        try:
            status = os.stat(path)
        except OSError:
            return None
        return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}" if stat.S_ISBLK(status.st_mode) else None

    def read_at(self, path: str, offset: int, length: int) -> bytes:
        """``length`` bytes of a file or device from ``offset`` on; fewer at its end. HoldfastError if it is broken."""
        try:
            with open(path, "rb", buffering=0) as stream:
                return os.pread(stream.fileno(), length, offset)
        except OSError as error:
            raise HoldfastError(f"{path} cannot be read: {error.strerror}.") from error

    def write_zeros(self, path: str, places: Sequence[tuple[int, int]]) -> None:
        """Zeros at each offset of a block device, so many, as far as it goes; on the disk when this returns.

        Raises HoldfastError when the kernel says that it is in use.
        """
        try:
            handle = os.open(path, os.O_WRONLY | os.O_EXCL)
        except OSError as error:
            raise HoldfastError(f"{path} cannot be held alone: {error.strerror}.") from error
        try:
            end = os.lseek(handle, 0, os.SEEK_END)
            for offset, length in places:
                os.pwrite(handle, bytes(max(min(length, end - offset), 0)), offset)
            os.fsync(handle)
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def claimed(self, path: str) -> Iterator[None]:
        """Hold a block device alone. Raises HoldfastError when the kernel says that it is in use."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_EXCL)
        except OSError as error:
            raise HoldfastError(f"{path} cannot be held alone: {error.strerror}.") from error
        try:
            yield
        finally:
            os.close(handle)

    def digest(self, path: str) -> str | None:
        """SHA-256 of a file, in hexadecimal, or None when there is no such file."""
        content = self.read(path)
        return None if content is None else hashlib.sha256(content).hexdigest()

    def listdir(self, path: str) -> list[str]:
        """Names in a directory, sorted; empty when there is no such directory."""
        try:
            return sorted(os.listdir(path))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def realpath(self, path: str) -> str:
        return os.path.realpath(path)

    def write(
        self, path: str, content: str | bytes, *, mode: str = "0644", owner: str = "root", group: str = "root"
    ) -> None:
        """Write a file whole or not at all: a reader, or a crash, never meets half of it."""
        data = content.encode() if isinstance(content, str) else content
        directory = os.path.dirname(path)
        os.makedirs(directory, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".holdfast-", dir=directory)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fchown(stream.fileno(), pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid)
                os.fchmod(stream.fileno(), int(mode, 8))
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    def create(self, path: str, content: str) -> bool:
        """Write a file, 0600, that must not exist yet. False, and nothing is written, when it does."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        with os.fdopen(handle, "w") as stream:
            stream.write(content)
        return True

    def make_directory(self, path: str, *, mode: str = "0755", owner: str = "root", group: str = "root") -> None:
        os.makedirs(path, exist_ok=True)
        self.set_owner(path, mode=mode, owner=owner, group=group)

    def set_owner(self, path: str, *, mode: str, owner: str, group: str) -> None:
        os.chown(path, pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid)
        os.chmod(path, int(mode, 8))

    def link(self, path: str, target: str) -> None:
        """Make ``path`` a symbolic link to ``target``, replacing a link or file that stands there."""
        temporary = f"{path}.holdfast-link"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        os.symlink(target, temporary)
        os.replace(temporary, path)

    def has_address(self, address: str) -> bool:
        """Whether an address is this host's own: on an interface, and usable."""
        import socket

        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((address, 0))
            except OSError:
                return False
        return True

    def greeting(self, address: str, port: int, source: str, length: int, timeout: float) -> tuple[str, bytes]:
        """What a server says first, up to ``length`` bytes: ``open`` and the bytes, else ``refused`` or ``silent``."""
        import socket

        try:
            with socket.create_connection((address, port), timeout, (source, 0)) as channel:
                said = b""
                while len(said) < length and (part := channel.recv(length - len(said))):
                    said += part
                return "open", said
        except ConnectionRefusedError:
            return "refused", b""
        except OSError:
            return "silent", b""

    def admin_socket(self, path: str, command: str) -> Any:
        """What a daemon of Ceph answers on its own socket; None where nothing does."""
        import json
        import socket

        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
                channel.settimeout(5)
                channel.connect(path)
                channel.sendall(json.dumps({"prefix": command, "format": "json"}).encode() + b"\0")
                with channel.makefile("rb") as stream:
                    length = int.from_bytes(stream.read(4), "big")
                    return json.loads(stream.read(length))
        except (OSError, ValueError):
            return None

    def monitor(self, path: str, name: str, **arguments: Any) -> Any:
        """What a virtual machine of QEMU answers to a command on its socket; None where nothing does."""
        from .qmp import command

        return command(path, name, arguments)

    def rename(self, path: str, new: str) -> None:
        """Give a file or directory its final name at once. What has that name already must be an empty directory."""
        os.rename(path, new)

    def ceph(self, entity: str, keyring: str, timeout: float = 5.0, *, key: str = "") -> host_io.Cluster:
        """A conversation with the cluster of /etc/ceph/ceph.conf as ``entity``, with ``key`` in place of a keyring."""
        from .rados import Cluster

        return Cluster(entity, keyring, timeout, key=key)

    def openstack(self, access: Mapping[str, str]) -> host_io.Api:
        """The identity service, and by it the others."""
        from .openstack import Api

        return Api(access, self._tokens)

    def remove(self, path: str) -> None:
        """Remove a file or link; nothing happens when it is gone already."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _name(look_up: Callable[[int], Sequence[Any]], number: int) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)
