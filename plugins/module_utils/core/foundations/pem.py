# SPDX-License-Identifier: Apache-2.0
"""Certificates and keys as files hold them: the blocks of PEM, and what a file without any is."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

CERTIFICATE = "CERTIFICATE"
_KEYS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
_LOCKED = "ENCRYPTED PRIVATE KEY"
_BLOCK = re.compile(r"^[ \t]*-----BEGIN ([A-Z0-9 ]+)-----[ \t]*$.*?^[ \t]*-----END \1-----[ \t]*$", re.M | re.S)
_MARK = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")

# Blocks that are none of what is wanted, and how to come from them to it.
_OTHERS = {
    "TRUSTED CERTIFICATE": ("a certificate with OpenSSL's own marks of trust", "openssl x509 -in {path} -out NEW"),
    "PKCS7": ("a collection in PKCS#7", "openssl pkcs7 -in {path} -print_certs -out NEW"),
    "CMS": ("a collection in PKCS#7", "openssl pkcs7 -in {path} -print_certs -out NEW"),
    "CERTIFICATE REQUEST": ("a request, which no authority has signed yet", ""),
    "NEW CERTIFICATE REQUEST": ("a request, which no authority has signed yet", ""),
    "OPENSSH PRIVATE KEY": ("a key in the form of OpenSSH", "ssh-keygen -p -m PKCS8 -f {path}"),
    "DSA PRIVATE KEY": ("a DSA key, which no TLS takes", ""),
    "PUBLIC KEY": ("a public key", ""),
    "X509 CRL": ("a list of revoked certificates", ""),
}


@dataclass(frozen=True)
class Block:
    """A block of PEM: its label, and its text from BEGIN to END, each line with its newline."""

    label: str
    text: str

    @property
    def is_certificate(self) -> bool:
        return self.label in (CERTIFICATE, "X509 CERTIFICATE")

    @property
    def is_key(self) -> bool:
        return self.label in _KEYS or self.label == _LOCKED

    @property
    def is_locked(self) -> bool:
        """Whether a key asks for a password."""
        return self.label == _LOCKED or "Proc-Type: 4,ENCRYPTED" in self.text

    @property
    def other(self) -> tuple[str, str] | None:
        """What a block of neither sort is, and the command that makes one of it, or nothing."""
        return _OTHERS.get(self.label)


def blocks(content: bytes) -> list[Block]:
    """The blocks of PEM in a file, in order, without what stands between them, such as comments.

    None when one of them is damaged: the others alone would be another chain.
    """
    text = content.decode("utf-8", "replace").replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")
    found = [Block(found[1], _tidy(found[0])) for found in _BLOCK.finditer(text)]
    return found if len(found) == text.count("-----BEGIN ") else []


def is_all_of(content: bytes) -> bool:
    """Whether a file is of certificates or keys, in PEM or in DER, and not one of YAML that holds some."""
    if content[:2] in (b"\x30\x80", b"\x30\x81", b"\x30\x82", b"\x30\x83"):
        return True
    return re.search(rb"^-----BEGIN [A-Z0-9 ]+-----\s*$", content, re.M) is not None


def certificates(content: bytes) -> str:
    """The certificates in a file as PEM: never a key that stands beside them."""
    return "".join(block.text for block in blocks(content) if block.is_certificate)


def key(content: bytes) -> str:
    """The private key in a file as PEM, without what stands beside it."""
    return "".join(block.text for block in blocks(content) if block.is_key)


def nature(content: bytes) -> tuple[str, str]:
    """What a file without blocks of PEM is, in words that follow "it is", and the command that makes PEM of it."""
    if not content.strip():
        return "empty", ""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "text in UTF-16", "iconv -f UTF-16 -t UTF-8 {path} > NEW"
    if content[:4] == b"\xfe\xed\xfe\xed":
        return "a key store of Java", "keytool -importkeystore -srckeystore {path} -destkeystore NEW.p12"
    if content[:1] == b"\x30":
        return _der(content)
    if _MARK.search(content.decode("utf-8", "replace")):
        return "PEM that is damaged: a line of BEGIN or END is missing, cut, or not at the start of a line", ""
    if re.fullmatch(rb"[A-Za-z0-9+/=\s]{64,}", content):
        return "base64 without the lines of BEGIN and END", "base64 -d {path} > NEW"
    return "neither a certificate nor a key", ""


def _der(content: bytes) -> tuple[str, str]:
    """What a file is whose first byte is that of a sequence in ASN.1."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    start = content[:64]
    if b"\x02\x01\x03\x30" in start[:10]:
        return "a key store in PKCS#12", "openssl pkcs12 -in {path} -nodes -out NEW"
    if b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" in start:
        return "a collection in PKCS#7", "openssl pkcs7 -inform der -in {path} -print_certs -out NEW"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x509.load_der_x509_certificate(content)
        return "a certificate in DER", "openssl x509 -inform der -in {path} -out NEW"
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        pass
    try:
        serialization.load_der_private_key(content, None)
        return "a key in DER", "openssl pkey -inform der -in {path} -out NEW"
    except TypeError:
        return "a key in DER that is encrypted", "openssl pkey -inform der -in {path} -out NEW"
    except (ValueError, UnsupportedAlgorithm):
        return "binary, and neither a certificate nor a key", ""


def _tidy(text: str) -> str:
    """Without differences that mean nothing."""
    return "".join(line.strip() + "\n" for line in text.splitlines() if line.strip())
