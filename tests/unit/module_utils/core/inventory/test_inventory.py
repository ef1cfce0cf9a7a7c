# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
import inspect
import json
import re

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import RULES
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

GOOD = ("lab", "metal", "networks-only", "shared-wire", "ceph", "ceph-external", "block")


@pytest.mark.parametrize("name", GOOD)
def test_a_good_inventory_gives_a_model_and_no_complaint(name):
    content = cases.good(name)
    model, findings = cases.build(cases.raw(content, **content.get("raw", {})))
    assert [finding for finding in findings if finding.severity == "error"] == []
    assert Model.from_dict(json.loads(json.dumps(model.as_dict()))) == model


@pytest.mark.parametrize("case", cases.bad(), ids=lambda case: f"{case['subject']}: {case['name']}")
def test_a_bad_inventory_is_refused_for_its_reason_alone(case):
    model, findings = cases.build(cases.raw(cases.changed(case), **case.get("raw", {})), case.get("remembered"))
    found = [finding for finding in findings if finding.severity == "error"]
    assert sorted(f"{finding.code} {finding.where}" for finding in found) == sorted(case["errors"])
    assert model is None
    for finding in found:
        assert finding.what.endswith(".")
        assert finding.fix.endswith(".")
    for text in case.get("says", ()):
        assert any(text in str(finding) for finding in found)


@pytest.mark.parametrize("case", cases.accepted(), ids=lambda case: f"{case['subject']}: {case['name']}")
def test_a_change_that_is_right_is_accepted(case):
    content = cases.changed(case)
    model, findings = cases.build(cases.raw(content, **case.get("raw", content.get("raw", {}))))
    assert [str(finding) for finding in findings if finding.severity == "error"] == []
    assert model


@pytest.mark.parametrize("name", ["lab", "metal", "ceph", "block", "placement"])
def test_hosts_may_be_added_to_the_groups_that_are_advised_to_have_more(name):
    content = cases.good(name)
    _, findings = cases.build(cases.raw(content, **content.get("raw", {})))
    advised = [finding for finding in findings if finding.code == "groups.single"]
    for finding in advised:
        for group in finding.what.partition(" run on")[0].split(", "):
            further = copy.deepcopy(content)
            model = further["hosts"][further["groups"][group][0]]
            for number in range(2):
                own = {key: value for key, value in model.items() if key != "networks_addresses"}
                own["networks_ports"] = {name: port for name, port in own["networks_ports"].items() if name != "repl"}
                own["ansible_host"] = f"{model['ansible_host'].rpartition('.')[0]}.{90 + number}"
                further["hosts"][f"more{number}"] = own
                further["groups"][group].append(f"more{number}")
            assert cases.errors(further, **content.get("raw", {})) == [], group


def test_every_code_has_a_bad_case():
    wanted = set()
    for module in {rule.__module__: inspect.getmodule(rule) for rule in RULES}.values():
        source = inspect.getsource(module)
        wanted |= set(re.findall(r'(?:error|Finding)\(\s*(?:"error",\s*)?"([a-z]+\.[a-z0-9-]+)"', source))
    tested = {error.split()[0] for case in cases.bad() for error in case["errors"]}
    assert wanted - tested == set()


def test_hosts_that_share_a_line_share_what_a_rule_says_of_it():
    content = cases.changed({"set": {"vars/glance_conf_overrides": {"DEFAULT": {"bind_host": "0.0.0.0"}}}})
    _, findings = cases.build(cases.raw(content, locate=lambda host, path: "all.yml:3"))
    assert [finding.where for finding in findings if finding.severity == "error"] == [
        "all.yml:3 (control1, storage1, storage2, storage3): glance_conf_overrides.DEFAULT.bind_host"
    ]


@pytest.mark.parametrize(
    ("file", "severity"),
    [
        (("host", "storge1"), "error"),
        (("group", "swift_storag"), "error"),
        (("group", "ALL"), "error"),
        (("group", "Swift_Storage"), "error"),
        (("host", "Storage1"), "error"),
        (("host", "storage4"), "advice"),
        (("host", "Storage4"), "advice"),
        (("group", "ceph_osd"), "advice"),
        (("host", "storage1"), None),
        (("group", "all"), None),
    ],
)
def test_a_file_of_variables_that_nothing_uses(file, severity):
    content = cases.good("lab")
    _, findings = cases.build(cases.raw(content, variable_files={"x.yml": file}))
    assert [found.severity for found in findings if found.code == "hosts.variable-file"] == [severity] * bool(severity)


def test_two_vlans_of_one_network_are_advised_against():
    port = {"interface": "eth1", "vlan": 10}
    content = cases.changed({"set": {f"hosts/storage{n}/networks_ports/storage": port for n in (1, 2)}})
    content["hosts"]["storage3"]["networks_ports"]["storage"] = {**port, "vlan": 11}
    _, findings = cases.build(cases.raw(content))
    (advice,) = (finding for finding in findings if finding.code == "networks.vlan-differs")
    assert "is 10 on storage1 and 11 on storage3" in advice.what


def test_a_password_in_a_url_is_not_shown():
    content = cases.changed(
        {"set": {"vars/cinder_conf_overrides": {"database": {"connection": "mysql://a:hunter2@c"}}}}
    )
    _, findings = cases.build(cases.raw(content))
    assert any(finding.code == "overrides.protected" for finding in findings)
    assert not any("hunter2" in str(finding) for finding in findings)


WRONG = (None, True, 7, -1.5, "", "x y", [], [None], [[7]], {}, {"x": None}, {"x": {"y": [7]}})


@pytest.mark.parametrize("name", ["lab", "ceph", "block", "ceph-external"])
def test_no_value_of_a_wrong_type_makes_a_rule_fail(name):
    content = cases.good(name)
    more = content.get("raw", {})
    # Most wrong values are refused by the schema and leave the same draft, and most of an inventory stays as it is.
    known, rules = cases.Remembering(cases.roles()), (cases.remembering(RULES),)
    for place in list(places({key: content[key] for key in ("vars", "hosts")})):
        target = content
        for key in place[:-1]:
            target = target[key]
        right = target[place[-1]]
        for wrong in WRONG:
            target[place[-1]] = copy.deepcopy(wrong)
            cases.build(cases.raw(content, **more), known=known, rules=rules)
        target[place[-1]] = right


def places(value, path=()):
    """Every key path below a value, without hosts themselves, which Ansible always gives as mappings."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if path not in ((), ("hosts",)):
            yield (*path, key)
        yield from places(inner, (*path, key))
