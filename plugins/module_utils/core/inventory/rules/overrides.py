# SPDX-License-Identifier: Apache-2.0
"""Rules about conf_overrides: they reach any option but those that hold the deployment together, and have an effect."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...backend import Backends
from ...config import FORMATS, Format
from ...errors import Finding
from ..domain import Overrides, Protection
from ..draft import Draft, DraftHost, entries, rule
from ..schema import KeyPath, leaves, shown

# Of any service. What else a service's overrides leave alone, its description says, and what it is made of.
_ANYWHERE = tuple(
    Protection(pattern, "addresses and ports are those of the flow table, which the firewall knows")
    for pattern in ("*bind_ip", "*bind_port", "*bind_host")
)

# What a section and an option may be called so that the file still means the same. Ansible evaluates no keys.
_SECTION = re.compile(r"(?!.*\{\{)[^\s\[\]]([^\[\]\r\n]*[^\s\[\]])?")
_OPTION = re.compile(r"(?!.*\{\{)[^\s=:\[\]#;!]([^=:\[\]\r\n]*[^\s=:\[\]])?")

# Words before an option that leave it the same one: paste's for all sections, and those of MariaDB.
_SETS = re.compile(r"set +")
_MODIFIER = re.compile(r"(loose|maximum|skip|enable|disable|autoset)_")
# Those that say of an option whether it is on.
_SWITCHES = {"skip": False, "disable": False, "enable": True}


@rule
def protected(draft: Draft) -> Iterator[Finding]:
    """Overrides leave alone what the rest of the deployment relies on, in whatever spelling."""
    for owner, path, wanted in _overrides(draft):
        if why := protection(draft, path, wanted):
            yield draft.error(
                "overrides.protected",
                path,
                f"is {shown(wanted, path[-1:])}, and may not be overridden: {why.because}.",
                f"Take it out, and give {why.variable}." if why.variable else "Take it out.",
                owner,
            )


def protection(draft: Draft, path: KeyPath, wanted: Any) -> Protection | None:
    """Why an option may not have a value; None where it may."""
    known = _known(draft, path)
    form = FORMATS[known.format(path[1:])]
    *sections_, option = (spelt(key) for key in path[1:])
    all_ = (*_ANYWHERE, *known.protected)
    return next((each for each in all_ if _refuses(each, sections_, option, wanted, form)), None)


def _refuses(protection: Protection, sections_: Sequence[str], option: str, wanted: Any, form: Format) -> bool:
    """Whether an option, in whatever spelling, is one that a protection has, with a value that it does not allow."""
    place = spelt(protection.pattern)
    for name, value in _readings(option, wanted, form):
        cut_short = form.abbreviates and len(name) > 2 and place.rpartition(".")[2].startswith(name)
        if (cut_short or fnmatch.fnmatchcase(".".join((*sections_, name)), place)) and not protection.allows(value):
            return True
    return False


def _readings(option: str, value: Any, form: Format) -> Iterator[tuple[str, Any]]:
    """Which options an option may be for its reader, each with the value that it then has."""
    yield option, value
    while form.abbreviates and (found := _MODIFIER.match(option)):
        option = option[found.end() :]
        if (word := found.group(1)) in _SWITCHES:
            # Of a value, such a word only takes whether it is 0.
            value = _SWITCHES[word] != (str(value) == "0")
        yield option, value


@rule
def of_backends(draft: Draft) -> Iterator[Finding]:
    """What a back end's driver is told by options of its own does not switch protection off either."""
    for of in draft.domain.backends.values():
        protections = [each for each in _known(draft, (f"{of.service}_conf_overrides",)).protected if each.of_backends]
        for owner, path, given in _own_options(draft, of):
            option, oslo = str(path[-1]), FORMATS["oslo"]
            value = draft.secrets.get(str(given), given) if path[-2] == "secret_options" else given
            reasons = {each.because for each in protections if _refuses(each, ("",), option, value, oslo)}
            for reason in sorted(reasons):
                yield draft.error(
                    "overrides.protected",
                    path,
                    f"is {shown(given, path)}, and may not be so: {reason}.",
                    "Take it out, and give the driver the certificate of the authority that it is to trust.",
                    owner,
                )


def _own_options(draft: Draft, of: Backends) -> Iterator[tuple[DraftHost | None, KeyPath, Any]]:
    """Each option of each entry; of a secret one its place alone counts."""
    lists = [(None, draft.variables), *((host, host.variables) for host in draft.group(of.group))]
    for owner, variables in lists:
        for index, entry in entries(variables.get(of.variable)):
            for key in ("options", "secret_options"):
                for option, given in (entry.get(key) or {}).items():
                    yield owner, (of.variable, index, key, str(option)), given


@rule
def names(draft: Draft) -> Iterator[Finding]:
    """Sections and options have names, and values are read as they are: none of them can write another option."""
    for owner, path, wanted in _overrides(draft):
        known = FORMATS[_known(draft, path).format(path[1:])]
        for key in path[1:]:
            form = _OPTION if key == path[-1] else _SECTION
            torn = form is _OPTION and not known.spaced and re.search(r"\s", str(key))
            if torn or not form.fullmatch(str(key)):
                yield draft.error(
                    "overrides.name",
                    path,
                    f"{str(key)!r} is no name of {'an option' if form is _OPTION else 'a section'}.",
                    "Write names without blanks, brackets, equals signs, colons, expressions and line breaks.",
                    owner,
                )
        try:
            known.value(wanted)
        except ValueError as reason:
            yield draft.error(
                "overrides.value",
                path,
                f"{shown(wanted, path)} {reason}.",
                "Write a value in one line, without that.",
                owner,
            )


@rule
def sections(draft: Draft) -> Iterator[Finding]:
    """What is given to a section is read: it is no other spelling of a section, and none that stands elsewhere."""
    for owner, path, wanted in _overrides(draft):
        if len(path) < 3 or _known(draft, path).format(path[1:]) != "oslo":
            continue
        section = str(path[1])
        if section != "DEFAULT" and section.upper() == "DEFAULT":
            yield draft.error(
                "overrides.section",
                path,
                f"is {shown(wanted, path)}, in a section {section!r}, which is not that of all options.",
                "Write DEFAULT.",
                owner,
            )
        for of in draft.domain.backends.values():
            if path[0] == f"{of.service}_conf_overrides":
                yield from _of_backends(draft, of, path, wanted, owner)
                yield from _of_defaults(draft, of, path, wanted, owner)


@rule
def spellings(draft: Draft) -> Iterator[Finding]:
    """oslo.config finds an option by its name with underscores, in small letters, and passes any other over."""
    for owner, path, wanted in _overrides(draft):
        option = str(path[-1])
        right = option.replace("-", "_").lower()
        if _known(draft, path).format(path[1:]) == "oslo" and option != right and not protection(draft, path, wanted):
            yield draft.error(
                "overrides.option",
                path,
                f"is {shown(wanted, path)}, and {option!r} is a name that the service does not read.",
                f"Write {right}.",
                owner,
            )


def _of_backends(draft: Draft, of: Backends, path: KeyPath, wanted: Any, owner: DraftHost | None) -> Iterator[Finding]:
    """What is said of the section of a back end: in the variable that lists it, or else as it is written there."""
    section = str(path[1])
    lists = (draft.variables, *(host.variables for host in draft.group(of.group)))
    found = [entry for each in lists for _, entry in entries(each.get(of.variable)) if "name" in entry]
    named = {str(entry["name"]): entry for entry in found if str(entry["name"]).lower() == section.lower()}
    if not named:
        return
    name = section if section in named else next(iter(named))
    said = f"{shown(wanted, path)}, in the section of the {of.called} {name!r}"
    if "options" in named[name]:
        yield draft.error(
            "overrides.unread",
            path,
            f"is {said}: it would stand in a file over which that {of.called}'s own goes.",
            f"Write it under `options` of {name!r} in {of.variable}.",
            owner,
        )
    elif name != section:
        yield draft.error(
            "overrides.section",
            path,
            f"is {said}, which is spelt otherwise.",
            f"Write the section as {name!r}.",
            owner,
        )
    elif (kind := of.types.get(str(named[name].get("type")))) and path[2] in (*kind.protected, *of.options):
        yield draft.error(
            "overrides.protected",
            path,
            f"is {said}, and may not be overridden: {of.variable} says it.",
            "Take it out.",
            owner,
        )


def _of_defaults(draft: Draft, of: Backends, path: KeyPath, wanted: Any, owner: DraftHost | None) -> Iterator[Finding]:
    """What is said of all back ends together counts for none that says it itself."""
    if not of.defaults or path[1] != of.defaults or protection(draft, path, wanted):
        return
    # What is given for several hosts has an effect when it has one on some of them.
    given = [{**draft.variables, **host.variables} for host in draft.group(of.group)]
    alike = [variables for variables in given if (path, wanted) in leaves((), variables)]
    found = [entry for variables in alike for _, entry in entries(variables.get(of.variable))]
    if found and all(of.says(entry, str(path[2])) for entry in found):
        yield draft.error(
            "overrides.unread",
            path,
            f"is {shown(wanted, path)}, and each {of.called} says it in its own section, which counts more.",
            f"Write it under `options` of the entries of {of.variable}.",
            owner,
        )


def spelt(name: Any) -> str:
    """A section or an option in the one spelling that stands for all that its reader takes for it."""
    return _SETS.sub("", re.sub(r":\s+", ":", str(name).lower().replace("-", "_")))


def _known(draft: Draft, path: KeyPath) -> Overrides:
    return draft.domain.overrides.get(str(path[0]), Overrides())


def _overrides(draft: Draft) -> Iterator[tuple[DraftHost | None, KeyPath, Any]]:
    """Every option that is overridden: the host whose own it is, or None, its place, and its value."""
    for host in draft.hosts.values():
        for name, value in {**draft.variables, **host.variables}.items():
            if name.endswith("_conf_overrides"):
                owner = host if name in host.variables else None
                for path, wanted in leaves((name,), value):
                    yield owner, path, wanted
