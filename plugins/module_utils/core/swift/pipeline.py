# SPDX-License-Identifier: Apache-2.0
"""Rules about Swift's own files: what a request passes on its way, and options that its reader would pass over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..description.expressions import evaluate
from ..errors import Finding
from ..inventory.draft import Draft, DraftHost, mapping, rule
from ..inventory.rules.overrides import spelt
from ..inventory.schema import leaves, shown

OVERRIDES = "swift_conf_overrides"
PROXY, PIPELINE = "proxy-server.conf", "pipeline:main"
# What no request may pass by, and what would come of it.
_ASKS = dict.fromkeys(("gatekeeper", "authtoken", "keystoneauth"), "anybody could do anything")
_KEEPS = {
    **dict.fromkeys(("keymaster", "encryption"), "nobody could read what was encrypted"),
    "without_credentials": "the storage servers would get users' tokens",
}
# It may stand between others, and more than once.
_ANYWHERE = "proxy-logging"


@rule
def pipeline(draft: Draft) -> Iterator[Finding]:
    """A pipeline of the site's own has all that keeps users apart, and filters in the order in which they work."""
    usual = str(evaluate(_written(draft, PROXY)[PIPELINE]["pipeline"], {}, PROXY)).split()
    for owner, content in _overrides(draft):
        own = mapping(content.get(PROXY))
        for path, given in leaves((OVERRIDES, PROXY), own):
            if [*map(spelt, path[2:])] != [PIPELINE, "pipeline"]:
                continue
            wrong = (
                f"stands for {PIPELINE} and pipeline in another spelling" if path[2:] != (PIPELINE, "pipeline") else ""
            )
            wrong = wrong or _wrong(str(given).split(), usual, own, _written(draft, PROXY))
            if wrong:
                yield draft.error(
                    "swift.pipeline",
                    path,
                    f"is {shown(given, path)}, which {wrong}.",
                    f"Give {PIPELINE} these in this order, with your own between them: {' '.join(usual)}.",
                    owner,
                )


def _wrong(given: list[str], usual: list[str], own: Mapping[str, Any], written: Mapping[str, Any]) -> str:
    """What is wrong with a pipeline, as the end of a sentence; empty when nothing is. The sections: own and written."""
    filters = given[:-1]
    if lacking := _lacks(filters, _ASKS):
        return lacking
    if given[-1:] != usual[-1:]:
        return f"does not end with {usual[-1]}"
    if "s3api" in filters and "s3token" not in filters:
        return "lacks s3token, without which s3api knows nobody"
    for name in filters:
        section = f"filter:{name}"
        if section not in own and section not in written:
            return f"names {name}, of which there is no section"
    known = [name for name in filters if name in usual and name != _ANYWHERE]
    right = sorted(known, key=usual.index)
    wrong = next((name for name, wanted in zip(known, right, strict=True) if name != wanted), None)
    if wrong:
        return f"has {wrong} in another place than it works in"
    if len(set(known)) != len(known):
        return "has a filter twice"
    if lacking := _lacks(filters, _KEEPS):
        return lacking
    return "" if given[-2:] == usual[-2:] else f"does not end with {' '.join(usual[-2:])}"


def _lacks(filters: list[str], needed: Mapping[str, str]) -> str:
    return next((f"lacks {name}: {otherwise}" for name, otherwise in needed.items() if name not in filters), "")


@rule
def filters(draft: Draft) -> Iterator[Finding]:
    """A filter that Holdfast writes stays what it is, and none lets users of a file in."""
    written = {*map(spelt, _written(draft, PROXY))}
    for owner, content in _overrides(draft):
        for path, given in leaves((OVERRIDES, PROXY), mapping(content.get(PROXY))):
            section, option = map(spelt, path[2:]) if len(path) == 4 else ("", "")
            if not section.startswith("filter:") or option != "use":
                continue
            if section in written or str(given).endswith("#tempauth"):
                why = "users of a file would be let in" if str(given).endswith("#tempauth") else "others count on it"
                yield draft.error(
                    "overrides.protected",
                    path,
                    f"is {shown(given, path)}, and may not be overridden: {why}.",
                    "Give a filter of your own a name of its own, and put it into the pipeline.",
                    owner,
                )


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
