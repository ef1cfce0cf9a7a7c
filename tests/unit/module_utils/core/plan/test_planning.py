# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.change import Change, Plan
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding, HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import planning, registry
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import ORDER


def phases(**plans):
    steps = {name.replace("__", "/"): Plan(changes) for name, changes in plans.items()}
    return planning.DeploymentPlan(ORDER, {"h": steps}).phases("h")


CHANGE = [Change("x", "create")]


def test_a_converged_host_is_in_no_phase():
    assert phases(networks__network=[], services__unit=[]) == []


def test_phases_come_in_their_order():
    assert phases(services__file=CHANGE, networks__network=CHANGE) == ["networks", "services"]


def test_new_certificates_or_packages_send_the_host_through_all_its_units():
    plans = {"foundations__unit": [], "identity__unit": [], "rings__swift_ring": []}
    assert phases(certificates__certificate=CHANGE, **plans) == ["certificates", "foundations", "identity"]
    assert phases(packages__package=CHANGE, **plans) == ["packages", "foundations", "identity"]


def test_what_serves_already_is_restarted_one_host_at_a_time():
    def groups(**plans):
        steps = {name.replace("__", "/"): Plan(changes) for name, changes in plans.items()}
        return planning.DeploymentPlan(ORDER, {"h": steps}).groups("h")

    start, adopt, restart = ([Change("x.service", verb)] for verb in ("start", "adopt", "restart"))
    assert groups(services__file=CHANGE, services__unit=start) == ["phase_services"]
    assert groups(services__file=CHANGE, services__unit=restart) == ["roll_services"]
    assert groups(certificates__certificate=CHANGE, foundations__unit=[]) == ["phase_certificates", "roll_foundations"]
    assert groups(services__file=CHANGE, services__unit=adopt) == ["phase_services"]
    assert groups(services__file=CHANGE, services__unit=[*adopt, *restart]) == ["roll_services"]
    assert groups(packages__package=CHANGE, foundations__unit=adopt) == ["phase_packages", "phase_foundations"]
    assert groups(packages__package=CHANGE, foundations__unit=start) == ["phase_packages", "phase_foundations"]


def order(*steps):
    return registry.Order(steps, frozenset(), frozenset(), frozenset())


def test_what_several_subjects_want_of_one_kind_is_joined():
    subjects = [lambda *_: {"disks": [1], "confined": True}, lambda *_: {}, lambda *_: {"disks": [2]}]
    step = registry.Step("devices", "disk", None, tuple(subjects))
    assert step.wanted(None, None, None, {}) == {"disks": [1, 2], "confined": True}


def test_what_subjects_want_differently_is_no_plan():
    subjects = (lambda *_: {"confined": True}, lambda *_: {"confined": False})
    step = registry.Step("devices", "volume_group", None, subjects)
    with pytest.raises(HoldfastError, match="h: two subjects want different things of volume_group: confined"):
        step.wanted(None, SimpleNamespace(name="h"), None, {})


def test_every_step_is_wanted_by_a_subject():
    assert [step.name for step in ORDER.steps if not step.wants] == []


def test_a_kind_that_could_not_be_read_forbids_the_run():
    kind = SimpleNamespace(question=lambda _: {}, plan=lambda current, _: Plan(CHANGE if current["do"] else ()))
    step = registry.Step("services", "file", kind, (lambda *_: {"x": 1},))
    model = SimpleNamespace(hosts={"a": None, "b": None})
    services = SimpleNamespace(within=lambda _: None)
    answers = {"a": {"services/file": {"error": "no ss"}}, "b": {"services/file": {"do": 1}}}
    result = planning.plan(order(step), model, services, {}, answers)
    assert [(finding.severity, finding.where) for finding in result.findings] == [("error", "a")]
    assert result.phases("b") == ["services"]


def test_a_disk_that_two_kinds_would_have_by_two_names_is_refused():
    model = SimpleNamespace(hosts={"a": None})

    def refused(osd, **more):
        swift = {"disks": {"/dev/disk/by-id/one": {"number": "8:16"}, "/dev/disk/by-id/none": {"number": None}}}
        answer = {"devices/disk": swift, "ceph_daemons/ceph_osd": {"disks": osd}, **more}
        return planning.plan(order(), model, None, {}, {"a": answer}).findings

    (finding,) = refused({"/dev/disk/by-path/one": {"number": "8:16"}})
    assert (finding.code, finding.where) == ("disk.twice", "a: /dev/disk/by-path/one")
    assert "/dev/disk/by-id/one" in finding.what
    assert not refused({"/dev/disk/by-path/two": {"number": "8:32"}, "/dev/x": {"number": None}})
    assert not refused({}, **{"devices/volume_group": {"error": "no report"}})


def test_plan_json_holds_no_data_of_a_change():
    change = Change("x", "create", after="shown", data={"password": "hidden-value"})
    finding = Finding("advice", "c", "w", "what", "fix")
    plain = planning.DeploymentPlan(ORDER, {"h": {"services/file": Plan([change])}}, (finding,)).as_dict()
    assert "hidden-value" not in str(plain)
    assert plain["hosts"]["h"]["steps"]["services/file"][0]["after"] == "shown"
