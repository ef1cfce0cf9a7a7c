# SPDX-License-Identifier: Apache-2.0
"""The page of all findings, docs/reference/findings.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from finding_codes import Place

MEANINGS: Mapping[str, tuple[str, str]] = {
    "ceph_access.refused": ("The cluster refuses the client. The message is Ceph's.", ""),
    "certificates.authority": (
        "A certificate on the way to the authority may not sign others, or not those below it.",
        "Ask your authority for the certificates of its chain, and put them in their order.",
    ),
    "certificates.file": ("", "Correct the path, or let the user who runs this read the file."),
    "inventory.reading": (
        "YAML reads a number or a key as another value than people do, such as `0200`, `1:30` or `on`.",
        "Write the number in decimal digits alone, or put the text in quotes.",
    ),
    "inventory.stray": ("", "Correct the file, move it away, or name the file of hosts after -i."),
    "inventory.undefined": (
        "An expression can not be evaluated. The message is Ansible's.",
        "Correct the expression, or set the variable that it names.",
    ),
    "inventory.vault": (
        "The file is encrypted, and no password that Ansible has opens it, or it is damaged.",
        "Name the file of the right password by HOLDFAST_VAULT_PASSWORD_FILE, or restore the file.",
    ),
    "networks.address": ("The address is not one that a host may have in the network.", ""),
    "networks.gateway": ("The address is not one that a router may have in the network.", ""),
    "overrides.value": ("The service's file of options can not hold the value as it is.", ""),
    "schema.type": ("", "Give a value of that type."),
    "secrets.plain": ("Secrets stand in a file that is not encrypted.", ""),
    "secrets.unreadable": (
        "The vault file of the secrets can not be opened or read.",
        "Name the file of the right password by HOLDFAST_VAULT_PASSWORD_FILE, or restore the file from a backup.",
    ),
    "secrets.weak": (
        "The secret is too easy to guess, or has not the form that its user needs.",
        "Take it out of the vault file, and Holdfast makes another. Have another device's password changed there.",
    ),
    "volume_group.incomplete": ("", "Bring the disks back: `vgs -o +devices NAME` on the host shows which."),
}
"""What a finding says and its fix, by its code, where the source has these texts from elsewhere."""

WHEN = (
    ("core/networks/reachability.py", "by preflight.yml, on the hosts"),
    ("core/lab/", "in the lab"),
    ("core/destroy/", "by destroy.yml, on the hosts"),
    ("/kinds/volume_takeover.py", "by cinder_takeover.yml"),
    ("/kinds/", "in the plan of site.yml, on the hosts"),
    ("core/plan/", "in the plan of site.yml, on the hosts"),
    ("core/swift/rings.py", "in the plan of site.yml, on the hosts"),
    ("core/ceph/files.py", "in the plan of site.yml, on the hosts"),
    ("plugins/action/verify", "by verify.yml"),
    ("", "by validate.yml, offline"),
)
"""When a finding is made, by a part of the path of the file that makes it; the first that fits."""


def page(places: Iterable[Place], examples: Mapping[str, tuple[str, str]]) -> str:
    """All codes with what they mean and what to do. ``examples``: by code, the name of a case and its file."""
    by_code: dict[str, list[Place]] = {}
    for place in sorted(places, key=lambda place: (place.code, place.file, place.line)):
        by_code.setdefault(place.code, []).append(place)
    lines, group = [_HEAD], ""
    for code, made in by_code.items():
        if code.partition(".")[0] != group:
            group = code.partition(".")[0]
            lines += [f"## {_escaped(group)}", ""]
        severities = dict.fromkeys(word for place in made for word in place.severity.split(" or "))
        when = dict.fromkeys(_when(place.file) for place in made)
        lines += [f"### {_escaped(code)}", "", f"{' or '.join(severities).capitalize()}, {' or '.join(when)}."]
        about = dict.fromkeys(place.about for place in made if place.about and "rules" in place.file)
        lines[-1] += "".join(f" {_escaped(text)}" for text in about)
        what, fix = MEANINGS.get(code, ("", ""))
        lines += ["", *_listed("What", made, "what", what), *_listed("Fix", made, "fix", fix)]
        if example := next((examples[known] for known in examples if matches(code, known)), None):
            name, file = example
            lines += [f"- **Example:** {_escaped(name)} ([{file.rpartition('/')[2]}](../../{file}))"]
        lines += [""] if lines[-1] else []
    return "\n".join(lines)


_HEAD = """\
# Findings

<!-- Made by `make docs` from the source. Change the texts there. -->

Every finding ends with a code in brackets. This page has each code: when it is found, what it says, and the fix.
`<name>` stands for a value of yours. An *error* stops the run before anything is changed; *advice* does not stop it.
A finding of `verify.yml` has the name of its story: [verify.md](../verify.md#the-stories).
"""


def _when(file: str) -> str:
    return next(when for part, when in WHEN if part in file)


def _listed(title: str, made: Iterable[Place], part: str, meaning: str) -> Iterator[str]:
    texts = dict.fromkeys(text for place in made for text in getattr(place, part))
    texts = texts or ({meaning: None} if meaning else {})
    if len(texts) == 1:
        yield f"- **{title}:** {_escaped(*texts)}"
    elif texts:
        yield f"- **{title}**, one of:"
        yield from (f"    - {_escaped(text)}" for text in texts)


def _escaped(text: str) -> str:
    """The text as Markdown shows it, but for what stands in backticks, which is code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _plain(part) for part in parts)


def _plain(text: str) -> str:
    return re.sub(r"([\\*\[\]]|\b_|_\b)", r"\\\1", text).replace("<", "&lt;").replace(">", "&gt;")


def matches(pattern: str, code: str) -> bool:
    """Whether a code of the page, in which ``<name>`` is anything, is the code of a finding."""
    return re.fullmatch(re.sub(r"<[^>]*>", "[^.]+", pattern.replace(".", r"\.")), code) is not None


def expanded(places: Iterable[Place], names: Mapping[str, Iterable[str]]) -> Iterator[Place]:
    """The places, each once for all that a part of its code stands for."""
    for place in places:
        found = next((part for part in names if part in place.code), None)
        for name in names[found] if found else [""]:
            yield replace(place, code=place.code.replace(found, name)) if found else place
