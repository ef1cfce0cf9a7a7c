# SPDX-License-Identifier: Apache-2.0
"""What a client of TLS thinks of a server's certificate: who signed it, until when it is good, and for which names.

As OpenSSL judges at the security level 2, with which Debian builds it; where other clients ask for more, as they do.
"""

from __future__ import annotations

import ipaddress
import re
import warnings
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

Certificate = x509.Certificate

SOON = timedelta(days=30)
"""A certificate that ends sooner is told of."""

_RSA_BITS = 2048
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_WEAK_HASHES = ("md5", "sha1")
_HOST = re.compile(r"\w[\w-]*(\.\w[\w-]*)+", re.ASCII)
# An authority and its copies may refer to one another in circles.
_LONGEST = 8


class UnreadableError(Exception):
    """A block of PEM that holds no certificate or key. The text says why, in words that end a sentence."""


def certificate(pem: str) -> Certificate:
    """A certificate from a block of PEM. Raises UnreadableError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numbers that certificates should not have; clients take them
            found = x509.load_pem_x509_certificate(pem.encode())
            # What is damaged inside shows only when it is asked for.
            found.public_key()
            found.issuer, found.subject, found.extensions  # noqa: B018
        return found
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion) as error:
        raise UnreadableError(_reason(error)) from None


def private_key(pem: str) -> Any:
    """A private key from a block of PEM that asks for no password. Raises UnreadableError."""
    try:
        return serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnreadableError(_reason(error)) from None


def belongs(key: Any, certificate: Certificate) -> bool:
    """Whether a private key is that of a certificate."""
    return _public(key.public_key()) == _public(certificate.public_key())


def name(certificate: Certificate) -> str:
    """The subject, for a message: its common name, or all of it."""
    return _called(certificate.subject)


def dated(certificate: Certificate) -> str:
    """The subject with the day on which it ends, where another has the same subject."""
    return f"{name(certificate)} (until {_day(certificate.not_valid_after_utc)})"


def issuer(certificate: Certificate) -> str:
    """Who signed it, for a message."""
    return _called(certificate.issuer)


def has_signed(upper: Certificate, lower: Certificate) -> bool:
    """Whether a certificate is that of who signed another one."""
    if lower.issuer != upper.subject:
        return False
    try:
        try:
            lower.verify_directly_issued_by(upper)
        except (ValueError, UnsupportedAlgorithm):
            _verify_old(upper.public_key(), lower)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def is_meant(upper: Certificate, lower: Certificate) -> bool:
    """Whether a certificate is the one that another names as its signer's, by identifiers of keys or by its number.

    Clients do not try the signature of another one, even of the same name.
    """
    named = _extension(lower, x509.AuthorityKeyIdentifier)
    own = _extension(upper, x509.SubjectKeyIdentifier)
    if named is None:
        return True
    if named.key_identifier and own and named.key_identifier != own.digest:
        return False
    if named.authority_cert_serial_number not in (None, upper.serial_number):
        return False
    directories = [one.value for one in named.authority_cert_issuer or () if isinstance(one, x509.DirectoryName)]
    return not directories or directories[0] == upper.issuer


def is_self_signed(certificate: Certificate) -> bool:
    """Whether a certificate is signed with its own key: the end of every chain."""
    return certificate.subject == certificate.issuer and has_signed(certificate, certificate)


def paths(leaf: Certificate, sent: Sequence[Certificate], trusted: Sequence[Certificate]) -> list[list[Certificate]]:
    """Every way from a server's certificate to a trusted one that signed itself, those with more that is trusted first.

    Each is the certificates from ``leaf`` on. ``sent`` are those that the server shows beside its own.
    """
    found: list[list[Certificate]] = []
    unique = list(dict.fromkeys((*trusted, *sent)))

    def climb(path: list[Certificate]) -> None:
        last = path[-1]
        if is_self_signed(last):
            if last in trusted:
                found.append(path)
            return
        for upper in unique:
            if len(path) < _LONGEST and upper not in path and has_signed(upper, last) and is_meant(upper, last):
                climb([*path, upper])

    climb([leaf])
    return found


def highest(leaf: Certificate, known: Sequence[Certificate]) -> Certificate:
    """How far one comes from a certificate by the ones that are known: the last, whose signer is not among them."""
    path = [leaf]
    while not is_self_signed(path[-1]):
        above = (one for one in known if one not in path and has_signed(one, path[-1]))
        upper = next((one for one in above if is_meant(one, path[-1])), None)
        if upper is None:
            break
        path.append(upper)
    return path[-1]


def in_order(leaf: Certificate, others: Sequence[Certificate]) -> list[Certificate]:
    """The certificates in the order in which a server shows them: each is of who signed the one before."""
    ordered, left = [leaf], [one for one in dict.fromkeys(others) if one != leaf]
    while upper := next((one for one in left if has_signed(one, ordered[-1])), None):
        ordered.append(upper)
        left.remove(upper)
    return ordered


def time_fault(certificate: Certificate, now: datetime) -> str | None:
    """Why a certificate is not good now, in words that follow its name."""
    if now > certificate.not_valid_after_utc:
        return f"ended on {_day(certificate.not_valid_after_utc)}"
    if now < certificate.not_valid_before_utc:
        return f"is good from {_day(certificate.not_valid_before_utc)} on only"
    return None


def ends_soon(certificate: Certificate, now: datetime) -> str | None:
    """When it ends, if that is soon."""
    return _day(certificate.not_valid_after_utc) if certificate.not_valid_after_utc - now < SOON else None


def weakness(certificate: Certificate) -> str | None:
    """What is too weak of a certificate's key, or of the signature on it, in words that follow its name.

    Nobody looks at the signature on an authority that signed itself.
    """
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _RSA_BITS:
            return f"has an RSA key of {key.key_size} bits, and clients want {_RSA_BITS} at least"
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            return f"has a key on the curve {key.curve.name}, and clients take {', '.join(_CURVES)}"
    elif not isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        return "has a key of a kind that clients of TLS do not take"
    if certificate.subject == certificate.issuer:
        return None
    try:
        used = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "is signed in a way that clients of TLS do not take"
    if used and used.name in _WEAK_HASHES:
        return f"is signed with {used.name.upper()}, which clients no longer take"
    return None


def server_fault(certificate: Certificate) -> str | None:
    """Why a server can not show a certificate as its own, in words that follow its name."""
    usage = _extension(certificate, x509.KeyUsage)
    if usage and not usage.digital_signature:
        return "may not sign (its keyUsage lacks digitalSignature), and every connection wants that"
    return purpose_fault(certificate)


def is_authority(certificate: Certificate) -> bool:
    """Whether a certificate says that it is an authority's, or is too old to say and signed itself."""
    basic = _extension(certificate, x509.BasicConstraints)
    return bool(basic.ca) if basic else certificate.version == x509.Version.v1 and is_self_signed(certificate)


def authority_fault(certificate: Certificate, below: int) -> str | None:
    """Why a certificate is that of no authority, in words that follow its name.

    ``below`` are the authorities between it and the server's certificate.
    """
    basic = _extension(certificate, x509.BasicConstraints)
    if not is_authority(certificate):
        return "is not that of an authority (its basicConstraints do not say CA)"
    usage = _extension(certificate, x509.KeyUsage)
    if usage and not usage.key_cert_sign:
        return "may not sign certificates (its keyUsage lacks keyCertSign)"
    if basic and basic.path_length is not None and below > basic.path_length:
        return f"allows {basic.path_length} authorities below it (its pathlen), and there are {below}"
    return purpose_fault(certificate)


def purpose_fault(certificate: Certificate) -> str | None:
    """What keeps a certificate, a server's or an authority's, from being used for servers."""
    uses = _extension(certificate, x509.ExtendedKeyUsage)
    if uses and ExtendedKeyUsageOID.SERVER_AUTH not in uses:
        return "is not for servers (its extendedKeyUsage lacks serverAuth)"
    for extension in certificate.extensions:
        if extension.critical and isinstance(extension.value, (x509.UnrecognizedExtension, x509.PrecertPoison)):
            return f"has the critical extension {extension.oid.dotted_string}, which clients do not know"
    return None


def old_form(path: Sequence[Certificate]) -> str | None:
    """What clients want that check the form of certificates too, as Python 3.13 does, and one on the way lacks."""
    for certificate in path if len(path) > 1 else ():
        basic = _critical(certificate, x509.BasicConstraints)
        lacking = []
        if basic is not None:
            lacking += ["basicConstraints that are critical"] if not basic else []
            lacking += ["keyUsage"] if not _extension(certificate, x509.KeyUsage) else []
            lacking += ["subjectKeyIdentifier"] if not _extension(certificate, x509.SubjectKeyIdentifier) else []
        if certificate is not path[-1] and not _extension(certificate, x509.AuthorityKeyIdentifier):
            lacking.append("authorityKeyIdentifier")
        if lacking:
            return f"{name(certificate)} lacks {' and '.join(lacking)}"
    return None


def covers(certificate: Certificate, address: str) -> bool:
    """Whether a certificate is for a name or an IPv4 address: by its subjectAltName alone, as clients look."""
    names = _extension(certificate, x509.SubjectAlternativeName)
    if not names:
        return False
    try:
        return ipaddress.ip_address(address) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        return any(_matches(pattern, address) for pattern in names.get_values_for_type(x509.DNSName))


def alternatives(certificate: Certificate) -> list[str]:
    """The names and addresses that a certificate is for."""
    names = _extension(certificate, x509.SubjectAlternativeName)
    return [str(one.value) for one in names or () if isinstance(one, (x509.DNSName, x509.IPAddress))]


def forbidden(path: Sequence[Certificate]) -> str | None:
    """A name of the server's certificate that an authority on the way may not sign, in words that follow its name."""
    names = [*(_extension(path[0], x509.SubjectAlternativeName) or ()), *_common_name(path[0])]
    for upper in path[1:]:
        limits = _extension(upper, x509.NameConstraints)
        for one in names if limits else ():
            allowed = [it for it in limits.permitted_subtrees or () if type(it) is type(one)]
            if _within(one, limits.excluded_subtrees or ()) or (allowed and not _within(one, allowed)):
                return f"is for {one.value}, and {name(upper)} may sign no such name (its nameConstraints)"
    return None


def _verify_old(key: Any, lower: Certificate) -> None:
    """Check a signature with a digest that the library takes for no certificate any more, as SHA-1."""
    digest = lower.signature_hash_algorithm
    if digest and isinstance(key, rsa.RSAPublicKey):
        key.verify(lower.signature, lower.tbs_certificate_bytes, padding.PKCS1v15(), digest)
    elif digest and isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(lower.signature, lower.tbs_certificate_bytes, ec.ECDSA(digest))
    else:
        raise InvalidSignature


def _within(one: x509.GeneralName, trees: Iterable[x509.GeneralName]) -> bool:
    for tree in trees:
        if isinstance(one, x509.DNSName) and isinstance(tree, x509.DNSName):
            inner, outer = one.value.lower(), tree.value.lower().lstrip(".")
            if not outer or inner == outer or inner.endswith(f".{outer}"):
                return True
        elif isinstance(one, x509.IPAddress) and isinstance(tree, x509.IPAddress):
            network = ipaddress.ip_network(str(tree.value))
            if ipaddress.ip_address(str(one.value)) in network:
                return True
    return False


def _common_name(certificate: Certificate) -> list[x509.GeneralName]:
    """The common name of a certificate that is for no name, where it looks like one: OpenSSL judges it as one."""
    names = _extension(certificate, x509.SubjectAlternativeName)
    if names and names.get_values_for_type(x509.DNSName):
        return []
    found = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return [x509.DNSName(str(one.value)) for one in found if _HOST.fullmatch(str(one.value))]


def _matches(pattern: str, name: str) -> bool:
    """Whether a name is one that a DNSName of a certificate stands for: * is one whole label, the first of three."""
    pattern, name = pattern.lower(), name.lower()
    if not pattern.startswith("*."):
        return pattern == name
    first, _, rest = name.partition(".")
    return bool(first) and rest == pattern[2:] and "." in rest


def _extension(certificate: Certificate, kind: Any) -> Any:
    """The value of an extension, or None."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _critical(certificate: Certificate, kind: Any) -> bool | None:
    """Whether an authority's extension is critical; None where the certificate is no authority's."""
    try:
        found = certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None
    return found.critical if found.value.ca else None


def _public(key: Any) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, form)
    return encoded


def _called(subject: x509.Name) -> str:
    found = subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    text = str(found[0].value) if found else subject.rfc4514_string()
    return repr(text) if text else "(no subject)"


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).split(". ")[0].rstrip(".") or type(error).__name__
