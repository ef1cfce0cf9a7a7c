# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, made when they are asked for, from what makes them wrong.

A site is a mapping. ``root``, ``intermediate`` and ``leaf``, and others of any name, say how a certificate differs from
a good one (see ``_DEFAULTS``); ``certificate``, ``key`` and ``ca`` list what the three files hold: ``leaf`` or
``leaf.FORM``, with a form of ``_FORMS``, or ``=TEXT``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VIP = "172.29.236.10"
VARIABLES = {
    "certificate": "haproxy_certificate_file",
    "key": "haproxy_key_file",
    "ca": "haproxy_ca_file",
}
PATHS = {"certificate": "tls/site.pem", "key": "tls/site.key", "ca": "tls/ca.pem"}
_FILES: dict[str, list[str]] = {"certificate": ["leaf", "intermediate"], "key": ["leaf.key"], "ca": ["root"]}
# What a certificate is like, where its case does not say otherwise. ``days`` are those from today of its begin and end.
_AUTHORITY = {"ca": True, "usage": ["key_cert_sign", "crl_sign"], "names": [], "for": []}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "root": {"by": "root", **_AUTHORITY},
    "intermediate": {"by": "root", **_AUTHORITY},
    "leaf": {"by": "intermediate", "ca": False, "usage": ["digital_signature"], "names": [VIP], "for": ["serverAuth"]},
    "": {
        "key": "p256", "key_of": None, "hash": "sha256", "days": [-1, 300], "subject": None, "pathlen": None,
        "identifiers": True, "critical_basic": True, "basic": True, "allow": None, "deny": None, "unknown": False,
        "poison": False,
    },
}  # fmt: skip
_USES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
         "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
_PURPOSES = {
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH,
    "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}
_KEYS: dict[str, Callable[[], Any]] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "k256": lambda: ec.generate_private_key(ec.SECP256K1()),
    "p224": lambda: ec.generate_private_key(ec.SECP224R1()),
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "dsa": lambda: dsa.generate_private_key(2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
}
# The last byte of the identifier of a signature by RSA says with which digest.
_RSA_SIGNS = bytes.fromhex("2a864886f70d0101")
_WEAK: dict[str, tuple[bytes, hashes.HashAlgorithm]] = {
    "sha1": (b"\x05", hashes.SHA1()),
    "md5": (b"\x04", hashes.MD5()),
}
_PEM, _DER = serialization.Encoding.PEM, serialization.Encoding.DER
_PKCS8 = serialization.PrivateFormat.PKCS8
_OPEN = serialization.NoEncryption()
_LOCKED = serialization.BestAvailableEncryption(b"a password")


@cache
def _key(kind: str, owner: str) -> Any:
    return _KEYS[kind]()


class Site:
    """The certificates of a site, and its files."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given
        self._made: dict[str, x509.Certificate] = {}

    def key(self, name: str) -> Any:
        about = self._about(name)
        return _key(about["key"], about["key_of"] or name)

    def certificate(self, name: str) -> x509.Certificate:
        """A certificate; the same each time."""
        if name not in self._made:
            self._made[name] = self._sign(name)
        return self._made[name]

    def file(self, which: str) -> bytes:
        """What a file holds: ``certificate``, ``key`` or ``ca``."""
        return b"".join(self._part(part) for part in self.given.get(which, _FILES[which]))

    def variables(self) -> dict[str, str]:
        """What the inventory says."""
        return {variable: PATHS[which] for which, variable in VARIABLES.items()}

    def files(self) -> dict[str, bytes]:
        """What stands beside it, by path."""
        return {PATHS[which]: self.file(which) for which in _FILES}

    def _about(self, name: str) -> dict[str, Any]:
        own = self.given.get(name, {})
        kind = own.get("like", name if name in _DEFAULTS else "leaf")
        return {**_DEFAULTS[""], **_DEFAULTS[kind], **own}

    def _sign(self, name: str) -> x509.Certificate:
        about = self._about(name)
        by = about["by"]
        own, signer = self.key(name), self.key(by)
        begin, end = (datetime.now(UTC) + timedelta(days=days) for days in about["days"])
        builder = (
            x509.CertificateBuilder()
            .subject_name(self._name(name))
            .issuer_name(self._name(by))
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
        )
        for value, critical in _extensions(about):
            builder = builder.add_extension(value, critical)
        if about["identifiers"]:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False)
            if by != name:
                above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
                builder = builder.add_extension(above, False)
        plain = isinstance(signer, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey))
        if about["hash"] in _WEAK:
            return _weakly_signed(builder, signer, about["hash"])
        return builder.sign(signer, None if plain else getattr(hashes, about["hash"].upper())())

    def _name(self, name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._about(name)["subject"] or name)])

    def _part(self, part: str) -> bytes:
        if part.startswith("="):
            return part[1:].encode()
        name, _, form = part.partition(".")
        made: bytes = _FORMS[form](self, name)
        return made


def server(address: str) -> bytes:
    """Key and certificates of a server at an address. Its clients may take the file for that of their authorities."""
    return Site({"leaf": {"names": [address]}, "certificate": ["leaf.key", "leaf", "intermediate", "root"]}).file(
        "certificate"
    )


def _extensions(about: Mapping[str, Any]) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if about["basic"]:
        found.append((x509.BasicConstraints(about["ca"], about["pathlen"]), about["critical_basic"]))
    if about["usage"]:
        found.append((x509.KeyUsage(**{use: use in about["usage"] for use in _USES}), True))
    if about["for"]:
        found.append((x509.ExtendedKeyUsage([_PURPOSES[one] for one in about["for"]]), False))
    if about["names"]:
        found.append((x509.SubjectAlternativeName([_general(one) for one in about["names"]]), False))
    if about["allow"] or about["deny"]:
        allowed, denied = ([_tree(one) for one in about[key]] if about[key] else None for key in ("allow", "deny"))
        found.append((x509.NameConstraints(allowed, denied), True))
    if about["unknown"]:
        found.append((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00"), True))
    if about["poison"]:
        found.append((x509.PrecertPoison(), True))
    return found


def _weakly_signed(builder: x509.CertificateBuilder, signer: Any, weak: str) -> x509.Certificate:
    """A certificate with a signature of RSA that the library no longer makes."""
    last, algorithm = _WEAK[weak]
    strong = builder.sign(signer, hashes.SHA256())
    whole = strong.public_bytes(_DER)
    content = strong.tbs_certificate_bytes.replace(_RSA_SIGNS + b"\x0b", _RSA_SIGNS + last)
    signature = signer.sign(content, padding.PKCS1v15(), algorithm)
    changed = whole.replace(strong.tbs_certificate_bytes, content).replace(_RSA_SIGNS + b"\x0b", _RSA_SIGNS + last)
    return x509.load_der_x509_certificate(changed.replace(strong.signature, signature))


def _general(name: str) -> x509.GeneralName:
    if name.startswith("DNS:"):
        return x509.DNSName(name[4:])
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _tree(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_network(name)) if "/" in name else x509.DNSName(name)


def _request(site: Site, name: str) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(site.key(name), hashes.SHA256()).public_bytes(_PEM)


_FORMS: dict[str, Callable[[Site, str], Any]] = {
    "": lambda site, name: site.certificate(name).public_bytes(_PEM),
    "der": lambda site, name: site.certificate(name).public_bytes(_DER),
    "indented": lambda site, name: b"  " + site.certificate(name).public_bytes(_PEM).replace(b"\n", b"\n  "),
    "windows": lambda site, name: b"\xef\xbb\xbf" + site.certificate(name).public_bytes(_PEM).replace(b"\n", b"\r\n"),
    "utf16": lambda site, name: site.certificate(name).public_bytes(_PEM).decode().encode("utf-16"),
    "shown": lambda site, name: b"Subject: O = Caf\xe9\n" + site.certificate(name).public_bytes(_PEM),
    "cut": lambda site, name: site.certificate(name).public_bytes(_PEM)[:-40],
    "damaged": lambda site, name: site.certificate(name).public_bytes(_PEM).replace(b"MII", b"MIJ", 1),
    "p7b": lambda site, name: pkcs7.serialize_certificates([site.certificate(name)], _PEM),
    "p7c": lambda site, name: pkcs7.serialize_certificates([site.certificate(name)], _DER),
    "p12": lambda site, name: pkcs12.serialize_key_and_certificates(
        b"x", site.key(name), site.certificate(name), None, _LOCKED
    ),
    "csr": _request,
    "trusted": lambda site, name: site.certificate(name).public_bytes(_PEM).replace(b" CERT", b" TRUSTED CERT"),
    "key": lambda site, name: site.key(name).private_bytes(_PEM, _PKCS8, _OPEN),
    "key.old": lambda site, name: site.key(name).private_bytes(
        _PEM, serialization.PrivateFormat.TraditionalOpenSSL, _OPEN
    ),
    "key.der": lambda site, name: site.key(name).private_bytes(_DER, _PKCS8, _OPEN),
    "key.locked": lambda site, name: site.key(name).private_bytes(_PEM, _PKCS8, _LOCKED),
    "key.old-locked": lambda site, name: site.key(name).private_bytes(
        _PEM, serialization.PrivateFormat.TraditionalOpenSSL, _LOCKED
    ),
    "key.openssh": lambda site, name: site.key(name).private_bytes(_PEM, serialization.PrivateFormat.OpenSSH, _OPEN),
    "key.damaged": lambda site, name: site.key(name).private_bytes(_PEM, _PKCS8, _OPEN).replace(b"MI", b"ZZ", 1),
    "public": lambda site, name: site.key(name).public_key().public_bytes(
        _PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ),
}  # fmt: skip
