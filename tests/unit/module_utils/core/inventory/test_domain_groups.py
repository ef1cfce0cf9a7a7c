# SPDX-License-Identifier: Apache-2.0
"""Groups in which hosts are by being in others."""

from __future__ import annotations

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.domain import Domain

CHASSIS = {"service": "ovn", "derived_groups": {"ovn_chassis": {"of": ["guests", "gates"], "where": "ovn_central"}}}
ANYWHERE = {"service": "ovn", "derived_groups": {"ovn_chassis": {"of": ["guests"]}}}


@pytest.mark.parametrize(
    ("service", "groups", "present", "found"),
    [
        (CHASSIS, {"guests"}, {"guests", "ovn_central"}, {"ovn_chassis"}),
        (CHASSIS, {"gates", "web"}, {"gates", "ovn_central"}, {"ovn_chassis"}),
        (CHASSIS, {"guests"}, {"guests"}, set()),
        (CHASSIS, {"ovn_central"}, {"guests", "ovn_central"}, set()),
        (ANYWHERE, {"guests"}, {"guests"}, {"ovn_chassis"}),
    ],
)
def test_a_group_follows_from_others_where_it_is_wanted(
    service: dict[str, object], groups: set[str], present: set[str], found: set[str]
) -> None:
    assert Domain((service,)).derived_groups({}, groups, present) == found


def test_an_inventory_lists_what_a_group_follows_from_and_not_the_group() -> None:
    known = Domain((CHASSIS,)).groups
    assert {"guests", "gates"} <= known
    assert "ovn_chassis" not in known


def test_networks_whose_bridge_a_switch_makes_are_what_subjects_say() -> None:
    domain = Domain((), switched=(lambda variables, groups: ("a",), lambda variables, groups: tuple(groups)))
    assert domain.switched_networks({}, ("b",)) == ("a", "b")
