# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import runpy

import jsonschema
import pytest

from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

SCRIPT = runpy.run_path(str(cases.ROOT / "scripts/generate_docs.py"))
MADE = SCRIPT["generate"]()


@pytest.mark.parametrize("path", MADE, ids=lambda path: str(path.relative_to(cases.ROOT)))
def test_what_is_made_from_the_variables_is_fresh(path):
    assert path.read_text() == MADE[path], "run `make docs`"


@pytest.mark.parametrize("name", ["lab", "metal", "networks-only", "shared-wire"])
def test_editors_accept_a_good_inventory_and_mark_a_misspelt_variable(name):
    schema = json.loads((cases.ROOT / "schema/variables.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    content = cases.good(name)
    for variables in (content["vars"], *content["hosts"].values()):
        jsonschema.validate(variables, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**content["vars"], "swift_replica": 3}, schema)
