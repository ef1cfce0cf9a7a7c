# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.addresses import Range, assign

MGMT = IPv4Network("10.0.0.0/26")
STORAGE = IPv4Network("10.1.0.0/26")


def range_(network: IPv4Network, first: int = 0, last: int = 63, reserved: tuple[int, ...] = (1,)) -> Range:
    return Range(network, network[first], network[last], frozenset(network[number] for number in reserved))


@st.composite
def deployments(draw):
    """Hosts by name, some with a given address on storage, and the range that the others get theirs from."""
    names = draw(st.lists(st.from_regex(r"[a-z]{1,4}", fullmatch=True), min_size=1, max_size=12, unique=True))
    places = draw(st.lists(st.integers(2, 62), min_size=len(names), max_size=len(names), unique=True))
    chosen = draw(st.lists(st.integers(2, 62), max_size=len(names), unique=True))
    first = draw(st.integers(0, 40))
    ranges = {"mgmt": range_(MGMT), "storage": range_(STORAGE, first, draw(st.integers(first, 63)))}
    addresses = {name: {"mgmt": str(MGMT[place])} for name, place in zip(names, places, strict=True)}
    for name, place in zip(names, chosen, strict=False):
        if draw(st.booleans()):
            addresses[name]["storage"] = str(STORAGE[place])
    return ranges, dict.fromkeys(names, ("mgmt", "storage")), addresses


@given(deployments(), st.randoms())
def test_assigned_addresses_are_valid_and_used_once_whatever_the_order(deployment, random):
    ranges, hosts, addresses = deployment
    assigned, conflicts = assign(ranges, hosts, addresses, {})
    shuffled = list(hosts)
    random.shuffle(shuffled)
    assert assign(ranges, {name: hosts[name] for name in shuffled}, addresses, {}) == (assigned, conflicts)
    used = [own["storage"] for own in assigned.values() if "storage" in own]
    assert len(used) == len(set(used))
    for name, own in assigned.items():
        if "storage" in addresses[name]:
            assert own["storage"] == addresses[name]["storage"]
        elif "storage" in own:
            assert ranges["storage"].has(IPv4Address(own["storage"]))
    missing = [name for name, own in assigned.items() if "storage" not in own]
    assert bool(missing) == any(conflict.code == "networks.pool-exhausted" for conflict in conflicts)


@given(deployments(), st.integers(0, 11))
def test_adding_a_host_changes_no_other(deployment, index):
    ranges, hosts, addresses = deployment
    new = sorted(hosts)[index % len(hosts)]
    before, _ = assign(
        ranges,
        {name: on for name, on in hosts.items() if name != new},
        {name: own for name, own in addresses.items() if name != new},
        {},
    )
    assume(all("storage" in own for own in before.values()))  # the pool was large enough
    # A new host that is given an address which another has already is a conflict, told by another test.
    taken = {own.get("storage") for own in before.values()}
    given_ = {name: dict(own) for name, own in addresses.items()}
    if given_[new].get("storage", "") in taken:
        del given_[new]["storage"]
    after, _ = assign(ranges, hosts, given_, before)
    assert {name: own for name, own in after.items() if name != new} == before


@given(deployments())
def test_what_was_assigned_stays_when_it_is_remembered(deployment):
    ranges, hosts, addresses = deployment
    assigned, _ = assign(ranges, hosts, addresses, {})
    again, _ = assign(ranges, hosts, {name: {"mgmt": own["mgmt"]} for name, own in addresses.items()}, assigned)
    for name, own in assigned.items():
        assert own.items() <= again[name].items()


def test_the_place_in_mgmt_is_taken_over_where_it_is_free():
    ranges = {"mgmt": range_(MGMT), "storage": range_(STORAGE, 20, 30)}
    hosts = dict.fromkeys("abc", ("mgmt", "storage"))
    addresses = {"a": {"mgmt": "10.0.0.21"}, "b": {"mgmt": "10.0.0.5"}, "c": {"mgmt": "10.0.0.20"}}
    assigned, conflicts = assign(ranges, hosts, addresses, {})
    assert {name: own["storage"] for name, own in assigned.items()} == {
        "a": "10.1.0.21",
        "b": "10.1.0.22",
        "c": "10.1.0.20",
    }
    assert conflicts == []


def test_a_host_that_is_gone_keeps_its_address():
    ranges = {"storage": range_(STORAGE, 2, 4)}
    assigned, _ = assign(ranges, {"new": ("storage",)}, {}, {"gone": {"storage": "10.1.0.2"}})
    assert assigned == {"new": {"storage": "10.1.0.3"}}


def test_an_address_given_to_another_host_moves_nobody_in_silence():
    ranges = {"storage": range_(STORAGE)}
    _, conflicts = assign(
        ranges, {"a": ("storage",), "b": ("storage",)}, {"a": {"storage": "10.1.0.9"}}, {"b": {"storage": "10.1.0.9"}}
    )
    assert [(conflict.code, conflict.host) for conflict in conflicts] == [("networks.address-taken", "b")]


def test_addresses_of_a_network_that_was_renumbered_are_forgotten():
    ranges = {"storage": range_(STORAGE)}
    assigned, conflicts = assign(ranges, {"a": ("storage",)}, {}, {"a": {"storage": "192.168.1.9"}})
    assert assigned == {"a": {"storage": "10.1.0.2"}}
    assert conflicts == []
