# SPDX-License-Identifier: Apache-2.0
"""Copies of Swift's rings and builders, on every host that needs them but the one where they are made.

Comes after ``swift_ring``, whose answers it looks at: the probe asks nothing more. The files come through the
controller; see the action of the same name.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping
from typing import Any

from ...change import Change, Plan
from ...errors import Finding
from ...host_io import IO
from .. import rings
from . import swift_ring

FILES = ("builder", "ring.gz")

join = swift_ring.join


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    """Nothing that ``swift_ring`` does not ask."""
    return {}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """Nothing that ``swift_ring`` does not read."""
    return {}


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """The rings whose files this host gets."""
    directory = wanted.get("directory") or swift_ring.DIRECTORY
    return Plan(
        [
            Change(f"{directory}/{decision.ring}.ring.gz", "copy", after=f"from {decision.source}")
            for decision in rings.decide(wanted, wanted["hosts"], current["states"])
            if current["host"] in decision.stale
        ]
    )


# -- on the host, with the files in hand ------------------------------------------------------------------------


def pack(content: bytes) -> str:
    """Text that carries a file through Ansible."""
    return base64.b64encode(zlib.compress(content)).decode()


def unpack(text: str) -> bytes:
    """The file again."""
    return zlib.decompress(base64.b64decode(text))


def packed(io: IO, directory: str, ring: str) -> dict[str, str]:
    """Both files of a ring, for other hosts."""
    return {"ring": ring, **{kind: pack(io.read(f"{directory}/{ring}.{kind}") or b"") for kind in FILES}}


def plan_copies(io: IO, directory: str, copies: list[dict[str, str]]) -> Plan:
    """What differs on this host from the files that came. A newer builder here is refused."""
    changes: list[Change] = []
    findings: list[Finding] = []
    for copy in copies:
        contents = {kind: unpack(copy[kind]) for kind in FILES}
        if newer := _newer(io.read(f"{directory}/{copy['ring']}.builder"), contents["builder"]):
            where, what = f"ring {copy['ring']}", f"the builder here is newer ({newer}) than the one that came."
            findings.append(Finding("error", "swift_ring_copy.newer", where, what, "Run site.yml again."))
        for kind, content in contents.items():
            path = f"{directory}/{copy['ring']}.{kind}"
            before, after = io.digest(path), hashlib.sha256(content).hexdigest()
            if before != after:
                data = {"directory": directory, "ring": copy["ring"], "kind": kind, "content": content}
                action = "update" if before else "create"
                changes.append(Change(path, action, f"sha256 {before}" if before else "", f"sha256 {after}", data))
    return Plan(changes, findings)


def _newer(here: bytes | None, came: bytes) -> str:
    """In words, when the builder here is a later state than the one that came."""
    if here is None:
        return ""
    versions = [_version(content) for content in (here, came)]
    return f"version {versions[0]} over {versions[1]}" if versions[0] > versions[1] else ""


def _version(content: bytes) -> int:
    return int(swift_ring.loaded(content)["version"])


def apply(io: IO, plan: Plan) -> None:
    """Builders before the rings made from them."""
    for change in plan:
        data: Mapping[str, Any] = change.data
        swift_ring.save(io, data["directory"], data["ring"], data["kind"], data["content"])
