# SPDX-License-Identifier: Apache-2.0
"""The authority that every host trusts, and the certificate of each host that serves TLS.

The host's key is made there and never leaves it; the authority's key is one of the deployment's secrets and never
stands on a disk. So this kind only reads and plans: the role ``pki`` does it, over the hosts of ``phase_certificates``.
"""

from __future__ import annotations

import calendar
import functools
import hashlib
import time
from typing import Any

from ...change import Change, Plan
from ...host_io import IO

DIRECTORY = "/etc/holdfast/tls"
TRUSTED = "/usr/local/share/ca-certificates/holdfast.crt"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
OPENSSL = "/usr/bin/openssl"
END = "-----END CERTIFICATE-----"

# The secrets that the certificates are made of. The site's own ones are empty when Holdfast makes all; they come from
# files, and no secret of the vault can have such a name.
AUTHORITY_KEY = "pki_ca_key"
SITE_CERTIFICATE, SITE_KEY, SITE_AUTHORITY = "haproxy.certificate", "haproxy.key", "haproxy.ca"


@functools.lru_cache(maxsize=8)
def public_key_digest(private_key: str) -> str:
    """SHA-256 of the public key of a private one, both in PEM. On the controller."""
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(private_key.encode(), password=None)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return digest(normal(key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()))


def normal(pem: str) -> str:
    """PEM text without differences that mean nothing."""
    return "".join(line.strip() + "\n" for line in pem.splitlines() if line.strip())


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"server": bool(wanted["names"]), "site": bool(wanted["site"])}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{authority, authority_days, site_authority, trusted, names, days, ours, paired, site}``.

    ``ours`` says that the authority that stands there signed the host's certificate, ``paired`` that the host's key
    belongs to it; ``days`` are those until its end. Missing things are empty.
    """
    bundle = normal(io.read_text(f"{DIRECTORY}/ca.pem") or "")
    first, _, rest = bundle.partition(END + "\n")
    authority = _certificate(io, f"{DIRECTORY}/ca.pem") if first else {}
    current: dict[str, Any] = {
        "authority": authority.get("key", ""),
        "authority_days": authority.get("days", 0),
        "site_authority": digest(rest),
        "trusted": bool(first)
        and normal(io.read_text(TRUSTED) or "") == bundle
        and first.splitlines()[1] in (io.read_text(BUNDLE) or ""),
    }
    if asked["server"]:
        certificate = _certificate(io, f"{DIRECTORY}/host.pem")
        key = io.run([OPENSSL, "pkey", "-in", f"{DIRECTORY}/host.key", "-pubout"], check=False)
        chain = io.run([OPENSSL, "verify", "-CAfile", f"{DIRECTORY}/ca.pem", f"{DIRECTORY}/host.pem"], check=False)
        current["names"] = certificate.get("names", [])
        current["days"] = certificate.get("days", 0)
        current["ours"] = chain.rc == 0
        current["paired"] = key.rc == 0 and digest(normal(key.out)) == certificate.get("key")
    if asked["site"]:
        current["site"] = [digest(normal(io.read_text(f"{DIRECTORY}/{name}") or "")) for name in ("api.pem", "api.key")]
    return current


def _certificate(io: IO, path: str) -> dict[str, Any]:
    """``{key, names, days}`` of the first certificate of a file, or nothing."""
    argv = [OPENSSL, "x509", "-in", path, "-noout", "-enddate", "-ext", "subjectAltName", "-pubkey"]
    shown = io.run(argv, check=False)
    if shown.rc != 0:
        return {}
    public: list[str] = []
    inside = False
    found: dict[str, Any] = {"names": [], "days": 0}
    for line in shown.out.splitlines():
        inside = inside or line.startswith("-----BEGIN")
        if inside:
            public.append(line)
            inside = not line.startswith("-----END")
        elif line.startswith("notAfter="):
            end = calendar.timegm(time.strptime(line[9:], "%b %d %H:%M:%S %Y %Z"))
            found["days"] = int((end - time.time()) // 86400)
        elif "DNS:" in line or "IP Address:" in line:
            entries = line.strip().replace("IP Address:", "IP:").split(", ")
            found["names"] = sorted(entries)
    return {**found, "key": digest(normal("\n".join(public)))}


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    changes = []
    if reason := _authority_differs(current, wanted):
        action = "update" if current["authority"] else "create"
        changes.append(Change(f"{DIRECTORY}/ca.pem", action, reason, f"authority {wanted['authority'][:12]}, trusted"))
    if wanted["names"] and (reason := _certificate_differs(current, wanted)):
        action = "renew" if current["names"] else "create"
        after = f"for {', '.join(wanted['names'])}"
        changes.append(Change(f"{DIRECTORY}/host.pem", action, reason if current["names"] else "", after))
    if wanted["site"] and current["site"] != wanted["site"]:
        action = "update" if current["site"][0] else "create"
        before = f"certificate {current['site'][0][:12]}" if current["site"][0] else ""
        changes.append(Change(f"{DIRECTORY}/api.pem", action, before, f"the site's own, {wanted['site'][0][:12]}"))
    return Plan(changes)


def _authority_differs(current: dict[str, Any], wanted: dict[str, Any]) -> str:
    if not current["authority"]:
        return "no authority"
    if current["authority"] != wanted["authority"]:
        return f"another authority, {current['authority'][:12]}"
    if current["authority_days"] < wanted["authority_days"]:
        return f"the authority's certificate ends in {current['authority_days']} days"
    if current["site_authority"] != wanted["site_authority"]:
        return "other certificates of the site's authority"
    return "" if current["trusted"] else "not trusted by the host"


def _certificate_differs(current: dict[str, Any], wanted: dict[str, Any]) -> str:
    if current["names"] and current["days"] < wanted["renew_before_days"]:
        return f"ends in {current['days']} days"
    if current["authority"] != wanted["authority"] or not current["ours"]:
        return "signed by another authority"
    if not current["paired"]:
        return "its key is another or missing"
    if current["names"] != wanted["names"]:
        return f"for {', '.join(current['names'])}"
    return ""
