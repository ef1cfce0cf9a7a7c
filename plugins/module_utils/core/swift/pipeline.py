# SPDX-License-Identifier: Apache-2.0
"""Rules about Swift's own files: what a request passes on its way, and options that its reader would pass over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..description.expressions import evaluate
from ..errors import Finding
from ..inventory.draft import Draft, DraftHost, listed, mapping, rule
from ..inventory.rules.overrides import protection, spelt
from ..inventory.schema import KeyPath, leaves, shown

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
# Sections that may be what a server begins with, or a part of it, as paste finds them.
_PARTS = ("pipeline", "app", "application", "composite", "composit", "filter-app", "filter")
# Roles that users of any project have, and what comes of it where they have rights over all accounts.
_COMMON = {"member", "_member_", "reader", "manager", "service"}
_OVER_ALL = {
    "reseller_admin_role": "each of them could do everything in all accounts",
    "system_reader_roles": "each of them could read all accounts",
}


# By which proxy-logging writes headers down, and those that let somebody in; some of them it cuts short itself.
_LOGS, _LOGS_ONLY = ("log_headers", "access_log_headers"), "access_log_headers_only"
_LETS_IN = re.compile(r"(?!(x-auth-token|x-storage-token|authorization)$).*(token|key|auth|pass|cookie|secret)")
_TRUE = ("true", "1", "yes", "on", "t", "y")


@rule
def pipeline(draft: Draft) -> Iterator[Finding]:
    """A pipeline of the site's own has all that keeps users apart, and filters in the order in which they work."""
    for owner, file, own, written in _servers(draft):
        usual = _usual(written)
        for path, given in leaves((OVERRIDES, file), own):
            if [*map(spelt, path[2:])] != [PIPELINE, "pipeline"]:
                continue
            wrong = (
                f"stands for {PIPELINE} and pipeline in another spelling" if path[2:] != (PIPELINE, "pipeline") else ""
            )
            if wrong := wrong or _wrong(str(given).split(), usual, {*own, *written}, at_proxy=file == PROXY):
                yield draft.error(
                    "swift.pipeline",
                    path,
                    f"is {shown(given, path)}, which {wrong}.",
                    f"Give {PIPELINE} these in this order, with your own between them: {' '.join(usual)}.",
                    owner,
                )


def _wrong(given: list[str], usual: list[str], sections_: set[str], *, at_proxy: bool) -> str:
    """What is wrong with a pipeline, as the end of a sentence; empty when nothing is."""
    filters = given[:-1]
    others = dict.fromkeys((name for name in usual[:-1] if name != _ANYWHERE), "others count on it")
    if lacking := _lacks(filters, _ASKS if at_proxy else others):
        return lacking
    if given[-1:] != usual[-1:]:
        return f"does not end with {usual[-1]}"
    if at_proxy and "s3api" in filters and "s3token" not in filters:
        return "lacks s3token, without which s3api knows nobody"
    if unknown := next((name for name in filters if f"filter:{name}" not in sections_), ""):
        return f"names {unknown}, of which there is no section"
    known = [name for name in filters if name in usual and name != _ANYWHERE]
    right = sorted(known, key=usual.index)
    wrong = next((name for name, wanted in zip(known, right, strict=True) if name != wanted), None)
    if wrong:
        return f"has {wrong} in another place than it works in"
    if len(set(known)) != len(known):
        return "has a filter twice"
    if not at_proxy:
        return ""
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
def sections(draft: Draft) -> Iterator[Finding]:
    """What is given to a section of a server's file is read there, and does not stand in the way of another section."""
    files = _files(draft)
    for owner, file, own, written in _servers(draft):
        places = {_name(section): section for section in (*written, PIPELINE)}
        runs = str((own.get(PIPELINE) or {}).get("pipeline", "")).split() or _usual(written)
        for section in own:
            elsewhere = next((each for each, content in files.items() if section in content), "")
            kind, _, name = (part.strip() for part in section.partition(":"))
            if section in written:
                continue
            if same := places.get(_name(section)):
                code, what, fix = "overrides.section", f"stands for {same} too", f"Write the section as {same}."
            elif kind not in _PARTS and elsewhere:
                code, what, fix = "overrides.unread", "is read in another file", f"Write it under {elsewhere}."
            elif kind == "filter" and name not in runs:
                what, fix = "is of no filter of the pipeline", f"Put {name} into the pipeline, or take the section out."
                code = "overrides.unread"
            elif kind != "filter" and kind in _PARTS:
                code, what, fix = "overrides.unread", "is of nothing that the server runs", "Take it out."
            else:
                continue
            if any(
                not _is_told(draft, path, given, written)
                for path, given in leaves((OVERRIDES, file, section), own[section])
            ):
                yield draft.error(code, (OVERRIDES, file, section), f"is a section that {what}.", fix, owner)


def _is_told(draft: Draft, path: KeyPath, given: Any, written: Mapping[str, Any]) -> bool:
    """Whether another rule says what is wrong with an option."""
    section, option = spelt(path[2]), spelt(path[-1])
    own = (section, option) == (PIPELINE, "pipeline") or (option == "use" and section in map(spelt, written))
    return own or protection(draft, path, given) is not None


def _name(section: str) -> str:
    """A section as paste finds it: blanks behind the colon do not count, and `main` is who has no name."""
    kind, colon, name = (part.strip() for part in section.partition(":"))
    return f"{kind}:{name}" if colon else f"{kind}:main" if kind in _PARTS else kind


@rule
def roles(draft: Draft) -> Iterator[Finding]:
    """Who has a role that users of any project have, has no rights over all accounts."""
    for owner, content in _overrides(draft):
        for path, given in leaves((OVERRIDES, PROXY), mapping(content.get(PROXY))):
            otherwise = _OVER_ALL.get(spelt(path[-1]))
            operators = draft.variables.get("swift_operator_roles") or ()
            common = _COMMON.union(str(role).lower() for role in operators) - {"admin"}
            if otherwise and (had := common.intersection(re.split(r"\s*,\s*", str(given).strip().lower()))):
                yield draft.error(
                    "swift.roles",
                    path,
                    f"is {shown(given, path)}, and users of any project may have {listed(sorted(had))}: {otherwise}.",
                    "Give a role of its own, which you list in keystone_roles, and which only they have who may.",
                    owner,
                )


@rule
def logs(draft: Draft) -> Iterator[Finding]:
    """Of what lets somebody in, nothing stands in the log: Swift cuts users' tokens short, and no services' or keys."""
    for owner, content in _overrides(draft):
        own = mapping(content.get(PROXY))
        for section, options in own.items():
            given = {
                spelt(name): str(value)
                for each in ("DEFAULT", section)
                for name, value in mapping(own.get(each)).items()
            }
            headers = [name.strip().lower() for name in given.get(_LOGS_ONLY, "").split(",") if name.strip()]
            if headers and not any(map(_LETS_IN.match, headers)):
                continue
            for option, value in mapping(options).items():
                if spelt(option) in _LOGS and str(value).strip().lower() in _TRUE:
                    path = (OVERRIDES, PROXY, section, option)
                    yield draft.error(
                        "overrides.protected",
                        path,
                        f"is {shown(value, path)}, and may not be overridden so: tokens of services and keys would "
                        "stand in the log.",
                        f"Take it out, or give {_LOGS_ONLY} too, with headers that let nobody in.",
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


def _servers(draft: Draft) -> Iterator[tuple[DraftHost | None, str, Mapping[str, Any], Mapping[str, Any]]]:
    """What is laid over the files of what paste puts together: the host, the file, the sections given and written."""
    files = _files(draft)
    for owner, content in _overrides(draft):
        for file, own in content.items():
            if PIPELINE in files.get(str(file), {}):
                yield owner, str(file), mapping(own), files[str(file)]


def _usual(written: Mapping[str, Any]) -> list[str]:
    """The pipeline of a file as its description has it."""
    return str(evaluate(written[PIPELINE]["pipeline"], {}, PIPELINE)).split()


def _files(draft: Draft) -> dict[str, Mapping[str, Any]]:
    """The files over which something may be laid, each with its sections as its description has them."""
    service = next(each for each in draft.domain.services if each["service"] == "swift")
    files = [entry for component in service["components"] for entry in component.get("files", ())]
    return {entry["path"].rpartition("/")[2]: entry.get("content", {}) for entry in files if "overrides" in entry}


def _written(draft: Draft, file: str) -> Mapping[str, Any]:
    """The sections of a file of Swift, as its description has them; empty for one of a template."""
    return _files(draft).get(file, {})
