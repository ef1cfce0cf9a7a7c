# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import inspect
import json
import re

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core import inventory, rules
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

GOOD = ("lab", "metal", "networks-only", "shared-wire", "ceph", "ceph-external", "block")


@pytest.mark.parametrize("name", GOOD)
def test_a_good_inventory_gives_a_model_and_no_complaint(name):
    content = cases.good(name)
    model, findings = inventory.build(cases.raw(content, **content.get("raw", {})), cases.roles())
    assert [finding for finding in findings if finding.severity == "error"] == []
    assert Model.from_dict(json.loads(json.dumps(model.as_dict()))) == model


@pytest.mark.parametrize("case", cases.bad(), ids=lambda case: f"{case['subject']}: {case['name']}")
def test_a_bad_inventory_is_refused_for_its_reason_alone(case):
    model, findings = inventory.build(
        cases.raw(cases.changed(case), **case.get("raw", {})), cases.roles(), case.get("remembered")
    )
    found = [finding for finding in findings if finding.severity == "error"]
    assert sorted(f"{finding.code} {finding.where}" for finding in found) == sorted(case["errors"])
    assert model is None
    for finding in found:
        assert finding.what.endswith(".")
        assert finding.fix.endswith(".")
    for text in case.get("says", ()):
        assert any(text in str(finding) for finding in found)


def test_every_code_has_a_bad_case():
    wanted = set()
    for module in rules.SUBJECTS:
        source = inspect.getsource(__import__(f"{rules.__name__}.{module}", fromlist=["_"]))
        wanted |= set(re.findall(r'(?:error|Finding)\(\s*(?:"error",\s*)?"([a-z]+\.[a-z0-9-]+)"', source))
    tested = {error.split()[0] for case in cases.bad() for error in case["errors"]}
    assert wanted - tested == set()
