# SPDX-License-Identifier: Apache-2.0
"""Forms of secrets of compute hosts: the key by which they reach each other."""

from __future__ import annotations

from ..inventory.secrets import Form

_PLACEHOLDER = """-----BEGIN OPENSSH PRIVATE KEY-----
({name})
-----END OPENSSH PRIVATE KEY-----
"""


def public_key(private: str) -> str:
    """``ssh-ed25519 TEXT`` of a private key, which is never shown. What is no key gives a text that fits none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_ssh_private_key(private.encode(), password=None)
    except (ValueError, UnsupportedAlgorithm):
        return "ssh-ed25519 (none)"
    form = serialization.PublicFormat.OpenSSH
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, form).decode()


def _weakness(_: str, value: str) -> str | None:
    return None if public_key(value).startswith("ssh-ed25519 AAAA") else "is not an Ed25519 key as ssh-keygen writes it"


def _make() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    form = serialization.PrivateFormat.OpenSSH
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


FORMS = {"ssh_key": Form(_make, _weakness, lambda name: _PLACEHOLDER.format(name=name))}
