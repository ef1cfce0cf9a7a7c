# SPDX-License-Identifier: Apache-2.0
"""The APIs of OpenStack as a host asks them: one token, and for each service one connection that is kept.

Standard library only, and imported late: it is sent with the probe, and only few hosts of a deployment need it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from ..core.errors import HoldfastError

REQUEST_SECONDS = 15

_SIGNING_IN = threading.Lock()


class Api:
    """One service. ``failure`` says why the last request had no answer.

    Made from ``{auth_url, username, password, user_domain_name, project_name, project_domain_name, cafile, region}`` it
    is the identity service; ``service`` gives the others. ``tokens`` keeps what signing in gave, by account: it is
    shared by all that one process asks.
    """

    title = "Keystone"

    def __init__(
        self, access: Mapping[str, str], tokens: dict[str, tuple[str, list[dict[str, Any]]]] | None = None
    ) -> None:
        self.url = access["auth_url"].rstrip("/")
        self.failure = ""
        self.headers: dict[str, str] = {}
        self.catalog: list[dict[str, Any]] = []
        self._access = access
        self._tokens = {} if tokens is None else tokens
        self._connection: Any = None
        self._token = ""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def sign_in(self, *, known: bool = False) -> str:
        """``present`` with a token, ``refused`` when the password is wrong, ``absent`` when there is no service.

        Keystone takes 0.4 s of CPU for it, most of it to hash the password. ``known``: the token will do, with its
        catalog, that this process got for the same account before; who else asks for it just now is waited for.
        """
        # The catalog has all regions.
        account = json.dumps({**self._access, "region": None}, sort_keys=True)
        with _SIGNING_IN:
            if known and account in self._tokens:
                self._token, self.catalog = self._tokens[account]
                return "present"
            state = self._sign_in(self._access)
            if state == "present":
                self._tokens[account] = self._token, self.catalog
            return state

    def _sign_in(self, access: Mapping[str, str]) -> str:
        user = {
            "name": access["username"],
            "domain": {"name": access["user_domain_name"]},
            "password": access["password"],
        }
        project = {"name": access["project_name"], "domain": {"name": access["project_domain_name"]}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": project}}}
        status, headers, content = self.request("POST", "/auth/tokens", body)
        self._token = headers.get("x-subject-token", "")
        self.catalog = (content or {}).get("token", {}).get("catalog", [])
        return "present" if status == 201 and self._token else "refused" if status == 401 else "absent"

    def service(self, *types: str, title: str, headers: Mapping[str, str] | None = None) -> Api | None:
        """The internal API of the first of the types that the catalog has, with the same token; None without one."""
        for wanted in types:
            for entry in self.catalog:
                for endpoint in entry.get("endpoints", ()):
                    region = self._access.get("region")
                    if (
                        entry["type"] == wanted
                        and endpoint["interface"] == "internal"
                        and region in (None, endpoint["region"])
                    ):
                        other = Api({**self._access, "auth_url": endpoint["url"]})
                        other.title, other._token, other.headers = title, self._token, dict(headers or {})
                        return other
        return None

    def get(self, collection: str, **query: str) -> Iterable[dict[str, Any]]:
        """The entries of a collection, whose name the answer gives them too."""
        path = f"/{collection}" + (f"?{urlencode(query)}" if query else "")
        found: list[dict[str, Any]] = self.call("GET", path)[collection]
        return found

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """The decoded answer. Raises HoldfastError when the request is refused; no body is told, it holds passwords."""
        status, _, content = self.request(method, path, body, headers)
        if not 200 <= status < 300:
            raise HoldfastError(
                f"{self.title} refused {method} {self.url}{path}: status {status}, {_reason(content) or self.failure}"
            )
        return content

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers in lower case, and decoded body; status 0 when there is no answer.

        ``headers`` are of this request alone.
        """
        import http.client  # with ssl 50 ms

        place = urlsplit(self.url)
        told = {"Content-Type": "application/json", "Accept": "application/json", **self.headers, **(headers or {})}
        if self._token:
            told["X-Auth-Token"] = self._token
        payload = json.dumps(body) if body is not None else None
        is_reused = self._connection is not None
        try:
            if self._connection is None:
                self._connection = self._connect(place.scheme, place.hostname, place.port)
            self._connection.request(method, place.path.rstrip("/") + path, payload, told)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.failure = str(error)
            self.close()
            # The other end may close a connection that is kept: what only reads is asked again on a new one.
            return self.request(method, path, body, headers) if is_reused and method == "GET" else (0, {}, None)
        self.failure = f"status {response.status}"
        try:
            decoded = json.loads(content) if content else None
        except ValueError:
            decoded = None
        return response.status, {name.lower(): value for name, value in response.getheaders()}, decoded

    def _connect(self, scheme: str, host: str | None, port: int | None) -> Any:
        import http.client

        if scheme == "http":
            return http.client.HTTPConnection(host or "", port, timeout=REQUEST_SECONDS)
        import ssl

        context = ssl.create_default_context(cafile=self._access.get("cafile"))
        # A site's own authority may be older than the extensions that Python 3.13 asks for.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return http.client.HTTPSConnection(host or "", port, timeout=REQUEST_SECONDS, context=context)


def _reason(content: Any) -> str:
    """What the service says: ``{"error": {"message"}}``, or under a name of the error's own."""
    for value in content.values() if isinstance(content, dict) else ():
        if isinstance(value, dict) and value.get("message"):
            return str(value["message"])
    return ""
