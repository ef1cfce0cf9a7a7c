# SPDX-License-Identifier: Apache-2.0
"""Rules about object storage: disks, zones, policies, as its rings need them, and secrets that find stored objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import Finding, counted
from ..inventory import disks
from ..inventory.build import SECRETS
from ..inventory.draft import Draft, entries, listed, rule
from ..inventory.schema import KeyPath, did_you_mean
from ..inventory.secrets import declared

DISKS = "swift_disks"
POLICIES = "swift_policies"

# Without them data that is stored already can not be found or read.
_IRREPLACEABLE = ("swift_hash_path_prefix", "swift_hash_path_suffix", "swift_encryption_root_secret")

_REPLICATION_ONLY = ("replicas",)
_EC_REQUIRED = ("ec_type", "ec_data_fragments", "ec_parity_fragments")
_EC_ONLY = (*_EC_REQUIRED, "ec_segment_size")
# liberasurecode 1.6 takes 32 in all, and keeps them as the bits of a number with a sign; one of jerasure's takes 16.
_RELIABLE_FRAGMENTS = 30
_MOST_FRAGMENTS = {"jerasure_rs_cauchy": 16}
# With four parity fragments, the most with which each loss of four can be mended: tried with liberasurecode and ISA-L.
_ISA_VAND_DATA = 21
_FEWEST_PARTITIONS, _MOST_PARTITIONS = 20, 50000


@dataclass(frozen=True)
class Disk:
    """A disk of a storage host, with the zone and the policies that it counts for (None: all).

    A host without a zone is one by itself, which has the host's name.
    """

    host: str
    device: str
    zone: tuple[int, int | str]
    policies: frozenset[str] | None


# -- disks --------------------------------------------------------------------------------------------------------


@rule
def some_disks(draft: Draft) -> Iterator[Finding]:
    """A storage host has disks."""
    for host in draft.group("swift_storage"):
        if DISKS in host.variables and not host.variables[DISKS]:
            yield draft.error(
                "swift.no-disks",
                (DISKS,),
                "is empty, and the host is in swift_storage.",
                "List the host's disks, or take it out of the group.",
                host,
            )


@rule
def disk_policies(draft: Draft) -> Iterator[Finding]:
    """Disks name policies that are there."""
    known = {name.lower() for _, policy in entries(draft.variables.get(POLICIES)) for name in _names(policy)}
    names = [policy["name"] for _, policy in entries(draft.variables.get(POLICIES)) if "name" in policy]
    if not known or draft.was_refused((POLICIES,)):
        return
    for host in draft.group("swift_storage"):
        for index, disk in entries(host.variables.get(DISKS)):
            for place, name in enumerate(disk.get("policies") or ()):
                if isinstance(name, str) and name.lower() not in known:
                    hint = did_you_mean(name, names)
                    yield draft.error(
                        "swift.policy-unknown",
                        (DISKS, index, "policies", place),
                        f"is {name!r}, which is no policy.",
                        f"{hint}Policies: {', '.join(names)}.",
                        host,
                    )


# -- policies -----------------------------------------------------------------------------------------------------


@rule
def policies(draft: Draft) -> Iterator[Finding]:
    """Policies have numbers and names of their own, a policy 0 and at most one default."""
    listed_policies = list(entries(draft.variables.get(POLICIES)))
    if not listed_policies:
        return
    indexes: dict[int, int] = {}
    names: dict[str, int] = {}
    for place, policy in listed_policies:
        path: KeyPath = (POLICIES, place)
        if "index" in policy:
            first = indexes.setdefault(policy["index"], place)
            if first != place:
                yield draft.error(
                    "swift.policy-twice",
                    (*path, "index"),
                    f"is {policy['index']}, as in {POLICIES}[{first}].",
                    "Give each policy an index of its own.",
                )
        yield from _policy_names(draft, place, policy, names)
        yield from _policy_type(draft, path, policy)
    if 0 not in indexes and not any(draft.was_refused((POLICIES, place)) for place, _ in listed_policies):
        yield draft.error(
            "swift.policy-zero",
            (POLICIES,),
            f"has no policy with index 0 ({listed(map(str, indexes))}): Swift keeps whatever names no policy there.",
            "Give one policy the index 0.",
        )
    yield from _default(draft, listed_policies)


def _default(draft: Draft, listed_policies: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Finding]:
    """One policy is the default, policy 0 when none says so, and new containers may have it."""
    if all(policy.get("deprecated") for _, policy in listed_policies):
        yield draft.error(
            "swift.policy-deprecated",
            (POLICIES,),
            "has deprecated policies only: no container could be made.",
            "Leave one that is not deprecated.",
        )
        return
    said = [place for place, policy in listed_policies if policy.get("default")]
    if len(said) > 1:
        names = [str(policy.get("name", place)) for place, policy in listed_policies if place in said]
        yield draft.error(
            "swift.policy-default",
            (POLICIES,),
            f"has several defaults: {', '.join(names)}.",
            "Set default: true for one policy.",
        )
    for place, policy in listed_policies:
        first = not said and policy.get("index") == 0
        if policy.get("deprecated") and (first or place in said):
            yield draft.error(
                "swift.policy-deprecated",
                (POLICIES, place, "deprecated"),
                f"is true, and the policy is the default{': no other says default: true' if first else ''}.",
                "Set default: true for another policy first.",
            )


def _policy_names(draft: Draft, place: int, policy: Mapping[str, Any], names: dict[str, int]) -> Iterator[Finding]:
    path: KeyPath = (POLICIES, place, "name")
    for name in _names(policy):
        first = names.setdefault(name.lower(), place)
        if first != place or [other.lower() for other in _names(policy)].count(name.lower()) > 1:
            yield draft.error(
                "swift.policy-twice",
                path,
                f"is called {name!r}, as {POLICIES}[{first}] is: names and aliases are compared without case.",
                "Give each policy names of its own.",
            )
        if name.lower() == "policy-0" and policy.get("index", 0) != 0:
            yield draft.error("swift.policy-name", path, f"is {name!r}, which means policy 0.", "Give it another name.")


def _policy_type(draft: Draft, path: KeyPath, policy: Mapping[str, Any]) -> Iterator[Finding]:
    kind = policy.get("type")
    if draft.was_refused((*path, "type")):
        return
    required, foreign = (_EC_REQUIRED, _REPLICATION_ONLY) if kind == "erasure_coding" else (_REPLICATION_ONLY, _EC_ONLY)
    for key in required:
        if key not in policy and not draft.was_refused((*path, key)):
            yield draft.error(
                "swift.policy-incomplete",
                (*path, key),
                f"is missing: a policy of type {kind} needs it.",
                f"Give {key}.",
            )
    for key in foreign:
        if key in policy:
            yield draft.error(
                "swift.policy-mixed",
                (*path, key),
                f"means nothing for a policy of type {kind}.",
                "Take it out, or change the type.",
            )
    yield from _code(draft, path, policy)


def _code(draft: Draft, path: KeyPath, policy: Mapping[str, Any]) -> Iterator[Finding]:
    """The library can compute the fragments, and objects from those that are left."""
    code, data, parity = (policy.get(key) for key in _EC_REQUIRED)
    if code is None or data is None or parity is None:
        return
    most = _MOST_FRAGMENTS.get(code, _RELIABLE_FRAGMENTS)
    if data + parity > most:
        yield draft.error(
            "swift.policy-fragments",
            (*path, "ec_data_fragments"),
            f"is {data}, which with {parity} for parity makes {data + parity} fragments: with {code} objects are safe "
            f"in up to {most}.",
            f"Give numbers whose sum is at most {most}.",
        )
    elif code == "isa_l_rs_vand" and (parity >= 5 or (parity == 4 and data > _ISA_VAND_DATA)):
        how = "five or more parity fragments" if parity >= 5 else f"{data} data and 4 parity fragments"
        yield draft.error(
            "swift.policy-unsafe",
            (*path, "ec_type"),
            f"is isa_l_rs_vand with {how}, which can fail to rebuild objects.",
            "Use isa_l_rs_cauchy or liberasurecode_rs_vand.",
        )


# -- rings --------------------------------------------------------------------------------------------------------


@rule
def rings(draft: Draft) -> Iterator[Finding]:
    """Every ring has a disk for each replica or fragment, and replicas have a zone each."""
    disks = list(_disks(draft))
    hosts = draft.group("swift_storage")
    known = {name.lower() for _, policy in entries(draft.variables.get(POLICIES)) for name in _names(policy)}
    if (
        not hosts
        or any(
            draft.was_refused((DISKS,), host)
            or draft.was_refused(("swift_zone",), host)
            or not host.variables.get(DISKS)
            for host in hosts
        )
        or any(disk.policies and disk.policies - known for disk in disks)
    ):
        return  # Counting what is left would tell of things that may not be so.
    yield from _partitions(draft, len(disks))
    if "swift_replicas" in draft.variables:
        yield from _ring(
            draft, "the account and container rings", ("swift_replicas",), draft.variables["swift_replicas"], disks
        )
    for place, policy in entries(draft.variables.get(POLICIES)):
        names = {name.lower() for name in _names(policy)}
        own = [disk for disk in disks if disk.policies is None or disk.policies & names]
        path: KeyPath = (POLICIES, place)
        title = f"the policy {policy.get('name', place)}"
        if policy.get("type") == "erasure_coding":
            if {"ec_data_fragments", "ec_parity_fragments"} <= set(policy):
                fragments = policy["ec_data_fragments"] + policy["ec_parity_fragments"]
                if fragments > len(own):
                    yield draft.error(
                        "swift.fragments",
                        path,
                        f"{title} writes {fragments} fragments ({policy['ec_data_fragments']} + "
                        f"{policy['ec_parity_fragments']}), and has {counted(len(own), 'disk')}.",
                        "Add disks, or write fewer fragments.",
                    )
        elif "replicas" in policy:
            yield from _ring(draft, title, (*path, "replicas"), policy["replicas"], own)


def _partitions(draft: Draft, disks: int) -> Iterator[Finding]:
    power, replicas = draft.variables.get("swift_part_power"), draft.variables.get("swift_replicas")
    if power is None or replicas is None or not disks:
        return
    each = 2**power * replicas / disks
    if not _FEWEST_PARTITIONS <= each <= _MOST_PARTITIONS:
        how = "few to spread data evenly" if each < _FEWEST_PARTITIONS else "many to replicate and rebalance in time"
        yield draft.advice(
            "swift.part-power",
            ("swift_part_power",),
            f"is {power}, which makes {each:.0f} partitions on a disk, too {how}; it can not be changed later.",
            "Where there are no rings yet, choose it so that the largest cluster will have about a hundred partitions "
            "on each disk.",
        )


def _ring(draft: Draft, title: str, path: KeyPath, replicas: int, disks: list[Disk]) -> Iterator[Finding]:
    if replicas == 1:
        what = f"is 1: what is on a disk of {title} is lost with it."
        yield draft.advice("swift.single-copy", path, what, "Keep three copies of what matters.")
    if replicas > len(disks):
        yield draft.error(
            "swift.replicas",
            path,
            f"is {replicas}, and {title} {'have' if title.endswith('rings') else 'has'} "
            f"{counted(len(disks), 'disk')}: copies would lie on the same disk.",
            "Add disks, or keep fewer replicas.",
        )
        return
    zones = {disk.zone for disk in disks}
    if replicas > len(zones):
        what = (
            f"is {replicas}, and the disks of {title} are in {counted(len(zones), 'zone')}: "
            "copies would be lost together."
        )
        if draft.acknowledges("swift_few_zones"):
            yield draft.advice("swift.zones", path, what, "Spread the hosts over more zones when you can.")
        else:
            yield draft.error(
                "swift.zones",
                path,
                what,
                "Set swift_zone by what fails as one, or accept it: holdfast_acknowledge: [swift_few_zones].",
            )


def _disks(draft: Draft) -> Iterator[Disk]:
    leaving = draft.variables.get("swift_remove_devices") or ()
    for host in draft.group("swift_storage"):
        given = list(entries(host.variables.get(DISKS)))
        of_others = next((disk["zone"] for _, disk in given if disk.get("zone")), None)
        for index, disk in given:
            zone = disk.get("zone", host.variables.get("swift_zone")) or of_others or host.name
            policies = disk.get("policies")
            if disk.get("weight") == 0 or f"{host.name}/{disks.name(disk, index)}" in leaving:
                continue  # It is being emptied, or leaves.
            yield Disk(
                host=host.name,
                device=str(disk.get("device", index)),
                zone=(host.variables.get("swift_region", 1), zone),
                policies=frozenset(str(name).lower() for name in policies) if policies else None,
            )


def _names(policy: Mapping[str, Any]) -> list[str]:
    aliases = [alias for alias in policy.get("aliases") or () if isinstance(alias, str)]
    return [*([policy["name"]] if "name" in policy else []), *aliases]


# -- secrets ------------------------------------------------------------------------------------------------------


@rule
def irreplaceable(draft: Draft) -> Iterator[Finding]:
    """A new one would make stored data unreachable, so it is made only together with the others of its service."""
    own = {name for service in draft.domain.services if service["service"] == "swift" for name in declared(service)}
    if not own & set(draft.secrets):
        return
    for name in _IRREPLACEABLE:
        if name in draft.required_secrets and name not in draft.secrets:
            yield draft.error(
                "secrets.lost",
                (SECRETS, name),
                "is missing, and other secrets of Swift are there: with a new one, stored objects are not found again.",
                "Put back the value from a backup of the vault file or from /etc/swift/swift.conf of a storage host.",
            )
