# SPDX-License-Identifier: Apache-2.0
"""The actions ``plan`` and ``converge``: what stops a run, who joins which play, and what is then run there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.networks import networkd

HOSTS = ("control1", "storage1", "storage2", "storage3")
only_networks = pytest.mark.parametrize("controller", ["networks-only"], indirect=True)


@only_networks
def test_a_bare_host_joins_the_plays_of_what_it_lacks_and_the_lock_goes_along(controller: Any) -> None:
    controller.begin()
    controller.probed("192-168-7-2", "b")
    result = controller.act("plan", "b")
    assert not result.get("failed"), result
    groups = ["phase_networks", "phase_packages", "phase_firewall", "phase_foundations"]
    assert result["groups"] == {"192-168-7-2": [*groups, "lock_holder"], "b": groups}
    assert "networks/network: create br-mgmt" in result["summary"]["b"]
    written = controller.run_directory.read("plan.json")["hosts"]["b"]["steps"]["networks/network"]
    assert ("create", "br-mgmt") in [(change["action"], change["subject"]) for change in written]


@only_networks
def test_in_check_mode_nobody_holds_the_lock(controller: Any) -> None:
    controller.begin()
    controller.probed("192-168-7-2", "b")
    result = controller.act("plan", "b", check=True)
    assert not [host for host, groups in result["groups"].items() if "lock_holder" in groups]


@only_networks
def test_hosts_that_do_not_take_part_are_not_planned_for(controller: Any) -> None:
    controller.begin()
    controller.probed("b")
    assert list(controller.act("plan", "b")["groups"]) == ["b"]


@only_networks
def test_an_error_on_one_host_refuses_the_run_and_is_told_with_its_fix(controller: Any) -> None:
    controller.begin()
    controller.probed("192-168-7-2")
    controller.probed("b", networks__network={"error": "no ip"})
    controller.variables["ansible_play_hosts"] = ["192-168-7-2", "b"]
    result = controller.act("plan", "b")
    assert result["failed"]
    assert "groups" not in result
    assert result["msg"].startswith("1 problem on the hosts; nothing was changed.\nerror: b: ")
    assert [finding["code"] for finding in result["findings"] if finding["severity"] == "error"] == [
        "network.unreadable"
    ]


def test_no_secret_stands_in_the_plan(controller: Any) -> None:
    deployment = controller.begin()
    controller.probed(*HOSTS)
    answer = controller.run_directory.read("probe/control1.json")
    secret = deployment.secrets["glance_database_password"]
    answer["networks/network"]["files"] = {f"{networkd.PREFIX}old.network": f"# {secret}\n"}
    controller.run_directory.write("probe/control1.json", answer)
    result = controller.act("plan")
    written = controller.run_directory.read("plan.json")
    steps = written["hosts"]["control1"]["steps"]
    assert steps["services/file"]
    assert "# (secret)\n" in [change["before"] for change in steps["networks/network"]]
    shown = json.dumps([result, written])
    private = {name: value for name, value in deployment.secrets.items() if name.endswith("_password")}
    assert len(private) > 5
    assert not [name for name, value in private.items() if value in shown]


# -- converge


@pytest.mark.parametrize("phase", [None, "service"])
def test_a_phase_that_does_not_exist_is_refused(controller: Any, phase: str | None) -> None:
    result = controller.act("converge", phase=phase)
    assert result["failed"]
    assert f"phase is {phase!r}; it must be one of preflight, networks, " in result["msg"]
    assert controller.ran == []


def test_only_what_is_planned_of_the_phase_is_run_and_in_its_order(controller: Any) -> None:
    controller.begin()
    controller.planned("control1", services__unit=["a.service"], services__file=["/etc/a"], identity__file=["/etc/b"])
    result = controller.act("converge", phase="services")
    assert [name for name, _ in controller.ran] == ["file", "unit"]
    assert (result["changed"], result["actions"]) == (True, ["did file", "did unit"])
    paths = [entry["path"] for entry in controller.ran[0][1]["files"]]
    assert "/etc/glance/glance-api.conf" in paths
    assert "/etc/keystone/keystone.conf" not in paths, "it belongs to another phase"


def test_after_new_packages_units_are_looked_at_again(controller: Any) -> None:
    controller.begin()
    controller.planned("control1", packages__package=["glance-api"], services__file=["/etc/a"])
    controller.act("converge", phase="services")
    assert [name for name, _ in controller.ran] == ["file", "unit"]
    controller.ran.clear()
    controller.planned("control1", services__file=["/etc/a"])
    controller.act("converge", phase="services")
    assert [name for name, _ in controller.ran] == ["file"]


def test_a_failure_ends_the_phase_and_tells_what_was_done_before(controller: Any) -> None:
    controller.begin()
    controller.planned("control1", services__file=["/etc/a"], services__migration=["glance"], services__unit=["a"])
    finding = {"severity": "error", "code": "c", "where": "w", "what": "x", "fix": "f"}
    controller.answers["migration"] = {"failed": True, "msg": "no database", "findings": [finding]}
    result = controller.act("converge", phase="services")
    assert [name for name, _ in controller.ran] == ["file", "migration"]
    assert (result["failed"], result["changed"], result["actions"]) == (True, True, ["did file"])
    assert result["msg"] == "services/migration: no database"
    assert result["findings"] == [finding]


def test_a_module_that_died_is_told_by_what_it_left(controller: Any) -> None:
    controller.begin()
    controller.planned("control1", services__file=["/etc/a"])
    controller.answers["file"] = {"failed": True, "module_stderr": "Segmentation fault"}
    assert controller.act("converge", phase="services")["msg"] == "services/file: Segmentation fault"


def test_no_secret_comes_back_from_a_host(controller: Any) -> None:
    secret = controller.begin().secrets["glance_database_password"]
    controller.planned("control1", services__file=["/etc/a"])
    controller.answers["file"] = {
        "changed": True,
        "actions": [f"wrote {secret}"],
        "diff": [{"before": "", "after": f"connection = mysql://glance:{secret}@db\n"}],
    }
    result = controller.act("converge", phase="services")
    assert result["diff"] == [{"before": "", "after": "connection = mysql://glance:(secret)@db\n"}]
    assert result["actions"] == ["wrote (secret)"]
    assert secret in str(controller.ran), "the host gets it"


def test_in_check_mode_the_plan_tells_what_is_made_elsewhere(controller: Any) -> None:
    controller.begin()
    controller.planned("control1", ring_copies__swift_ring_copy=["object.ring.gz"])
    result = controller.act("converge", phase="ring_copies", check=True)
    assert controller.ran == []
    assert (result["changed"], result["actions"]) == (True, ["create object.ring.gz"])


def test_a_kind_with_an_action_is_run_by_that(controller: Any) -> None:
    """``network`` is run in its stages; here there is nothing to confirm."""
    controller.begin()
    controller.planned("control1", networks__network=["br-mgmt"])
    controller.act("converge", phase="networks")
    ((name, arguments),) = controller.ran
    assert (name, arguments["stage"]) == ("network", "apply")
    assert [bridge["bridge"] for bridge in arguments["bridges"]] == ["br-mgmt", "br-storage"]


def test_a_host_that_is_not_of_the_model_is_refused(controller: Any) -> None:
    controller.begin()
    assert "elsewhere is not a host of the model" in controller.act("converge", "elsewhere", phase="services")["msg"]
