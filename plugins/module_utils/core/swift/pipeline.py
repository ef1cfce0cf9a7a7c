# SPDX-License-Identifier: Apache-2.0
"""Rules about Swift's own files: what a request passes on its way, and options that its reader would pass over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..description.expressions import evaluate
from ..errors import Finding
from ..inventory.draft import Draft, DraftHost, mapping, rule
from ..inventory.schema import KeyPath, shown

OVERRIDES = "swift_conf_overrides"
PROXY, PIPELINE = "proxy-server.conf", "pipeline:main"
# By whom a request is asked who sends it, and what it may.
_ASKS = ("gatekeeper", "authtoken", "keystoneauth")
_ENCRYPTS = ("keymaster", "encryption")
# It may stand between others, and more than once.
_ANYWHERE = "proxy-logging"


@rule
def pipeline(draft: Draft) -> Iterator[Finding]:
    """A pipeline of the site's own has all that keeps users apart, and filters in the order in which they work."""
    encrypted = bool(draft.variables.get("swift_encryption"))
    usual = str(evaluate(_written(draft, PROXY)[PIPELINE]["pipeline"], {"swift_encryption": encrypted}, PROXY)).split()
    for owner, content in _overrides(draft):
        own = mapping(content.get(PROXY))
        given = own.get(PIPELINE, {}).get("pipeline")
        if given is not None and (wrong := _wrong(str(given).split(), usual, own, _written(draft, PROXY))):
            path: KeyPath = (OVERRIDES, PROXY, PIPELINE, "pipeline")
            yield draft.error(
                "swift.pipeline",
                path,
                f"is {shown(given, path)}, which {wrong}.",
                f"Keep these in this order, with your own between them: {' '.join(usual)}.",
                owner,
            )


def _wrong(given: list[str], usual: list[str], own: Mapping[str, Any], written: Mapping[str, Any]) -> str:
    """What is wrong with a pipeline, as the end of a sentence; empty when nothing is. The sections: own and written."""
    filters, last = given[:-1], given[-1:]
    for name in _ASKS:
        if name not in filters:
            return f"lacks {name}: anybody could do anything"
    for name in _ENCRYPTS:
        if (name in usual) != (name in filters):
            return f"{'lacks' if name in usual else 'has'} {name}, against what swift_encryption says"
    if last != usual[-1:]:
        return f"does not end with {usual[-1]}"
    if "s3api" in filters and "s3token" not in filters:
        return "lacks s3token, without which s3api knows nobody"
    for name in filters:
        section = f"filter:{name}"
        if section not in own and section not in written:
            return f"names {name}, of which there is no section"
        if str(own.get(section, {}).get("use", "")).endswith("#tempauth"):
            return f"has {name}, which lets users of a file in"
    known = [name for name in filters if name in usual and name != _ANYWHERE]
    right = sorted(known, key=usual.index)
    wrong = next((name for name, wanted in zip(known, right, strict=True) if name != wanted), None)
    if wrong:
        return f"has {wrong} in another place than it works in"
    return "has a filter twice" if len(set(known)) != len(known) else ""


@rule
def passed_over(draft: Draft) -> Iterator[Finding]:
    """An option of an app or a filter counts only by `set` where DEFAULT has it too."""
    for owner, content in _overrides(draft):
        for file, own in content.items():
            default = {**_written(draft, str(file)).get("DEFAULT", {}), **mapping(own).get("DEFAULT", {})}
            for section, options in mapping(own).items():
                for option in options if section.startswith(("app:", "filter:")) else ():
                    if option in default:
                        path = (OVERRIDES, file, section, option)
                        yield draft.error(
                            "swift.passed-over",
                            path,
                            f"is {shown(options[option], path)}, and Swift takes what DEFAULT of the file has.",
                            f"Write `set {option}`, or give it under DEFAULT.",
                            owner,
                        )


def _overrides(draft: Draft) -> Iterator[tuple[DraftHost | None, Mapping[str, Any]]]:
    """What is laid over Swift's files: what many hosts have alike once, on the first."""
    told: set[str] = set()
    for host in draft.group("swift_proxy", "swift_storage"):
        content = mapping(host.variables.get(OVERRIDES))
        if content and repr(content) not in told:
            told.add(repr(content))
            yield host, content


def _written(draft: Draft, file: str) -> Mapping[str, Any]:
    """The sections of a file of Swift, as its description has them; empty for one of a template."""
    service = next(each for each in draft.domain.services if each["service"] == "swift")
    files = [entry for component in service["components"] for entry in component.get("files", ())]
    return next((entry.get("content", {}) for entry in files if entry["path"] == f"/etc/swift/{file}"), {})
