# SPDX-License-Identifier: Apache-2.0
"""Types of back ends: what a service keeps its data on, as ``roles/<service>/backends/<type>.yml`` says.

An entry is what an inventory says of one back end. It may be incomplete: what it does not tell is left out.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Entry = Mapping[str, Any]
Reached = Literal["library", "kernel", "mount"]

_KEY = re.compile(r"\bitem\.(\w+)")


@dataclass(frozen=True)
class Way:
    """How volumes are reached by what an entry says in one place: patterns that are searched there, in any case.

    Attributes:
        said_by: a key of the entry, or ``options.PATTERN`` for the first of its options with such a name.
    """

    said_by: str
    kernel: str = ""
    mount: str = ""

    def value(self, entry: Entry) -> str:
        """What the entry says there; empty when nothing."""
        key, _, pattern = self.said_by.partition(".")
        if not pattern:
            return str(entry.get(key) or "")
        options: Mapping[str, Any] = entry.get(key) or {}
        return next((str(value) for name, value in options.items() if fnmatch.fnmatchcase(name, pattern)), "")

    def reached(self, said: str) -> Reached:
        """Who connects what is told so."""
        ways: tuple[tuple[str, Reached], ...] = ((self.kernel, "kernel"), (self.mount, "mount"))
        return next((how for pattern, how in ways if pattern and re.search(pattern, said, re.IGNORECASE)), "library")


@dataclass(frozen=True)
class BackendType:
    """One type of back end of a service.

    Attributes:
        name: the type, and the name of its file.
        title: what it is, in an operator's words.
        needs: keys without which an entry is nothing.
        allows: further keys, beside those that every entry may have; those that the type declares among them.
        clustered: whether several hosts may manage it at once: ``always``, ``never``, or by the class that a key names.
            Empty where nobody manages it.
        shared_by: keys one of which an entry has where several hosts have what it keeps; none where all have anyway.
        classes: by that key, patterns of the classes that can.
        reached_by: who connects what it holds to a host, or ways of telling: the first that an entry has counts.
        serves: the protocols by which the host itself serves it, with the group of those who do. The first is meant
            when an entry names none.
        uses: what it uses of other services.
        packages: what its hosts need.
        inputs: files beside its options that the service reads, with expressions of ``item``, the entry.
        options: what is written for an entry, by option, with such expressions; one that gives none is left out.
        protected: the options over which an entry's own may not be laid.
    """

    name: str
    title: str
    needs: tuple[str, ...] = ()
    allows: tuple[str, ...] = ()
    clustered: str = ""
    shared_by: tuple[str, ...] = ()
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reached_by: Reached | tuple[Way, ...] = "library"
    serves: Mapping[str, str] = field(default_factory=dict)
    uses: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    protected: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """The keys that an entry may have beside what all have."""
        return frozenset((*self.needs, *self.allows))

    @property
    def made_from(self) -> Mapping[str, str]:
        """The protected options, each with the key that says it."""
        found = {option: _KEY.search(str(self.options[option])) for option in self.protected}
        return {option: key.group(1) if key else "type" for option, key in found.items()}

    def can_be_clustered(self, entry: Entry) -> bool:
        """Whether several hosts may manage the entry at once."""
        if self.clustered != "by_class":
            return self.clustered == "always"
        return any(
            fnmatch.fnmatchcase(str(entry.get(key, "")), pattern)
            for key, patterns in self.classes.items()
            for pattern in patterns
        )

    def is_clustered(self, entry: Entry, *, locked: bool) -> bool:
        """Whether the entry's hosts form a cluster: ``locked`` says whether there is a lock manager."""
        return locked and (self.clustered == "always" or (self.clustered == "by_class" and bool(entry.get("cluster"))))

    def may_be_shared(self, entry: Entry, *, locked: bool) -> bool:
        """Whether further hosts may have the entry too."""
        if self.shared_by:
            return any(entry.get(key) for key in self.shared_by)
        return not self.clustered or self.is_clustered(entry, locked=locked)

    def reached(self, entry: Entry) -> Reached:
        """Who connects what the entry holds to a host."""
        if isinstance(self.reached_by, str):
            return self.reached_by
        return next((way.reached(said) for way in self.reached_by if (said := way.value(entry))), "library")

    def protocol(self, entry: Entry) -> str:
        """By which protocol the host itself serves the entry; empty when it serves nothing."""
        return str(entry.get("protocol") or next(iter(self.serves))) if self.serves else ""


@dataclass(frozen=True)
class Backends:
    """The types of back ends of one service, and where an inventory lists its own.

    Attributes:
        service: its name.
        variable: the variable that lists them.
        group: the hosts that have them.
        types: by name.
        called: what the operator calls one.
        options: what is written for an entry of any type, before what its type has.
        reserved: sections of the service's configuration: an entry of such a name would be written over one.
        defaults: the section that each reads where its own does not say an option; empty where there is none.
    """

    service: str
    variable: str
    group: str
    types: Mapping[str, BackendType]
    called: str = "back end"
    options: Mapping[str, Any] = field(default_factory=dict)
    reserved: frozenset[str] = frozenset()
    defaults: str = ""

    def says(self, entry: Entry, option: str) -> bool:
        """Whether an option stands in the section of an entry, whatever else the inventory says."""
        written = {**self.options, **(kind.options if (kind := self.types.get(str(entry.get("type")))) else {})}
        own = {**(entry.get("options") or {}), **(entry.get("secret_options") or {})}
        return option in own or not re.search(r"\bnone\b", str(written.get(option, "none")))

    def listed(self, groups: Iterable[str], variables: Mapping[str, Any]) -> Iterator[tuple[BackendType, Entry]]:
        """The entries of a host of known types, each with its type."""
        if self.group not in groups:
            return
        for entry in variables.get(self.variable) or ():
            if isinstance(entry, Mapping) and entry.get("type") in self.types:
                yield self.types[entry["type"]], entry

    def derived_groups(self, groups: Iterable[str], variables: Mapping[str, Any]) -> frozenset[str]:
        """The groups in which a host is because of its back ends: nobody lists them."""
        found = (type_.serves.get(type_.protocol(entry)) for type_, entry in self.listed(groups, variables))
        return frozenset(group for group in found if group)

    def packages(self, groups: Iterable[str], variables: Mapping[str, Any]) -> list[str]:
        """The packages that a host's back ends need, each once."""
        return list(dict.fromkeys(name for type_, _ in self.listed(groups, variables) for name in type_.packages))

    @property
    def served(self) -> frozenset[str]:
        """All groups that follow from back ends."""
        return frozenset(group for type_ in self.types.values() for group in type_.serves.values())
