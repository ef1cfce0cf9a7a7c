# SPDX-License-Identifier: Apache-2.0
"""The deployment's APIs as a client on the controller sees them: an entry of clouds.yaml, a token, requests over TLS.

Small on purpose: each step of a verification is a process of its own, and the SDK takes a second to load.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import yaml

from ..core.errors import HoldfastError
from ..core.verify.story import Answer
from ..host import ports as ports_io

# Swift answers with more than a hundred headers where a container has as much metadata as it may have.
http.client._MAXHEADERS = 4096  # type: ignore[attr-defined]

TIMEOUT = 300
"""Seconds to an answer. An attachment is answered when the back end has made it."""


class Begun:
    """A request that was begun. See ``core.verify.story.Unfinished``."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self.connection = connection

    def status(self) -> int:
        """That of the answer, or 0 when the connection was closed without one."""
        try:
            answer = http.client.HTTPResponse(self.connection)
            answer.begin()
        except (OSError, http.client.HTTPException):
            return 0
        return answer.status


def _connected(parts: SplitResult) -> socket.socket:
    return socket.create_connection((parts.hostname, parts.port or 443), TIMEOUT)


def _is_open(connection: socket.socket) -> bool:
    """Whether the other end, which never speaks first, still holds a connection."""
    connection.setblocking(False)
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


class Client:
    """One user of one cloud. See ``core.verify.story.Cloud``."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.entry = entry
        self.auth = entry["auth"]
        self.region = entry.get("region_name")
        self.context = ssl.create_default_context(cafile=entry.get("cacert"))
        # A site's own authority may be older than the extensions that Python 3.13 asks for.
        self.context.verify_flags &= ~ssl.VERIFY_X509_STRICT

    @classmethod
    def from_file(cls, path: Path, cloud: str) -> Client:
        """The entry ``cloud`` of a clouds.yaml. Raises HoldfastError when there is none."""
        try:
            clouds = yaml.safe_load(path.read_text())["clouds"]
            return cls(clouds[cloud])
        except (OSError, KeyError, TypeError, yaml.YAMLError):
            raise HoldfastError(f"{path} has no cloud {cloud!r}. Fix: run verify.yml from its start.") from None

    @functools.cached_property
    def _token(self) -> Answer:
        answer = self.authenticate(self.auth["username"], self.auth["password"])
        if answer.status != 201:
            said = answer.body[:300].decode("utf-8", "replace")
            raise HoldfastError(f"{self.auth['auth_url']} gives no token: status {answer.status}: {said}")
        return answer

    @property
    def token_details(self) -> Mapping[str, Any]:
        """What the identity service says about the token: user, project, roles, catalog."""
        return dict(self._token.json()["token"])

    def authenticate(self, user: str, password: str) -> Answer:
        """Ask for a token of the entry's project."""
        domain = {"name": self.auth.get("user_domain_name", "Default")}
        request = {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": user, "password": password, "domain": domain}},
                },
                "scope": {
                    "project": {
                        "name": self.auth["project_name"],
                        "domain": {"name": self.auth.get("project_domain_name", "Default")},
                    }
                },
            }
        }
        headers = {"Content-Type": "application/json"}
        return self.request(
            "POST", f"{self.auth['auth_url']}/auth/tokens", json.dumps(request).encode(), headers, token=False
        )

    def endpoint(self, service: str) -> str:
        """The public URL of a service type, without a trailing slash. Raises HoldfastError when there is none."""
        if service == "identity":
            return str(self.auth["auth_url"]).rstrip("/")
        for entry in self.token_details["catalog"]:
            for endpoint in entry["endpoints"]:
                if entry["type"] == service and endpoint["interface"] == "public":
                    return str(endpoint["url"]).rstrip("/")
        raise HoldfastError(f"The catalog has no public endpoint of the type {service}.")

    def request(
        self,
        method: str,
        url: str,
        body: bytes | Sequence[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        token: bool = True,
    ) -> Answer:
        """One request over verified TLS. Raises HoldfastError when there is no answer; a status is no error.

        A body in pieces is sent without its length, each piece as a chunk of its own.
        """
        parts = urlsplit(url)
        if parts.scheme != "https":
            raise HoldfastError(f"{url} is not https: no token goes there.")
        sent = {"Accept": "application/json", "Connection": "close", **(headers or {})}
        if token:
            sent["X-Auth-Token"] = self._token.headers["x-subject-token"]
        connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT, context=self.context)
        try:
            connection.request(method, f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise HoldfastError(f"{method} {parts.netloc}{parts.path}: no answer: {error!r}") from error
        finally:
            connection.close()

    def another(self, user: str, password: str, project: str) -> Client:
        """The same cloud as another user of the domain Default, in a project of that domain."""
        domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
        auth = {"auth_url": self.auth["auth_url"], "username": user, "password": password, "project_name": project}
        return Client({**self.entry, "auth": {**auth, **domains}})

    @contextlib.contextmanager
    def unfinished(self, url: str, count: int, length: int) -> Iterator[list[Begun]]:
        """``count`` requests by POST over verified TLS that say ``length`` bytes follow, and send one of them."""
        parts = urlsplit(url)
        head = (
            f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n\r\n{{"
        ).encode()
        with contextlib.ExitStack() as stack:
            begun = []
            for _ in range(count):
                plain = stack.enter_context(_connected(parts))
                secure = stack.enter_context(self.context.wrap_socket(plain, server_hostname=parts.hostname))
                secure.sendall(head)
                begun.append(Begun(secure))
            yield begun

    def open_connections(self, url: str, count: int) -> tuple[str, int]:
        """Our own address, and how many of ``count`` connections are held at once. Nothing is sent on them."""
        with contextlib.ExitStack() as stack:
            parts = urlsplit(url)
            held = []
            for _ in range(count):
                try:
                    held.append(stack.enter_context(_connected(parts)))
                except OSError:
                    break
            time.sleep(1)  # the server takes a connection before it lets it go
            mine = str(held[0].getsockname()[0]) if held else ""
            return mine, sum(_is_open(one) for one in held)

    def port_states(self, addresses: Iterable[str], ports: Iterable[int]) -> list[dict[str, Any]]:
        """Which TCP ports can be reached from the controller."""
        return ports_io.states(addresses, ports)

    def plain(self, url: str) -> str:
        """What stands on the first line of the answer to HTTP without TLS; empty when the connection is closed."""
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException):
            return ""
        else:
            return f"HTTP/{answer.version / 10} {answer.status} {answer.reason}"
        finally:
            connection.close()
