# SPDX-License-Identifier: Apache-2.0
"""Filters of the proxy: what a client proves itself by goes no further, and URLs that it is told begin with https."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.config import parse_ini
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

SOURCE = Path(__file__).resolve().parents[3] / "roles/swift/templates/holdfast_swift.py.j2"
CREDENTIALS = """
    X-Auth-Token X-Storage-Token X-Service-Token X-Subject-Token X-Auth-User X-Auth-Key X-Storage-User X-Storage-Pass
    Authorization Proxy-Authorization X-Proxy-Authorization Cookie Cookie2 X-Api-Key
    X-OpenStack-Password X-Client-Secret
    X-Amz-Security-Token X-Amz-Signature X-Amz-Credential X-Amz-Server-Side-Encryption-Customer-Key
    X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key X-Amz-Access-Key X-Container-Sync-Auth X-Session-Token
"""
DATA = """
    X-Object-Meta-Token X-Object-Meta-Secret-Key X-Container-Meta-Temp-URL-Key X-Account-Meta-Temp-URL-Key-2
    X-Container-Meta-Quota-Bytes X-Container-Sync-Key X-Container-Sync-To X-Container-Read X-Backend-Storage-Token-Index
    X-Object-Sysmeta-Crypto-Secret X-Object-Transient-Sysmeta-Auth X-Identity-Status X-User-Id X-Roles X-Project-Id
    X-Trans-Id X-Timestamp ETag Content-Type X-Delete-At X-Newest X-Symlink-Target X-Copy-From Range If-Match Referer
"""


def filters() -> types.ModuleType:
    module = types.ModuleType("holdfast_swift")
    exec(compile(SOURCE.read_text(), str(SOURCE), "exec"), module.__dict__)
    return module


def filtered(env: dict[str, Any]) -> dict[str, Any]:
    """What the storage servers are told of a request."""
    told: dict[str, Any] = {}

    def proxy(given: dict[str, Any], start_response: Any) -> list[bytes]:
        told.update(given)
        given["swift.seen"] = True
        return [start_response]

    before = dict(env)
    assert filters().without_credentials({}, some="option")(proxy)(env, b"done") == [b"done"]
    assert env == {**before, "swift.seen": True}, "the other filters have what they had, and what the proxy leaves"
    return told


def named(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


@pytest.mark.parametrize("header", CREDENTIALS.split())
def test_a_credential_goes_no_further(header: str) -> None:
    assert named(header) not in filtered({named(header): "x", "QUERY_STRING": ""})


@pytest.mark.parametrize("header", DATA.split())
def test_what_the_storage_servers_keep_or_need_is_theirs(header: str) -> None:
    assert filtered({named(header): "x"})[named(header)] == "x"


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("temp_url_sig=a&temp_url_expires=1&temp_url_prefix=p&temp_url_ip_range=10.0.0.0/8&filename=f", ["filename"]),
        ("multipart-manifest=get&format=raw", ["multipart-manifest", "format"]),
        ("X-Amz-Algorithm=a&X-Amz-Credential=a&X-Amz-Signature=a&X-Amz-Security-Token=a", ["X-Amz-Algorithm"]),
        ("AWSAccessKeyId=a&Signature=a&Expires=1", ["Expires"]),
        ("marker=token&prefix=signature&token=a&x-auth-token=a", ["marker", "prefix"]),
        ("versions&version-id=1&signatures=a", ["versions", "version-id", "signatures"]),
    ],
)
def test_signatures_are_cut_out_of_the_query(query: str, left: list[str]) -> None:
    told = filtered({"QUERY_STRING": query, "PATH_INFO": "/v1/AUTH_a/c/o"})
    assert list(parse_qs(told["QUERY_STRING"], keep_blank_values=True)) == left
    assert told["PATH_INFO"] == "/v1/AUTH_a/c/o"


def test_an_answer_that_fails_gives_the_others_their_headers_back() -> None:
    def proxy(given: dict[str, Any], start_response: Any) -> list[bytes]:
        raise OSError("gone")

    env = {"HTTP_X_AUTH_TOKEN": "t"}
    with pytest.raises(OSError, match="gone"):
        filters().without_credentials({})(proxy)(env, None)
    assert env == {"HTTP_X_AUTH_TOKEN": "t"}


def written(name: str, case: str = "lab", **changes: Any) -> dict[str, dict[str, str]]:
    services = cases.deployed(cases.changed({"base": case, "set": changes}))
    return next(
        parse_ini(entry["content"])
        for host in services.model.hosts.values()
        for component in services.components(host)
        for entry in component.get("files", ())
        if entry["path"] == f"/etc/swift/{name}"
    )


def test_urls_that_clients_are_told_begin_with_https() -> None:
    env = {"wsgi.url_scheme": "http", "HTTP_HOST": "cloud:8080"}
    assert filters().behind_tls({})(lambda given, _: given["wsgi.url_scheme"])(env, None) == "https"


def test_they_stand_before_and_behind_all_others() -> None:
    conf = written("proxy-server.conf")
    pipeline = conf["pipeline:main"]["pipeline"].split()
    assert (pipeline[0], pipeline[-2:]) == ("behind_tls", ["without_credentials", "proxy-server"])
    for name in ("behind_tls", "without_credentials"):
        assert conf[f"filter:{name}"] == {"paste.filter_factory": f"holdfast_swift:{name}"}
        assert callable(vars(filters())[name]({}))


@pytest.mark.parametrize("encrypted", [True, False])
def test_what_was_encrypted_once_is_read_always(encrypted: bool) -> None:
    conf = written("proxy-server.conf", **{"vars/swift_encryption": encrypted})
    assert conf["pipeline:main"]["pipeline"].split()[-5:-3] == ["keymaster", "encryption"]
    assert conf["filter:encryption"]["disable_encryption"].lower() == str(not encrypted).lower()
    assert written("keymaster.conf", **{"vars/swift_encryption": encrypted})["keymaster"]["encryption_root_secret"]


def test_signed_urls_and_forms_are_not_signed_by_sha1() -> None:
    conf = written("proxy-server.conf")
    assert conf["filter:tempurl"]["allowed_digests"].split() == ["sha256", "sha512"]
    assert conf["filter:formpost"]["allowed_digests"].split() == ["sha256", "sha512"]
