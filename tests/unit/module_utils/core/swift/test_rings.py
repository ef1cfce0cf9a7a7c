# SPDX-License-Identifier: Apache-2.0
"""Rings on plain values: what changes, what is refused, and who has the true builder."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.holdfast.storage.plugins.module_utils.core.swift import rings


def device(host: str, disk: str = "d1", **values: Any) -> dict[str, Any]:
    number = int(host.lstrip("s"))
    return {
        "name": f"{host}/{disk}",
        "device": disk,
        "region": 1,
        "zone": None,
        "ip": f"10.0.0.{number}",
        "port": 6200,
        "replication_ip": f"10.0.1.{number}",
        "replication_port": 6210,
        "weight": 100,
        **values,
    }


def ring(devices: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
    settings = {"name": "object", "part_power": 10, "replicas": 3, "min_part_hours": 1, "erasure_coded": False}
    return {**settings, "devices": devices, **values}


THREE = ring([device("s1"), device("s2"), device("s3")])


def applied(view: dict[str, Any] | None, steps: list[rings.Step], sha: str = "new") -> dict[str, Any]:
    """The view of the builder after the steps, as RingBuilder does them."""
    view = copy.deepcopy(view) or {"id": "one", "version": 0, "devices": [], "ancestors": [], "sha256": None}
    view["ancestors"] = [*(view["ancestors"] or []), *([view["sha256"]] if view["sha256"] else [])]
    view.update(unbalanced=False, pending=0, due=False, sha256=sha, version=view["version"] + max(len(steps), 1))
    by_id = {entry["id"]: entry for entry in view["devices"]}
    for step in steps:
        if step.verb == "create":
            view.update(step.value)
        elif step.verb == "add":
            free = next(number for number in range(len(by_id) + 1) if number not in by_id)
            by_id[free] = {**step.value, "id": free, "parts": 0}
        elif step.verb == "remove":
            assert step.id is not None
            del by_id[step.id]
        elif step.verb == "set_info":
            info = dict(step.value)
            by_id[step.id].update(info, name=info.pop("meta"))  # type: ignore[index]
        elif step.verb in ("set_zone", "set_region", "set_weight"):
            by_id[step.id][step.verb.removeprefix("set_")] = step.value  # type: ignore[index]
        elif step.verb in ("set_replicas", "set_min_part_hours"):
            view[step.verb.removeprefix("set_")] = step.value
    view["devices"] = list(by_id.values())
    return view


def built(wanted: dict[str, Any], sha: str = "new") -> dict[str, Any]:
    steps, findings = rings.plan_ring(None, wanted, [])
    assert not findings
    return applied(None, steps, sha)


def verbs(steps: list[rings.Step]) -> list[str]:
    return [step.verb for step in steps]


def codes(findings: Any) -> list[str]:
    return [finding.code.removeprefix("swift_ring.") for finding in findings]


# -- one ring ---------------------------------------------------------------------------------------------------


def test_a_new_ring_puts_each_host_into_a_zone_of_its_own() -> None:
    view = built(ring([device("s1"), device("s1", "d2"), device("s2"), device("s3")]))
    assert {entry["name"]: entry["zone"] for entry in view["devices"]} == {
        "s1/d1": 1,
        "s1/d2": 1,
        "s2/d1": 2,
        "s3/d1": 3,
    }


def test_zones_stay_when_a_host_comes_before_the_others() -> None:
    wanted = ring([device("s0"), *THREE["devices"]])
    steps, findings = rings.plan_ring(built(THREE), wanted, [])
    assert not findings
    assert [(step.verb, step.device, step.value["zone"]) for step in steps] == [("add", "s0/d1", 4)]


def test_a_renumbered_network_changes_addresses_and_moves_nothing() -> None:
    wanted = ring([{**entry, "ip": entry["ip"].replace("10.0.0", "10.7.7")} for entry in THREE["devices"]])
    before = built(THREE)
    steps, findings = rings.plan_ring(before, wanted, [])
    assert not findings
    assert verbs(steps) == ["set_info"] * 3
    assert not any(step.verb in rings.MOVING for step in steps)
    after = applied(before, steps)
    assert [(entry["id"], entry["name"]) for entry in after["devices"]] == [
        (entry["id"], entry["name"]) for entry in before["devices"]
    ]
    assert rings.plan_ring(after, wanted, []) == ([], [])


def test_hosts_that_swap_addresses_keep_their_numbers() -> None:
    swapped = ring([device("s1", ip="10.0.0.2"), device("s2", ip="10.0.0.1"), device("s3")])
    steps, findings = rings.plan_ring(built(THREE), swapped, [])
    assert not findings
    assert [(step.verb, step.device, step.id) for step in steps] == [("set_info", "s1/d1", 0), ("set_info", "s2/d1", 1)]


def test_a_host_that_left_the_inventory_is_refused_and_removed_only_by_name() -> None:
    wanted = ring([device("s1"), device("s2"), device("s4")], replicas=2)
    before = built(ring(THREE["devices"], replicas=2))
    _, findings = rings.plan_ring(before, wanted, [])
    assert codes(findings) == ["vanished"]
    assert "s3/d1" in findings[0].what
    assert "swift_remove_devices: [s3/d1]" in findings[0].fix
    steps, findings = rings.plan_ring(before, wanted, ["s3/d1"])
    assert not findings
    assert verbs(steps) == ["remove", "add"]
    assert rings.plan_ring(applied(before, steps), wanted, ["s3/d1"]) == ([], []), "the name may stay"


def test_a_disk_removed_by_name_stays_out_though_the_inventory_has_it() -> None:
    wanted = ring([*THREE["devices"], device("s3", "d2")])
    steps, _ = rings.plan_ring(built(wanted), wanted, ["s3/d2"])
    assert [(step.verb, step.device) for step in steps] == [("remove", "s3/d2")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"part_power": 11}, "part_power"),
        ({"replicas": 2}, "fewer_replicas"),
        ({"replicas": 2, "erasure_coded": True}, "fragments"),
        ({"replicas": 4}, "too_few_devices"),
    ],
)
def test_refused(change: dict[str, Any], code: str) -> None:
    _, findings = rings.plan_ring(built(THREE), {**THREE, **change}, [])
    assert codes(findings) == [code]
    assert findings[0].fix


def test_devices_without_weight_do_not_count_for_replicas() -> None:
    _, findings = rings.plan_ring(None, ring([device("s1"), device("s2"), device("s3", weight=0)]), [])
    assert codes(findings) == ["too_few_devices"]


def test_a_ring_of_another_tool_is_taken_over_without_moving() -> None:
    view = built(THREE)
    for entry in view["devices"]:
        entry["name"] = f"#{entry['id']}"
    steps, findings = rings.plan_ring(view, THREE, [])
    assert not findings
    assert verbs(steps) == ["set_info"] * 3
    assert rings.plan_ring(applied(view, steps), THREE, []) == ([], [])


def test_what_min_part_hours_held_back_is_resumed_when_it_is_due() -> None:
    view = {**built(THREE), "pending": 40}
    assert rings.plan_ring(view, THREE, []) == ([], [])
    assert verbs(rings.plan_ring({**view, "due": True}, THREE, [])[0]) == ["resume"]
    assert not rings.is_limited(rings.plan_ring({**view, "due": True}, THREE, [])[0])


def test_a_builder_changed_by_hand_and_not_rebalanced_is_rebalanced() -> None:
    assert verbs(rings.plan_ring({**built(THREE), "unbalanced": True}, THREE, [])[0]) == ["rebalance"]


_DISKS = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3)), min_size=3, max_size=12, unique=True).map(
    lambda pairs: [(f"s{host}", f"d{disk}") for host, disk in pairs]
)


@st.composite
def inventories(draw: st.DrawFn) -> dict[str, Any]:
    network = draw(st.integers(0, 3))
    return ring(
        [
            device(
                host,
                disk,
                ip=f"10.{network}.0.{host[1:]}",
                weight=draw(st.sampled_from([50, 100, 200.5])),
                zone=draw(st.none() | st.integers(1, 3)),
            )
            for host, disk in draw(_DISKS)
        ]
    )


@given(first=inventories(), second=inventories(), named=st.booleans())
def test_any_change_is_planned_once_and_loses_no_device_unasked(
    first: dict[str, Any], second: dict[str, Any], named: bool
) -> None:
    before = built(first)
    old = {entry["name"]: entry["id"] for entry in before["devices"]}
    gone = sorted(set(old) - {entry["name"] for entry in second["devices"]})
    steps, findings = rings.plan_ring(before, second, gone if named else [])
    assert ("vanished" in codes(findings)) == (bool(gone) and not named)
    assert [step.device for step in steps if step.verb == "remove"] == [name for name in old if named and name in gone]
    if findings:
        return
    after = applied(before, steps)
    assert rings.plan_ring(after, second, gone if named else []) == ([], [])
    kept = {entry["name"]: entry["id"] for entry in after["devices"] if entry["name"] in old}
    assert all(old[name] == number for name, number in kept.items())
    assert len({entry["id"] for entry in after["devices"]}) == len(second["devices"])
    assert {entry["name"]: entry["ip"] for entry in after["devices"]} == {
        entry["name"]: entry["ip"] for entry in second["devices"]
    }
    assert all(entry["zone"] for entry in after["devices"])


@given(inventories())
def test_the_same_inventory_gives_the_same_plan(wanted: dict[str, Any]) -> None:
    assert rings.plan_ring(None, wanted, []) == rings.plan_ring(None, copy.deepcopy(wanted), [])


# -- a deployment -----------------------------------------------------------------------------------------------

HOSTS = ["p1", "s1", "s2"]
WANTED = {"rings": [THREE], "remove": [], "move_limit_percent": 20}


def state(builder: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    file = {"sha256": f"ring of {builder['sha256']}", "version": builder["version"]} if builder else None
    return {"builder": builder, "file": file, "data": [], "simulation": None, **values}


def decided(states: dict[str, Any], wanted: dict[str, Any] = WANTED) -> rings.Decision:
    (decision,) = rings.decide(wanted, HOSTS, {host: {"object": value} for host, value in states.items()})
    return decision


def everywhere(builder: dict[str, Any]) -> dict[str, Any]:
    return {host: state(builder) for host in HOSTS}


def test_a_new_ring_is_made_on_the_first_host_and_copied_to_the_others() -> None:
    decision = decided({host: state() for host in HOSTS})
    assert (decision.source, decision.steps[0].verb, decision.stale) == ("p1", "create", ["s1", "s2"])
    assert not decision.findings


def test_the_same_everywhere_is_nothing_to_do() -> None:
    decision = decided(everywhere(built(THREE)))
    assert (decision.source, list(decision.steps), decision.stale, decision.findings) == ("p1", [], [], [])


def test_a_lost_builder_is_never_made_anew() -> None:
    files = {host: {**state(built(THREE)), "builder": None} for host in ("s1", "s2")}
    decision = decided({"p1": state(), **files})
    assert decision.source is None
    assert codes(decision.findings) == ["lost_builder"]
    assert "s1, s2" in decision.findings[0].what


def test_data_without_a_ring_forbids_a_new_one() -> None:
    data = state(data=["/srv/node/d1/objects"])
    decision = decided({"p1": state(), "s1": data, "s2": state()})
    assert (decision.source, codes(decision.findings)) == (None, ["lost_ring"])


def test_disks_that_nobody_mounted_yet_forbid_a_new_ring() -> None:
    unknown = state(unmounted=["/dev/disk/by-id/one (/srv/node/d1)"])
    decision = decided({"p1": state(), "s1": unknown, "s2": state()})
    assert (decision.source, codes(decision.findings)) == (None, ["unknown_data"])
    assert "s1:/dev/disk/by-id/one" in decision.findings[0].what
    assert decided({**everywhere(built(THREE)), "s1": unknown}).source == "p1"


def test_a_host_that_does_not_answer_forbids_a_new_ring_and_no_change() -> None:
    assert codes(decided({"p1": state(), "s1": state()}).findings) == ["unasked"]
    assert decided({"p1": state(built(THREE)), "s1": state(built(THREE))}).source == "p1"


def test_a_change_needs_the_answers_of_half_of_the_hosts() -> None:
    grown = state(built(THREE), simulation={"moved_percent": 1})
    assert codes(decided({"s1": grown}, GROWN).findings) == ["unasked"]
    assert decided({"s1": grown, "s2": grown}, GROWN).steps
    assert decided({"s1": state(built(THREE))}).findings == []


def test_one_host_that_lost_its_files_gets_them_from_another() -> None:
    decision = decided({**everywhere(built(THREE)), "p1": state()})
    assert (decision.source, list(decision.steps), decision.stale) == ("s1", [], ["p1"])


def test_older_states_of_the_same_builder_are_brought_up_to_date() -> None:
    old = built(THREE, "old")
    new = applied(old, [], "new")
    decision = decided({"p1": state(old), "s1": state(new), "s2": state(old)})
    assert decision.source == "s1"
    assert decision.stale == ["p1", "s2"]


@pytest.mark.parametrize("change", [{"id": "two"}, {"version": 99}, {"ancestors": ["another"]}])
def test_builders_of_which_neither_came_from_the_other_are_refused(change: dict[str, Any]) -> None:
    old = built(THREE, "old")
    other = {**applied(old, [], "other"), **change}
    if "version" in change:
        old = {**old, "version": 99}
    decision = decided({**everywhere(old), "s2": state(other)})
    assert (decision.source, codes(decision.findings)) == (None, ["diverged"])


def test_a_builder_that_cannot_be_read_is_refused() -> None:
    decision = decided({**everywhere(built(THREE)), "s2": state() | {"builder": {"error": "broken"}}})
    assert (decision.source, codes(decision.findings)) == (None, ["unreadable"])
    assert "s2" in decision.findings[0].what


def test_a_ring_older_than_its_builder_is_a_run_cut_short_and_written() -> None:
    view = built(THREE)
    cut = state(view, file={"sha256": "before", "version": 1})
    decision = decided({**everywhere(view), "p1": cut})
    assert verbs(list(decision.steps)) == ["write"]


@pytest.mark.parametrize("host", ["p1", "s2"])
def test_a_builder_older_than_a_ring_in_use_is_refused(host: str) -> None:
    view = built(THREE)
    newer = state(view, file={"sha256": "later", "version": view["version"] + 1})
    decision = decided({**everywhere(view), host: newer})
    assert (decision.source, codes(decision.findings)) == (None, ["old_builder"])
    assert host in decision.findings[0].what


GROWN = {**WANTED, "rings": [ring([*THREE["devices"], device("s4")])]}


@pytest.mark.parametrize(("share", "code"), [(19.9, []), (20.1, ["moves_too_much"])])
def test_what_would_move_is_held_against_the_limit(share: float, code: list[str]) -> None:
    simulation = {"moved_percent": share}
    states = {host: state(built(THREE), simulation=simulation) for host in HOSTS}
    decision = decided(states, GROWN)
    assert codes(decision.findings) == code
    assert (decision.source is None) == bool(code)


def test_what_cannot_be_computed_is_refused() -> None:
    states = {host: state(built(THREE), simulation={"error": "Swift is not installed"}) for host in HOSTS}
    assert codes(decided(states, GROWN).findings) == ["unknown_movement"]


def test_partitions_that_wait_are_told_and_change_nothing() -> None:
    decision = decided(everywhere({**built(THREE), "pending": 12}))
    assert not decision.steps
    assert [(finding.severity, finding.code) for finding in decision.findings] == [("advice", "swift_ring.pending")]
