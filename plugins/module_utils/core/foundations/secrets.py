# SPDX-License-Identifier: Apache-2.0
"""Forms of secrets of what services stand on: a certificate that signs a client in where there is no password."""

from __future__ import annotations

import re

from ..inventory.secrets import Form

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n[\s\S]+?\n-----END CERTIFICATE-----\n")
_KEY = re.compile(r"-----BEGIN (EC )?PRIVATE KEY-----\n[\s\S]+?\n-----END (EC )?PRIVATE KEY-----\n")
_PLACEHOLDER = """-----BEGIN PRIVATE KEY-----
({name})
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
({name})
-----END CERTIFICATE-----
"""


def certificate_of(secret: str) -> str:
    """The certificate in a secret of the form ``client_certificate``, in PEM: what its servers are given."""
    found = _CERTIFICATE.search(secret if secret.endswith("\n") else f"{secret}\n")
    return found.group() if found else ""


def _weakness(_: str, value: str) -> str | None:
    whole = value if value.endswith("\n") else f"{value}\n"
    return None if _KEY.search(whole) and certificate_of(value) else "is not a private key and its certificate in PEM"


def _make() -> str:
    """A key on the curve P-256 and a certificate that it signs itself: nobody else could.

    It is good for ever. Who takes it out of the vault file has another made, and this one is worth nothing any more.
    """
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Holdfast: a client")])
    builder = (
        x509.CertificateBuilder()
        .issuer_name(name)
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks may differ, and the last date that a certificate can have is that of one without an end.
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC))
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (private + builder.sign(key, hashes.SHA256()).public_bytes(pem)).decode()


FORMS = {
    "client_certificate": Form(_make, _weakness, lambda name: _PLACEHOLDER.format(name=name)),
}
