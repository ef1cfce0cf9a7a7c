# SPDX-License-Identifier: Apache-2.0
"""What a kind is given to act on: commands and files of one host. ``host.local`` has the real one, tests their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol


@dataclass(frozen=True)
class Result:
    """What a command gave. ``out`` and ``err`` are text."""

    rc: int
    out: str
    err: str


class Api(Protocol):
    """One service of OpenStack, as a host asks it: see ``host.openstack``. ``failure`` says why there was no answer."""

    url: str
    failure: str

    def close(self) -> None:
        """Let its connection go."""

    def sign_in(self, *, known: bool = False) -> str:
        """``present`` with a token, ``refused`` when the password is wrong, ``absent`` when there is no service.

        ``known``: the token will do, with its catalog, that this process got for the same account before.
        """

    def service(self, *types: str, title: str, headers: Mapping[str, str] | None = None) -> Api | None:
        """The internal API of the first of the types that the catalog has, with the same token; None without one."""

    def get(self, collection: str, **query: str) -> Iterable[dict[str, Any]]:
        """The entries of a collection, whose name the answer gives them too."""

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """The decoded answer. Raises HoldfastError when the request is refused."""

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers in lower case, and decoded body; status 0 when there is no answer."""


class Cluster(Protocol):
    """A conversation with a Ceph cluster: see ``host.rados``. It ends with the block that it is opened for."""

    def __enter__(self) -> Cluster: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def ask(self, prefix: str, *, manager: bool = False, stdin: str = "", **arguments: Any) -> tuple[int, Any, str]:
        """A command to the monitors, or to the manager: its status (0 or -errno), its JSON or text, and its message."""

    def tell(self, prefix: str, *, manager: bool = False, stdin: str = "", **arguments: Any) -> Any:
        """A command that has to succeed; what it answers. Raises HoldfastError with what Ceph says against it."""

    def may(self, pool: str, *, write: bool) -> str:
        """Whether the entity may read or write a pool: ok, missing or denied. Nothing is changed by it."""


class IO(Protocol):
    """One host."""

    def alone(self, seconds: float = 900, path: str = "") -> contextlib.AbstractContextManager[None]:
        """Wait for a change of Holdfast's that is under way on this host, and keep others waiting for this one.

        A killed run leaves its last module at work on the host; the next run must not work beside it. Raises
        HoldfastError when the other one does not end within ``seconds``. ``path`` is the lock's file, when the change
        is one that others may go on beside.
        """

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

    def read(self, path: str) -> bytes | None:
        """A file's content, or None when there is no such file."""

    def read_text(self, path: str) -> str | None: ...

    def stat(self, path: str) -> dict[str, Any] | None:
        """``{type, mode, owner, group, target}`` of a path itself (a link is not followed), or None.

        ``type`` is file, directory, link, block or other; ``mode`` is four octal digits, such as ``0640``.
        """

    def block_number(self, path: str) -> str | None:
        """``major:minor`` of the block device that a path leads to, or None when it leads to no such thing."""

    def read_at(self, path: str, offset: int, length: int) -> bytes:
        """``length`` bytes of a file or device from ``offset`` on; fewer at its end. HoldfastError if it is broken."""

    def write_zeros(self, path: str, places: Sequence[tuple[int, int]]) -> None:
        """Zeros at each offset of a block device, so many, as far as it goes; on the disk when this returns.

        Raises HoldfastError when the kernel says that it is in use.
        """

    def claimed(self, path: str) -> contextlib.AbstractContextManager[None]:
        """Hold a block device alone. Raises HoldfastError when the kernel says that it is in use."""

    def digest(self, path: str) -> str | None:
        """SHA-256 of a file, in hexadecimal, or None when there is no such file."""

    def listdir(self, path: str) -> list[str]:
        """Names in a directory, sorted; empty when there is no such directory."""

    def exists(self, path: str) -> bool: ...

    def realpath(self, path: str) -> str: ...

    def write(
        self, path: str, content: str | bytes, *, mode: str = "0644", owner: str = "root", group: str = "root"
    ) -> None:
        """Write a file whole or not at all: a reader, or a crash, never meets half of it."""

    def create(self, path: str, content: str) -> bool:
        """Write a file, 0600, that must not exist yet. False, and nothing is written, when it does."""

    def make_directory(self, path: str, *, mode: str = "0755", owner: str = "root", group: str = "root") -> None: ...

    def set_owner(self, path: str, *, mode: str, owner: str, group: str) -> None: ...

    def link(self, path: str, target: str) -> None:
        """Make ``path`` a symbolic link to ``target``, replacing a link or file that stands there."""

    def has_address(self, address: str) -> bool:
        """Whether an address is this host's own: on an interface, and usable."""

    def greeting(self, address: str, port: int, source: str, length: int, timeout: float) -> tuple[str, bytes]:
        """What a server says first, up to ``length`` bytes: ``open`` and the bytes, else ``refused`` or ``silent``."""

    def admin_socket(self, path: str, command: str) -> Any:
        """What a daemon of Ceph answers on its own socket; None where nothing does."""

    def monitor(self, path: str, name: str, **arguments: Any) -> Any:
        """What a virtual machine of QEMU answers to a command on its socket; None where nothing does."""

    def rename(self, path: str, new: str) -> None:
        """Give a file or directory its final name at once. What has that name already must be an empty directory."""

    def ceph(self, entity: str, keyring: str, timeout: float = 5.0, *, key: str = "") -> Cluster:
        """A conversation with the cluster of /etc/ceph/ceph.conf as ``entity``, with ``key`` in place of a keyring.

        Raises HoldfastError when it does not answer within ``timeout`` seconds, RefusedError when it refuses the key.
        """

    def remove(self, path: str) -> None:
        """Remove a file or link; nothing happens when it is gone already."""

    def openstack(self, access: Mapping[str, str]) -> Api:
        """The identity service as the account of ``access`` asks it."""


class LabIO(IO, Protocol):
    """A machine on which a lab runs."""

    def wait_for_ssh(self, keys: Mapping[str, str], seconds: float) -> list[str]:
        """Wait until each address answers by SSH with its key; those that did not within ``seconds``."""


class CloudIO(IO, Protocol):
    """A cloud in which a lab leaves images. Every function raises HoldfastError for what is refused."""

    def use(self, path: str, cloud: str) -> None:
        """What follows is about the entry ``cloud`` of the clouds.yaml ``path``. Nothing is asked yet."""

    def images(self, name: str) -> list[dict[str, Any]]:
        """All images of a name that the account may see, as the image service shows them."""

    def upload(self, image: Mapping[str, Any], path: str, store: str) -> dict[str, Any]:
        """Register an image with these properties, send a file into a store, and look at it again.

        ``store`` is empty for the default one.
        """

    def delete_image(self, number: str) -> None:
        """Delete an image by its id; one that cannot go, since something is made of it, is hidden."""

    def file_facts(self, path: str) -> dict[str, Any] | None:
        """``{size, checksums}`` of a file, in bytes and by algorithm in hexadecimal, or None when it is not there."""
