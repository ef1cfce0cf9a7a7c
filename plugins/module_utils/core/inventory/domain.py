# SPDX-License-Identifier: Apache-2.0
"""What is known of services and subjects when an inventory is checked. It is handed in: the mechanism names none."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .. import flows
from ..backend import Backends
from ..flows import uses
from .schema import KeyPath
from .secrets import Form, Named

Addresses = Callable[[Mapping[str, Any]], Mapping[str, Sequence[str]]]
"""From a host's variables, by network, the addresses that it has there beside its own."""

Outsiders = Callable[[Mapping[str, Any]], Iterator[tuple[KeyPath, Any]]]
"""From the deployment's variables, what names machines that are no hosts of the inventory, with places."""

NamedSecrets = Callable[[Any], Iterable[Named]]
"""The secrets that a ``Draft`` or a ``Model`` itself names, each as often as it does."""


_TRUTH = {"1": "true", "yes": "true", "on": "true", "0": "false", "no": "false", "off": "false"}


def _word(value: Any) -> str:
    """A value for comparison: one word for truth."""
    word = str(value).strip().lower()
    return _TRUTH.get(word, word)


def _is_at_most(value: Any, most: int) -> bool:
    return bool(re.fullmatch(r"-?[0-9]{1,18}", str(value).strip())) and int(str(value)) <= most


@dataclass(frozen=True)
class Protection:
    """Options that overrides leave alone.

    Attributes:
        pattern: places of options, as ``section.option``; ``*`` stands for anything.
        because: the reason, as the end of a sentence.
        unless: the values that may be given all the same; ``*`` in one stands for anything.
        of: words of which such a value may be made up, by commas or blanks.
        at_most: the largest number that may be given.
        variable: the variable that says it instead; empty where there is none.
        of_backends: options that entries of back ends have of their own leave them alone too.
    """

    pattern: str
    because: str
    unless: tuple[Any, ...] = ()
    of: tuple[str, ...] = ()
    at_most: int | None = None
    variable: str = ""
    of_backends: bool = False

    def allows(self, value: Any) -> bool:
        """Whether a value may be given, whatever words its reader has for truth."""
        word = _word(value)
        if any(fnmatch.fnmatchcase(word, _word(each)) for each in self.unless):
            return True
        words = re.split(r"[\s,]+", word)
        if self.of and {*words} <= {each.lower() for each in self.of}:
            return True
        return self.at_most is not None and _is_at_most(value, self.at_most)


@dataclass(frozen=True)
class Overrides:
    """What is known of a variable of overrides.

    Attributes:
        protected: the options that it leaves alone.
        formats: how the files are written over which it is laid, by its keys that name them; by ``""`` for one file.
    """

    protected: tuple[Protection, ...] = ()
    formats: Mapping[str, str] = field(default_factory=dict)

    def format(self, path: Sequence[Any]) -> str:
        """The format of the file to which a place belongs: the path of an option, without the variable."""
        return self.formats.get(str(path[0]), self.formats.get("", "ini"))


@dataclass(frozen=True)
class Domain:
    """The services that there are, and what subjects say of a host.

    Attributes:
        services: the contents of every service.yml.
        backends: the types of back ends of each service that has some, by its name.
        claims: what services ask of what they use, for a ``Draft``; ``strict`` when nothing is wrong with it.
        addresses: see ``Addresses``.
        outsiders: see ``Outsiders``.
        secrets: see ``NamedSecrets``.
        secret_families: the forms of secrets, by patterns of names of which a name of the site's is part, as ``*``.
        overrides: by variable of overrides, what is known of it.
    """

    services: tuple[Mapping[str, Any], ...] = ()
    backends: Mapping[str, Backends] = field(default_factory=dict)
    claims: Callable[..., uses.Claims] = lambda draft, strict: {}
    addresses: tuple[Addresses, ...] = ()
    outsiders: tuple[Outsiders, ...] = ()
    secrets: tuple[NamedSecrets, ...] = ()
    secret_families: Mapping[str, Form] = field(default_factory=dict)
    overrides: Mapping[str, Overrides] = field(default_factory=dict)

    @cached_property
    def uses(self) -> flows.Uses:
        """Who uses what a flow offers."""
        return uses.of(self.services)

    @cached_property
    def flows(self) -> tuple[flows.Flow, ...]:
        """The whole table."""
        return flows.complete(self.uses)

    @cached_property
    def groups(self) -> frozenset[str]:
        """The groups that mean something to Holdfast, and that an inventory may list."""
        return flows.groups(self.uses).difference(*(of.served for of in self.backends.values()))

    @cached_property
    def needs(self) -> Mapping[str, tuple[str, ...]]:
        """By group, those that need a host too when it has one, beyond what the flow table says."""
        return {group: tuple(needed) for service in self.services for group, needed in service.get("needs", {}).items()}

    @cached_property
    def members(self) -> Mapping[str, str]:
        """By group, how many hosts it may have, where that is not any number: ``one`` or ``odd``."""
        return {group: many for service in self.services for group, many in service.get("members", {}).items()}

    @cached_property
    def users(self) -> tuple[tuple[str, str], ...]:
        """The users that services have in the identity service, each with its domain; empty for that of everybody."""
        users = (user for service in self.services for user in service.get("identity", {}).get("users", ()))
        return tuple((user.get("domain", ""), user["name"]) for user in users)

    def names_of_secrets(self, inventory: Any) -> list[Named]:
        """Where a ``Draft`` or a ``Model`` itself names secrets; first those whose names follow from other values."""
        found = [secret for secrets in self.secrets for secret in secrets(inventory)]
        return sorted(found, key=lambda secret: bool(secret.path))

    def named_secrets(self, inventory: Any) -> dict[str, Form | None]:
        """The secrets that a ``Draft`` or a ``Model`` itself names, beside those of services: their forms."""
        return {secret.name: secret.form for secret in reversed(self.names_of_secrets(inventory))}

    def secret_family(self, name: str) -> Form | None:
        """The form of a secret whose name is one of a family's."""
        found = (form for pattern, form in self.secret_families.items() if fnmatch.fnmatchcase(str(name), pattern))
        return next(found, None)

    def listed(self, key: str) -> Iterator[Any]:
        """The items that stand in the services' lists of that name."""
        return (item for service in self.services for item in service.get(key) or ())

    def more_addresses(self, variables: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """What a host has on a network beside its address there."""
        found: dict[str, tuple[str, ...]] = {}
        for addresses in self.addresses:
            for network, more in addresses(variables).items():
                found[network] = (*found.get(network, ()), *more)
        return found

    def derived_groups(self, variables: Mapping[str, Any], groups: Collection[str]) -> frozenset[str]:
        """The groups in which a host is without being listed there."""
        return frozenset().union(*(of.derived_groups(groups, variables) for of in self.backends.values()))
