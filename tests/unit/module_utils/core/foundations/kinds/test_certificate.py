# SPDX-License-Identifier: Apache-2.0
"""Certificates are judged by the real openssl, on files that the cryptography library made."""

import datetime
import ipaddress
import pathlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations.kinds import (
    certificate as kind,
)
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Host

NAMES = ["DNS:control1", "IP:172.29.236.10", "IP:172.29.236.11"]


def make_key():
    return ec.generate_private_key(ec.SECP256R1())


def pem(key):
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, *form).decode()


def sign(key, *, by, days, names=(), authority=False):
    now = datetime.datetime.now(datetime.UTC)
    alternatives = [
        x509.DNSName(value) if form == "DNS" else x509.IPAddress(ipaddress.ip_address(value))
        for form, value in (name.split(":", 1) for name in names)
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority" if authority else "host")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=400))
        .not_valid_after(now + datetime.timedelta(days=days, hours=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


class Machine:
    """A host whose TLS files are in a directory, with what the system trusts."""

    def __init__(self, directory):
        self.directory, self.host = directory, Host()

    def place(self, path):
        return str(self.directory / path.lstrip("/").replace("/", "_"))

    def run(self, argv, *, check):
        return self.host.run([self.place(item) if item.startswith("/etc/") else item for item in argv], check=check)

    def read_text(self, path):
        return self.host.read_text(self.place(path))

    def put(self, path, text):
        pathlib.Path(self.place(path)).write_text(text)


@pytest.fixture
def authority():
    return make_key()


@pytest.fixture
def io(tmp_path, authority):
    machine, key = Machine(tmp_path), make_key()
    certificate = sign(authority, by=authority, days=3000, authority=True)
    for path in (f"{kind.DIRECTORY}/ca.pem", kind.TRUSTED, kind.BUNDLE):
        machine.put(path, certificate)
    machine.put(f"{kind.DIRECTORY}/host.pem", sign(key, by=authority, days=300, names=NAMES))
    machine.put(f"{kind.DIRECTORY}/host.key", pem(key))
    machine.key = key
    return machine


def wanted(authority, **changes):
    return {
        "authority": kind.public_key_digest(pem(authority)),
        "site_authority": "",
        "names": sorted(NAMES),
        "site": [],
        "renew_before_days": 30,
        "authority_days": 397,
        **changes,
    }


def plan(io, want):
    return kind.plan(kind.read(io, kind.question(want)), want)


def test_converged(io, authority):
    assert not plan(io, wanted(authority))


def test_a_bare_host_gets_everything(tmp_path, authority):
    made = plan(Machine(tmp_path), wanted(authority))
    assert made.summary() == ["create /etc/holdfast/tls/ca.pem", "create /etc/holdfast/tls/host.pem"]


def test_a_host_that_serves_no_tls_only_trusts(tmp_path, authority):
    assert plan(Machine(tmp_path), wanted(authority, names=[])).summary() == ["create /etc/holdfast/tls/ca.pem"]


@pytest.mark.parametrize(("days", "renewed"), [(31, False), (29, True), (-1, True)])
def test_a_certificate_is_renewed_before_its_end(io, authority, days, renewed):
    io.put(f"{kind.DIRECTORY}/host.pem", sign(io.key, by=authority, days=days, names=NAMES))
    made = plan(io, wanted(authority))
    assert made.summary() == (["renew /etc/holdfast/tls/host.pem"] if renewed else [])
    assert all(f"ends in {days} days" in change.before for change in made)


def test_other_names_renew(io, authority):
    made = plan(io, wanted(authority, names=sorted([*NAMES, "DNS:cloud.example.com"])))
    assert made.summary() == ["renew /etc/holdfast/tls/host.pem"]
    assert "DNS:cloud.example.com" in made.changes[0].after
    assert "DNS:cloud.example.com" not in made.changes[0].before


def test_another_authority_renews_all(io):
    made = plan(io, wanted(make_key()))
    assert made.summary() == ["update /etc/holdfast/tls/ca.pem", "renew /etc/holdfast/tls/host.pem"]


def test_a_certificate_of_another_authority_is_renewed(io, authority):
    io.put(f"{kind.DIRECTORY}/host.pem", sign(io.key, by=make_key(), days=300, names=NAMES))
    assert "another authority" in plan(io, wanted(authority)).changes[0].before


def test_a_key_that_does_not_belong_to_it_renews(io, authority):
    io.put(f"{kind.DIRECTORY}/host.key", pem(make_key()))
    assert "its key" in plan(io, wanted(authority)).changes[0].before


def test_an_authority_that_would_end_before_its_certificates_is_renewed(io, authority):
    made = plan(io, wanted(authority, authority_days=3650))
    assert made.summary() == ["update /etc/holdfast/tls/ca.pem"]
    assert "ends in" in made.changes[0].before


@pytest.mark.parametrize("path", [kind.TRUSTED, kind.BUNDLE])
def test_an_authority_that_the_system_does_not_trust_is_put_right(io, authority, path):
    io.put(path, "")
    assert "not trusted" in plan(io, wanted(authority)).changes[0].before


def test_the_sites_own_certificate_and_authority(io, authority):
    site_key = make_key()
    site = sign(site_key, by=site_key, days=300, authority=True)
    want = wanted(
        authority,
        site=[kind.digest(kind.normal(site)), kind.digest(kind.normal(pem(site_key)))],
        site_authority=kind.digest(kind.normal(site)),
    )
    assert plan(io, want).summary() == ["update /etc/holdfast/tls/ca.pem", "create /etc/holdfast/tls/api.pem"]
    for path in (f"{kind.DIRECTORY}/ca.pem", kind.TRUSTED):
        io.put(path, io.read_text(path) + site)
    io.put(f"{kind.DIRECTORY}/api.pem", site)
    io.put(f"{kind.DIRECTORY}/api.key", pem(site_key))
    assert not plan(io, want)
