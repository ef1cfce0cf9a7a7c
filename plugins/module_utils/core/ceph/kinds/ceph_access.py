# SPDX-License-Identifier: Apache-2.0
"""What clients need of a Ceph that others administer: its monitors within reach, pools that are there, rights on them.

Monitors are asked before anything is changed, over br-storage. Pools and rights are tried as the client itself, as soon
as it has its keyring and before any service is told of it: a right to write by the removal of an object that is not
there. Nothing is changed there, or here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...change import Change, Plan
from ...errors import Finding, HoldfastError, Severity
from ...host_io import IO
from .. import values as ceph

BANNER = b"ceph v2\n"
SECONDS = 5.0


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return dict(wanted)


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{address, monitors: {address: ceph, other, refused or silent}, clients: {name: {ready, problem, pools}}}``.

    Without the ``address`` on br-storage nothing is asked. A client is ``ready`` to be tried when it has its key;
    ``pools`` are ``ok``, ``missing`` or ``denied``.
    """
    found: dict[str, Any] = {"address": io.has_address(asked["source"]), "monitors": {}, "clients": {}}
    if found["address"]:
        found["monitors"] = {
            monitor: _greeted(io, asked["source"], monitor, asked["port"]) for monitor in asked["monitors"]
        }
    for client in asked["clients"]:
        keyring = f"/etc/ceph/ceph.client.{client['name']}.keyring"
        ready = (
            _has_key(io, keyring, client.get("key"))
            and io.exists("/etc/ceph/ceph.conf")
            and "ceph" in found["monitors"].values()
        )
        found["clients"][client["name"]] = {"ready": ready, **(_tried(io, client, keyring) if ready else {})}
    return found


def _has_key(io: IO, keyring: str, digest: str | None) -> bool:
    """Whether the keyring is there, with the key that it is to have."""
    text = io.read_text(keyring)
    return text is not None and digest in (None, ceph.digest(ceph.key_in(text)))


def _greeted(io: IO, source: str, address: str, port: int) -> str:
    state, said = io.greeting(address, port, source, len(BANNER), SECONDS)
    if state != "open":
        return state
    return "ceph" if said == BANNER else "other"


def _tried(io: IO, client: Mapping[str, Any], keyring: str) -> dict[str, Any]:
    try:
        with io.ceph(f"client.{client['name']}", keyring, SECONDS) as cluster:
            pools = {pool: cluster.may(pool, write=True) for pool in client["writes"]}
            pools |= {pool: cluster.may(pool, write=False) for pool in client["reads"]}
            return {"problem": "", "pools": pools}
    except HoldfastError as error:
        return {"problem": error.message, "pools": {}}


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    return _judged(current, wanted)


def _judged(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """A client that could not be tried yet is to be; one that was tried in vain is refused."""
    host = wanted["host"]
    findings = list(_monitors(current, host))
    changes = []
    for client in wanted["clients"]:
        found = current["clients"][client["name"]]
        name = f"client.{client['name']}"
        if not found["ready"]:
            changes.append(Change(name, "try", "", f"{', '.join([*client['writes'], *client['reads']])}", dict(wanted)))
        elif found["problem"]:
            fix = f"See that the secret of {name} is its key there (ceph auth get {name}), and the cluster healthy."
            findings.append(_finding("refused", f"{host}: {name}", found["problem"], fix))
        for pool, state in sorted(found.get("pools", {}).items()):
            if state != "ok":
                what = "is no pool of the cluster." if state == "missing" else f"may not be used by {name}."
                right = "profile rbd" if pool in client["writes"] else "profile rbd-read-only"
                fix = (
                    "Have it made there."
                    if state == "missing"
                    else f"Have the client given: osd '{right} pool={pool}'."
                )
                findings.append(_finding(state, f"{host}: pool {pool}", what, fix))
    return Plan(changes, findings)


def _monitors(current: Mapping[str, Any], host: str) -> list[Finding]:
    wrong = {address: state for address, state in current["monitors"].items() if state != "ceph"}
    if not wrong:
        return []
    words = {
        "refused": "refuses the connection",
        "silent": "does not answer",
        "other": "is no monitor that speaks the second protocol",
    }
    what = "; ".join(f"{address} {words[state]}" for address, state in wrong.items()) + ", from br-storage."
    fix = "See that the address is right, that a route on br-storage leads there, and that port 3300 is open."
    all_wrong = len(wrong) == len(current["monitors"])
    return [_finding("monitors", f"{host}: ceph_external", what, fix, "error" if all_wrong else "advice")]


def _finding(code: str, where: str, what: str, fix: str, severity: Severity = "error") -> Finding:
    return Finding(severity, f"ceph_access.{code}", where, what, fix)


def apply(io: IO, plan: Plan) -> None:
    """Try what could not be tried before. Raises HoldfastError with all that is wrong."""
    wanted = dict(plan.changes[0].data)
    current = read(io, question(wanted))
    errors = _judged(current, wanted).errors
    if not current["address"]:
        raise HoldfastError(f"{wanted['host']}: {wanted['source']} is on no interface. Fix: bring br-storage up.")
    if errors:
        raise HoldfastError("The cluster cannot be used as it is. " + " ".join(map(str, errors)), errors)
