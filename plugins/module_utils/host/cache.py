# SPDX-License-Identifier: Apache-2.0
"""Whether somebody can write an entry of a memcached: as a user of this host, with a certificate or without one.

Standard library only.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import ssl
from collections.abc import Mapping
from typing import Any

TIMEOUT = 5
"""Seconds to each answer."""
# It is gone at once, and no service asks for it.
_KEY = b"holdfast-verify"
_ORDER = b"set %s 0 1 1\r\nx\r\n" % _KEY
STORED = "STORED"


def attempt(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Try to write. Returns ``{name, written, said}``, or ``{name, absent: True}`` when there is no such user.

    ``asked``: ``{name, user, place, tls, authority, certificate, key}``. ``place`` is ``unix:PATH`` or
    ``ADDRESS:PORT``. Files of certificates are read before the user is taken on: who shows one need not be able to
    read it here.
    """
    try:
        account = pwd.getpwnam(asked["user"])
    except KeyError:
        return {"name": asked["name"], "absent": True}
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _child(asked, account, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        said = json.loads(answer.read() or b'"nothing"')
    os.waitpid(child, 0)
    return {"name": asked["name"], "written": said == STORED, "said": said}


def _child(asked: Mapping[str, Any], account: pwd.struct_passwd, writer: int) -> None:
    """In a process of its own: say in ``writer`` what the server answered, and end."""
    try:
        context = _context(asked) if asked.get("tls") else None
        if os.geteuid() == 0:
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        said = _write(asked["place"], context)
    except (OSError, ValueError) as error:
        said = f"{type(error).__name__}: {error}"
    finally:
        os.write(writer, json.dumps(said).encode())
        os._exit(0)


def _context(asked: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=asked.get("authority"))
    if asked.get("certificate"):
        context.load_cert_chain(asked["certificate"], asked.get("key"))
    return context


def _write(place: str, context: ssl.SSLContext | None) -> str:
    kind, _, where = place.partition(":")
    if kind == "unix":
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(TIMEOUT)
            plain.connect(where)
            return _order(plain)
    address, _, port = place.rpartition(":")
    with socket.create_connection((address, int(port)), TIMEOUT) as plain:
        if not context:
            return _order(plain)
        with context.wrap_socket(plain, server_hostname=address) as secure:
            return _order(secure)


def _order(connection: socket.socket) -> str:
    connection.sendall(_ORDER)
    answer = b""
    while b"\r\n" not in answer and (more := connection.recv(200)):
        answer += more
    return answer.partition(b"\r\n")[0].decode("utf-8", "replace") or "connection closed"
