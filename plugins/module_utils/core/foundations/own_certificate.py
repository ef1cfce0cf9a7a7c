# SPDX-License-Identifier: Apache-2.0
"""Rules about the certificate that a site brings for the load balancer: its files are read, and judged as clients do.

Nothing is asked of anybody: what is wrong shows before networks and disks change. ``chain`` loads the library for
certificates, and is imported where there is one.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import Finding, HoldfastError
from ..inventory.draft import ControllerFile, Draft, listed, rule
from . import pem

if TYPE_CHECKING:
    from .chain import Certificate

CERTIFICATE, KEY, AUTHORITY = "haproxy_certificate_file", "haproxy_key_file", "haproxy_ca_file"
FILES = (CERTIFICATE, KEY, AUTHORITY)
_GOOD = "give the path of a readable file in PEM on the controller; a relative one starts at the inventory."
_IDENTIFIERS = "its subjectKeyIdentifier has to be the other's authorityKeyIdentifier, or clients do not find it"
_APART = (
    "openssl pkey -in {path} -out NEW.key; openssl crl2pkcs7 -nocrl -certfile {path} | openssl pkcs7 -print_certs"
    " -out NEW.pem"
)


@rule
def own_certificate(draft: Draft) -> Iterator[Finding]:
    """The site's own certificate comes with its key and CA, and is one that clients take."""
    given = [name for name in FILES if draft.variables.get(name)]
    missing = [name for name in FILES if not draft.variables.get(name) and not draft.was_refused((name,))]
    if given and missing:
        yield draft.error(
            "certificates.incomplete",
            (missing[0],),
            f"is empty, and {listed(given)} {'is' if len(given) == 1 else 'are'} given.",
            f"Give {', '.join(FILES)}, or none of them.",
        )
    site = _Site(draft, {name: str(draft.variables[name]) for name in given})
    held = {name: blocks for name in given if (blocks := site.blocks(name))}
    site.forms(held)
    for name, blocks in held.items():
        if name not in site.wrong:
            site.parse(name, blocks)
    sent = site.certificates.get(CERTIFICATE)
    if sent and (leaf := site.leaf(sent)):
        site.server(leaf)
        if trusted := site.certificates.get(AUTHORITY):
            site.chain(leaf, sent, trusted)
    yield from site.findings


@dataclass(frozen=True)
class _Fault:
    """What is wrong with a certificate on the way to the authority."""

    code: str
    certificate: Certificate
    what: str


class _Site:
    """The files that the site gives, and what is found about them."""

    def __init__(self, draft: Draft, paths: Mapping[str, str]) -> None:
        self.draft = draft
        self.paths = paths
        self.files: dict[str, ControllerFile] = {}
        self.now = draft.now
        self.findings: list[Finding] = []
        self.wrong: set[str] = set()
        self.certificates: dict[str, list[Certificate]] = {}
        self.key: Any = None

    def error(self, code: str, variable: str, what: str, fix: str) -> None:
        self.wrong.add(variable)
        self.findings.append(self.draft.error(code, (variable,), f"is {self.paths[variable]!r}, {what}.", fix))

    def advice(self, code: str, variable: str, what: str, fix: str) -> None:
        self.findings.append(self.draft.advice(code, (variable,), f"is {self.paths[variable]!r}, {what}.", fix))

    # -- what the files are

    def blocks(self, variable: str) -> list[pem.Block]:
        """The blocks of PEM in a file; none where it is told why there are none."""
        try:
            self.files[variable] = self.draft.read_file(self.paths[variable])
        except HoldfastError as error:
            what, _, fix = error.message.partition(". Fix: ")
            self.error("certificates.file", variable, f"which can not be read: {what}", fix or _capital(_GOOD))
            return []
        content = self.files[variable].content
        found = pem.blocks(content)
        if not found:
            what, command = pem.nature(content)
            self.error("certificates.form", variable, f"which is {what}", self._remade(variable, command))
        return found

    def forms(self, held: Mapping[str, Sequence[pem.Block]]) -> None:
        """Each file holds what it is for, and a file that everybody may read holds no key."""
        swapped = (
            any(block.is_key for block in held.get(CERTIFICATE, ()))
            and not any(block.is_certificate for block in held.get(CERTIFICATE, ()))
            and not any(block.is_key for block in held.get(KEY, ()))
        )
        for variable, blocks in held.items():
            useful = any(block.is_key or block.is_certificate for block in blocks)
            if not useful and (other := next((block.other for block in blocks if block.other), None)):
                what, command = other
                self.error("certificates.form", variable, f"which holds {what}", self._remade(variable, command))
            elif variable == KEY:
                self._form_of_key(blocks, swapped)
            else:
                self._form_of_certificates(variable, blocks, swapped)

    def _form_of_key(self, blocks: Sequence[pem.Block], swapped: bool) -> None:
        keys = [block for block in blocks if block.is_key]
        if not keys:
            fix = f"Swap {CERTIFICATE} and {KEY}." if swapped else f"Give the key that the file of {CERTIFICATE} needs."
            holds = "a certificate" if any(block.is_certificate for block in blocks) else f"a block {blocks[0].label}"
            self.error("certificates.form", KEY, f"which holds {holds} and no private key", fix)
        elif len(keys) > 1:
            what = f"which holds {len(keys)} private keys"
            self.error("certificates.form", KEY, what, "Leave the one of the certificate in it.")
        elif keys[0].is_locked:
            command = self._command(KEY, "openssl pkey -in {path} -out NEW")
            fix = f"Take the password off with {command}, then protect the file with `ansible-vault encrypt NEW`."
            what = "which asks for a password of its own, and the load balancer starts without anybody to type one"
            self.error("certificates.locked", KEY, what, fix)

    def _form_of_certificates(self, variable: str, blocks: Sequence[pem.Block], swapped: bool) -> None:
        found = any(block.is_certificate for block in blocks)
        if any(block.is_key for block in blocks):
            if found:
                what = "which holds a private key beside certificates: hosts keep this file where everybody reads it"
                fix = f"Take it apart with {self._command(variable, _APART)}; NEW.key is {KEY}."
                self.error("certificates.combined", variable, what, fix)
            else:
                fix = f"Swap {CERTIFICATE} and {KEY}." if swapped else "Give the file of the certificate."
                self.error("certificates.form", variable, "which holds a private key and no certificate", fix)
        elif not found:
            what = f"which holds a block {blocks[0].label} and no certificate"
            self.error("certificates.form", variable, what, "Give the file of the certificate.")

    def parse(self, variable: str, blocks: Sequence[pem.Block]) -> None:
        """Have the certificates of a file, or its key; nothing of one in which something is damaged."""
        from . import chain

        found = []
        for number, block in enumerate((block for block in blocks if block.is_certificate), 1):
            try:
                if variable != KEY:
                    found.append(chain.certificate(block.text))
            except chain.UnreadableError as error:
                what = f"whose certificate {number} is damaged: {error}"
                self.error("certificates.form", variable, what, "Get the file again from whoever issued it.")
        for block in blocks:
            try:
                if variable == KEY and block.is_key:
                    self.key = chain.private_key(block.text)
            except chain.UnreadableError as error:
                what = f"whose private key is damaged: {error}"
                self.error("certificates.form", variable, what, "Put the key back from where it was made.")
        if found and variable not in self.wrong:
            self.certificates[variable] = found

    # -- what clients think of them

    def leaf(self, sent: Sequence[Certificate]) -> Certificate | None:
        """The server's own certificate, wherever it stands: that of the key. None where the files are swapped."""
        from . import chain

        servers = [one for one in sent if not chain.is_authority(one)] or sent
        leaf = servers[0]
        if self.key:
            own = [one for one in servers if chain.belongs(self.key, one)]
            # Of a renewed one and the one before, which may have the same key, the one that is good.
            leaf = next((one for one in own if not chain.time_fault(one, self.now)), (own or [leaf])[0])
            if not chain.belongs(self.key, leaf):
                what = f"which is the key of another certificate than {chain.name(leaf)} in {self.paths[CERTIFICATE]}"
                if any(chain.belongs(self.key, one) for one in self.certificates.get(AUTHORITY, ())):
                    self.error("certificates.key", KEY, what, f"Swap {CERTIFICATE} and {AUTHORITY}.")
                    return None
                fix = "Give the key with which that certificate was asked for, or the certificate of this key."
                self.error("certificates.key", KEY, what, fix)
        ordered = chain.in_order(leaf, sent)
        if list(sent) != ordered:
            alien = [chain.name(one) for one in sent if one not in ordered]
            called = [chain.name(one) for one in ordered]
            if {*alien} & {*called}:
                alien = [chain.dated(one) for one in sent if one not in ordered]
                called = [chain.dated(one) for one in ordered]
            what = "whose certificates are not in order: the server's comes first, then who signed the one before"
            if alien:
                what = f"in which {', '.join(alien)} signed none of the certificates before"
            fix = f"Leave these in it, in this order: {', '.join(called)}."
            self.error("certificates.order", CERTIFICATE, what, fix)
        return leaf

    def server(self, leaf: Certificate) -> None:
        """The server's own certificate is good by itself."""
        from . import chain

        called = f"whose certificate {chain.name(leaf)}"
        if fault := chain.time_fault(leaf, self.now):
            self.error("certificates.time", CERTIFICATE, f"{called} {fault}", "Give a certificate that is good now.")
        elif day := chain.ends_soon(leaf, self.now):
            self.advice("certificates.soon", CERTIFICATE, f"{called} ends on {day}", "Have it renewed before.")
        if fault := chain.weakness(leaf):
            fix = "Have one issued for a key of RSA with 2048 bits or more, or on P-256, and signed with SHA-256."
            self.error("certificates.weak", CERTIFICATE, f"{called} {fault}", fix)
        if fault := chain.server_fault(leaf):
            fix = "Have one issued for servers: keyUsage digitalSignature, extendedKeyUsage serverAuth."
            self.error("certificates.purpose", CERTIFICATE, f"{called} {fault}", fix)
        self._names(leaf, called)

    def _names(self, leaf: Certificate, called: str) -> None:
        from . import chain

        variables = self.draft.variables
        variable = "haproxy_name" if variables.get("haproxy_name") else "haproxy_address"
        address = str(variables.get(variable) or "")
        if not address or self.draft.was_refused(("haproxy_name",)) or chain.covers(leaf, address):
            return
        names = chain.alternatives(leaf)
        what = f"is for {', '.join(names)}" if names else "names nothing in its subjectAltName"
        form = f"DNS:{address}" if variable == "haproxy_name" else f"IP:{address}"
        fix = f"Have one issued with {form} in its subjectAltName"
        hosts = [name for name in names if "*" not in name and name[:1].isalpha()]
        more = f", or set haproxy_name to {hosts[0]}" if hosts else ""
        self.error(
            "certificates.names",
            CERTIFICATE,
            f"{called} {what}, and clients find every API at {address} ({variable})",
            f"{fix}{more}.",
        )

    def chain(self, leaf: Certificate, sent: Sequence[Certificate], trusted: Sequence[Certificate]) -> None:
        """The server's certificate leads to an authority of the site's, by certificates that are good."""
        from . import chain

        ways = chain.paths(leaf, sent, trusted)
        if not ways:
            self._leads_nowhere(leaf, sent, trusted)
            return
        judged = [(way, self._faults(way)) for way in ways]
        way, faults = next((one for one in judged if not one[1]), judged[0])
        for fault in faults:
            variable = CERTIFICATE if fault.certificate in sent and fault.certificate is not way[-1] else AUTHORITY
            fix = "Have your authority give you a chain whose certificates are all good for servers, and good now."
            what = f"whose certificate {chain.name(fault.certificate)} {fault.what}"
            self.findings.append(
                self.draft.error(fault.code, (variable,), f"is {self.paths[variable]!r}, {what}.", fix)
            )
        if not faults:
            self._advise(way, sent)

    def _faults(self, way: Sequence[Certificate]) -> list[_Fault]:
        from . import chain

        found = []
        for below, upper in enumerate(way[1:]):
            if fault := chain.time_fault(upper, self.now):
                found.append(_Fault("certificates.time", upper, fault))
            if fault := chain.weakness(upper):
                found.append(_Fault("certificates.weak", upper, fault))
            if fault := chain.authority_fault(upper, below):
                found.append(_Fault("certificates.authority", upper, fault))
        if fault := chain.forbidden(way):
            found.append(_Fault("certificates.authority", way[0], fault))
        return found

    def _advise(self, way: Sequence[Certificate], sent: Sequence[Certificate]) -> None:
        from . import chain

        for upper in way[1:]:
            if day := chain.ends_soon(upper, self.now):
                variable = CERTIFICATE if upper in sent else AUTHORITY
                what = f"whose certificate {chain.name(upper)} ends on {day}"
                self.advice("certificates.soon", variable, what, "Ask your authority for its new one.")
        if lost := [chain.name(one) for one in way[1:-1] if one not in sent]:
            what = f"which lacks {', '.join(lost)}: clients that know {chain.name(way[-1])} alone refuse it"
            fix = f"Append the certificates of {', '.join(lost)}, which stand in {self.paths[AUTHORITY]}."
            self.advice("certificates.intermediate", CERTIFICATE, what, fix)
        if lacking := chain.old_form(way):
            what = f"and {lacking}: strict clients, such as programs with Python 3.13, refuse it"
            self.advice("certificates.old-form", AUTHORITY, what, "Ask your authority for certificates of RFC 5280.")

    def _leads_nowhere(self, leaf: Certificate, sent: Sequence[Certificate], trusted: Sequence[Certificate]) -> None:
        from . import chain

        last = chain.highest(leaf, [*sent, *trusted])
        called, signer = chain.name(last), chain.issuer(last)
        ours, theirs = self.paths[CERTIFICATE], self.paths[AUTHORITY]
        if chain.is_self_signed(last):
            what = f"which does not hold {called}, that signed itself and to which the certificate in {ours} leads"
            fix = f"Append the certificate of {called} to {theirs}, if that is the authority that clients shall trust."
            self.error("certificates.chain", AUTHORITY, what, fix)
        elif signed := next((one for one in (*sent, *trusted) if chain.has_signed(one, last)), None):
            what = f"whose certificate {chain.name(signed)} is not the one that {called} names as its signer's"
            fix = f"Have your authority issue one of the two anew: {_IDENTIFIERS}."
            self.error("certificates.chain", CERTIFICATE if signed in sent else AUTHORITY, what, fix)
        elif any(one.subject == last.issuer for one in (*sent, *trusted)):
            what = f"which has another authority of the name {signer} than the one that signed {called}"
            self.error("certificates.chain", AUTHORITY, what, f"Give the certificate of the {signer} that signed it.")
        elif last in trusted:
            what = f"which ends with {called}, and {signer} signed that: clients trust what signed itself"
            self.error("certificates.chain", AUTHORITY, what, f"Append the certificate of {signer} to {theirs}.")
        else:
            what = f"whose certificates lead to {called}; who signed that, {signer}, is neither there nor in {theirs}"
            fix = (
                f"Append the certificate of {signer} to {ours} if another authority signed it, as the chain that comes "
                f"with the certificate; or to {theirs} if it signed itself."
            )
            self.error("certificates.chain", CERTIFICATE, what, fix)

    # -- words

    def _remade(self, variable: str, command: str) -> str:
        if not command:
            return _capital(_GOOD)
        return f"Make PEM of it, and give the new file: {self._command(variable, command)}."

    def _command(self, variable: str, command: str) -> str:
        file = self.files[variable]
        path = shlex.quote(file.path)
        opened = f"`ansible-vault decrypt {path}` and " if file.is_encrypted else ""
        return f"{opened}`{command.format(path=path)}`"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
