# SPDX-License-Identifier: Apache-2.0
"""The site's own certificate, judged as a client judges it: each verdict is held against a real handshake."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations import pem
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.certificates import PATHS, VIP, Site

# As roles/haproxy/templates/haproxy.cfg.j2 has them.
CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
NAME = "cloud.example.org"
ROOT_OF_ANOTHER = {"like": "root", "by": "other", "subject": "root"}

GOOD: dict[str, dict[str, Any]] = {
    "an intermediate and a root": {},
    "RSA": {"leaf": {"key": "rsa2048"}},
    "RSA in the old form of a key": {"leaf": {"key": "rsa2048"}, "key": ["leaf.key.old"]},
    "EC with its parameters, in the old form": {
        "key": ["=-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n", "leaf.key.old"]
    },
    "P-384": {"leaf": {"key": "p384"}, "root": {"key": "p384", "hash": "sha384"}},
    "P-521": {"leaf": {"key": "p521"}},
    "Ed25519": {"leaf": {"key": "ed25519"}},
    "signed by the root": {"leaf": {"by": "root"}, "certificate": ["leaf"]},
    "with the root": {"certificate": ["leaf", "intermediate", "root"]},
    "a root among others": {"ca": ["other", "root"], "other": {"like": "root", "by": "other"}},
    "a root beside one of its name": {"ca": ["other", "root"], "other": ROOT_OF_ANOTHER},
    "another root that has ended": {
        "ca": ["other", "root"],
        "other": {"like": "root", "by": "other", "days": [-9, -1]},
    },
    "a root that SHA-1 signed": {"root": {"key": "rsa2048", "hash": "sha1"}},
    "a root that another had signed too": {
        "certificate": ["leaf", "intermediate", "cross"],
        "cross": {"like": "intermediate", "by": "gone", "subject": "root", "key_of": "root"},
        "gone": {"like": "root", "by": "gone", "days": [-9, -1]},
    },
    "two intermediates": {
        "intermediate": {"by": "upper"},
        "upper": {"like": "intermediate", "by": "root"},
        "certificate": ["leaf", "intermediate", "upper"],
    },
    "a root that allows one below it": {"root": {"pathlen": 1}, "intermediate": {"pathlen": 0}},
    "for clients too": {"leaf": {"for": ["clientAuth", "serverAuth"]}},
    "for no purpose in particular": {"leaf": {"for": []}},
    "for no use in particular": {"leaf": {"usage": []}},
    "authorities for servers": {"intermediate": {"for": ["serverAuth"]}, "root": {"for": ["serverAuth"]}},
    "one of several addresses": {"leaf": {"names": ["10.0.0.1", "x.example.org", VIP]}},
    "one that signed itself": {"leaf": {"by": "leaf", "ca": True}, "certificate": ["leaf"], "ca": ["leaf"]},
    "one that signed itself and is no authority": {"leaf": {"by": "leaf"}, "certificate": ["leaf"], "ca": ["leaf"]},
    "with lines of Windows": {"certificate": ["leaf.windows", "intermediate"], "ca": ["root.windows"]},
    "indented": {"certificate": ["leaf.indented", "intermediate"]},
    "as openssl shows it": {"certificate": ["leaf.shown", "intermediate.shown"]},
    "the key's file with the certificate": {"key": ["leaf.key", "leaf"]},
    "the key's file with the request and the public key": {"key": ["leaf.csr", "leaf.public", "leaf.key"]},
    "in range of what its authority may sign": {"root": {"allow": ["172.29.0.0/16", "example.org"]}},
    "a common name of one label, where its authority may not sign others": {
        "root": {"allow": ["example.org"]},
        "leaf": {"subject": "cloud"},
    },
    "a common name beside a name that its authority may sign": {
        "root": {"allow": ["example.org"]},
        "leaf": {"subject": "cloud.example.net", "names": [VIP, "cloud.example.org"]},
    },
    "out of range of what its authority may not sign": {"intermediate": {"deny": ["10.0.0.0/8"]}},
}
NAMES: dict[str, bool] = {
    NAME: True,
    "CLOUD.example.ORG": True,
    "*.example.org": True,
    "*.org": False,
    "*": False,
    "c*.example.org": False,
    "*.cloud.example.org": False,
    "example.org": False,
    "cloud.example.org.evil.example": False,
    f"DNS:{VIP}": False,
    VIP: False,
}


def findings(site: dict[str, Any], **variables: Any) -> list[Any]:
    content = cases.changed({"site": site, "set": {f"vars/{name}": value for name, value in variables.items()}})
    _, found = cases.build(cases.raw(content))
    return [finding for finding in found if finding.code.startswith("certificates.")]


def client_takes(site: dict[str, Any], directory: Path, address: str = VIP, strict: int = 0) -> bool:
    """Whether a client that trusts what the site gives as CA ends a handshake with a server that has the rest.

    ``strict`` are further flags of what the client checks.
    """
    made = Site(site)
    parts = {"certificate": pem.certificates, "key": pem.key, "ca": pem.certificates}
    for which, part in parts.items():
        (directory / which).write_text(part(made.file(which)))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.create_default_context(cafile=str(directory / "ca"))
    # Debian's own OpenSSL has this level, whichever this Python has.
    client.set_ciphers("DEFAULT@SECLEVEL=2")
    client.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | strict
    try:
        server.load_cert_chain(directory / "certificate", directory / "key")
        server.set_ciphers(CIPHERS)
        shake_hands(server, client, address)
    except (ssl.SSLError, ssl.CertificateError):
        return False
    return True


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, address: str) -> None:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(down, up, server_hostname=address)
    serving = server.wrap_bio(up, down, server_side=True)
    waiting = [asking, serving]
    for _ in range(9):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert not waiting


@pytest.mark.parametrize("name", GOOD)
def test_what_a_client_takes_is_taken(name, tmp_path):
    assert client_takes(GOOD[name], tmp_path)
    assert [str(finding) for finding in findings(GOOD[name])] == []


SITES = {case["name"]: case["site"] for case in cases.bad() if "site" in case and not case.get("set")}
# What clients take that use OpenSSL, and others do not.
STRICTER = {
    "an authority of version 3 without basicConstraints",
    "a use that connections do not have",
}


@pytest.mark.parametrize("name", SITES)
def test_what_is_refused_no_client_takes(name, tmp_path):
    codes = {finding.code for finding in findings(SITES[name]) if finding.severity == "error"}
    assert codes
    by_form = {"certificates.combined", "certificates.order", "certificates.form", "certificates.locked"}
    if not codes & by_form:
        assert client_takes(SITES[name], tmp_path) is (name in STRICTER)


@pytest.mark.parametrize(("given", "right"), NAMES.items())
def test_names_are_compared_as_clients_do(given, right, tmp_path):
    site = {"leaf": {"names": [given]}}
    assert client_takes(site, tmp_path, NAME) is right
    assert [finding.code for finding in findings(site, haproxy_name=NAME)] == ["certificates.names"] * (not right)


@pytest.mark.parametrize("name", ["xn--cloud-9ya.example.org", "cloud"])
def test_other_names(name, tmp_path):
    for given in (name, f"*.{name.partition('.')[2]}"):
        site = {"leaf": {"names": [given]}}
        told = bool(findings(site, haproxy_name=name))
        assert client_takes(site, tmp_path, name) is not told


OLD = {
    "an authority without keyUsage": ({"root": {"usage": []}}, "'root' lacks keyUsage"),
    "an authority whose basicConstraints may be passed over": (
        {"intermediate": {"critical_basic": False}},
        "'intermediate' lacks basicConstraints that are critical",
    ),
    "a certificate without identifiers": (
        {"leaf": {"identifiers": False}},
        "'leaf' lacks authorityKeyIdentifier",
    ),
    "an authority without identifiers": (
        {"intermediate": {"identifiers": False}},
        "'intermediate' lacks subjectKeyIdentifier and authorityKeyIdentifier",
    ),
}


@pytest.mark.parametrize(("site", "said"), OLD.values(), ids=OLD)
def test_what_strict_clients_alone_refuse_is_advised_against(site, said, tmp_path):
    assert client_takes(site, tmp_path)
    assert not client_takes(site, tmp_path, strict=ssl.VERIFY_X509_STRICT)
    (found,) = findings(site)
    assert (found.severity, found.code) == ("advice", "certificates.old-form")
    assert said in found.what


@pytest.mark.parametrize("name", [name for name in GOOD if name != "a root that SHA-1 signed"])
def test_what_is_taken_without_advice_strict_clients_take_too(name, tmp_path):
    assert client_takes(GOOD[name], tmp_path, strict=ssl.VERIFY_X509_STRICT)


@pytest.mark.parametrize(
    ("which", "variable"),
    [("leaf", "haproxy_certificate_file"), ("intermediate", "haproxy_certificate_file"), ("root", "haproxy_ca_file")],
)
def test_what_ends_soon_is_told(which, variable):
    (found,) = findings({which: {"days": [-300, 29]}})
    assert (found.severity, found.code, found.where) == ("advice", "certificates.soon", f"all hosts: {variable}")
    assert f"'{which}' ends on " in found.what
    assert not findings({which: {"days": [-300, 31]}})


def test_an_intermediate_that_only_the_hosts_would_know_is_told(tmp_path):
    site = {"certificate": ["leaf"], "ca": ["root", "intermediate"]}
    assert client_takes(site, tmp_path)
    (found,) = findings(site)
    assert (found.severity, found.code) == ("advice", "certificates.intermediate")
    assert "lacks 'intermediate': clients that know 'root' alone refuse it" in found.what


def test_a_file_in_a_vault_is_opened_before_it_is_made_anew():
    content = cases.changed({"site": {"key": ["leaf.key.der"]}})
    given = cases.raw(content)
    locked = replace(given, read_file=lambda path: replace(given.read_file(path), is_encrypted=True))
    found = next(finding for finding in cases.build(locked)[1] if finding.code == "certificates.form")
    assert "`ansible-vault decrypt tls/site.key` and `openssl pkey -inform der" in found.fix


@pytest.mark.parametrize("seed", range(40))
def test_no_content_makes_the_rule_fail(seed):
    """Right files with bytes that are wrong: there is a finding, and never an error of Python."""
    random = Random(seed)
    made = Site(CHANGED[seed % len(CHANGED)])
    content = cases.changed({"site": {}})
    for which, path in PATHS.items():
        wrong = bytearray(made.file(which))
        for _ in range(random.randrange(1, 4)):
            wrong[random.randrange(len(wrong))] = random.randrange(256)
        content["files"][path] = bytes(wrong)
    for finding in cases.build(cases.raw(content))[1]:
        assert finding.what.endswith(".")


CHANGED = [
    {},
    {"certificate": ["leaf.der"], "key": ["leaf.key.der"], "ca": ["root.der"]},
    {"certificate": ["leaf.p12"], "key": ["leaf.key.locked"], "ca": ["root.p7c"]},
]


def test_what_is_installed_holds_no_key_and_no_comment():
    given = {"certificate": ["leaf.key", "leaf.shown", "leaf.windows"]}
    whole = Site(given).file("certificate")
    assert [block.label for block in pem.blocks(whole)] == ["PRIVATE KEY", "CERTIFICATE", "CERTIFICATE"]
    assert "PRIVATE" not in pem.certificates(whole)
    assert pem.certificates(whole).count("-----BEGIN CERTIFICATE-----\n") == 2
    assert "Caf" not in pem.certificates(whole)
    assert "\r" not in pem.certificates(whole)
    assert "CERTIFICATE" not in pem.key(whole)
