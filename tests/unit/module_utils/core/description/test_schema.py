# SPDX-License-Identifier: Apache-2.0
"""The closed form of service.yml, and what is said of one that is not of it."""

from __future__ import annotations

import copy

import jsonschema
import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import COLLECTION, descriptions
from ansible_collections.holdfast.storage.plugins.module_utils.core.description import schema
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.load import (
    Description,
    load,
    ordered,
    overrides_of,
    read,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.domain import Overrides, Protection
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import ORDER

SERVICE = {
    "service": "placement",
    "title": "Placement service",
    "components": [
        {
            "group": "placement",
            "packages": ["placement-api"],
            "files": [{"path": "/etc/placement/placement.conf", "format": "ini", "content": {"DEFAULT": {}}}],
            "units": [{"name": "placement-api.service", "state": "{{ 'started' }}"}],
        }
    ],
    "databases": [{"name": "placement"}],
    "balancer": [{"flow": "placement", "check": "/"}],
    "migrations": [{"name": "sync", "group": "placement", "argv": ["/bin/true"], "packages": []}],
}
BAD = [
    ("databse", [{"name": "x"}], "databse: is no key", "Did you mean databases?"),
    ("components/0/pakages", ["x"], "components[0].pakages: is no key", "Did you mean packages?"),
    ("components/0/packages", "x", "components[0].packages: is 'x', and must be a list", "Packages of Debian"),
    ("components/0/packages/0", 7, "components[0].packages[0]: is 7, and must be text", "Correct it"),
    ("components/0/files/0/format", "yaml", "components[0].files[0].format: is 'yaml'", "text, json, ini, oslo"),
    ("components/0/files/0/mode", "640", "components[0].files[0].mode: is '640'", "Four digits"),
    ("components/0/files/0/pth", "/x", "components[0].files[0].pth: is no key", "Take one of: path, owner"),
    ("components/0/units/0/state", "runing", "components[0].units[0].state: is 'runing'", "Started, stopped"),
    (
        "components/0/phase",
        "foundation",
        "components[0].phase: there is no phase foundation",
        "Did you mean foundations?",
    ),
    ("phase", "service", "phase: there is no phase service", "Did you mean services?"),
    ("migrations/0/phase", "finnish", "migrations[0].phase: there is no phase finnish", "Did you mean finish?"),
    ("service", None, "service: is null, and must be text", "Name of the service"),
    ("service", "Placement API", "service: is 'Placement API', not of the form", "Name of the service"),
    ("components/0/group", None, "components[0].group: is null", "A group"),
    ("balancer/0", {"check": "/"}, "balancer[0].flow: is missing", "The balanced flow"),
    ("identity", {"user": {}}, "identity.user: is no key", "Did you mean users?"),
    ("secrets", ["a"], "secrets: is a list of 1, and must be a mapping", "the form of each"),
]


def changed(path: str, value: object) -> dict:
    content = copy.deepcopy(SERVICE)
    *parents, last = [int(key) if key.isdecimal() else key for key in path.split("/")]
    target: object = content
    for key in parents:
        target = target[key]
    target[last] = value
    return content


def problems(content: object) -> list[str]:
    return schema.problems(content, "roles/placement/service.yml", ORDER.applied)


@pytest.mark.parametrize(("path", "value", "what", "fix"), BAD, ids=[f"{path} {value}" for path, value, *_ in BAD])
def test_what_is_not_of_the_form_is_refused_with_its_place_and_a_fix(path, value, what, fix):
    (problem,) = problems(changed(path, value))
    assert problem.startswith(f"roles/placement/service.yml: {what}")
    assert fix in problem.partition(" Fix: ")[2]


@pytest.mark.parametrize(
    ("phase", "content", "place"),
    [
        ("finish", {"components": [{"group": "g", "units": [{"name": "x.timer"}]}]}, "components[0].units"),
        ("rings", {"components": [{"group": "g", "files": [{"path": "/x", "content": ""}]}]}, "components[0].files"),
        (
            "foundations",
            {"migrations": [{"name": "x", "group": "g", "argv": ["x"], "packages": []}]},
            "migrations[0].name",
        ),
    ],
)
def test_a_phase_that_does_not_apply_what_is_asked_for_is_refused(phase, content, place):
    (problem,) = problems({"service": "x", "title": "X", "phase": phase, "components": [], **content})
    assert f"service.yml: {place}: the phase {phase} applies none of it. Fix: Name another phase: " in problem


def test_no_mapping_is_no_service():
    (problem,) = problems(None)
    assert problem.startswith("roles/placement/service.yml: is null, and must be a mapping. Fix: ")


def test_the_quick_check_says_what_json_schema_says():
    validator = jsonschema.Draft202012Validator(schema.document())
    validator.check_schema(schema.document())
    assert problems(SERVICE) == [] == list(validator.iter_errors(SERVICE))
    for path, value, *_ in BAD:
        if "phase" not in path:  # which only subjects.py knows
            assert list(validator.iter_errors(changed(path, value))), path
    for description in descriptions():
        assert list(validator.iter_errors(description.content)) == [], description.where


def test_the_schema_uses_what_the_quick_check_knows():
    known = {"type", "properties", "required", "additionalProperties", "items", "enum", "pattern", "$ref"}
    text = {"description", "title", "$schema", "$defs"}

    def visit(part: dict) -> None:
        assert set(part) <= known | text, part
        others = part.get("additionalProperties")
        below = [*part.get("properties", {}).values(), *part.get("$defs", {}).values(), part.get("items"), others]
        for entry in below:
            if isinstance(entry, dict):
                visit(entry)

    for name in ("service", "backend"):
        visit(schema.document(name))


def test_all_that_is_wrong_in_all_files_is_said_at_once(tmp_path):
    for name, text in {"one": "service: one\ntitle: One\ncomponents: []\nafterr: []\n", "two": "pahse: x\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "service.yml").write_text(text)
    with pytest.raises(HoldfastError) as raised:
        load(tmp_path, ORDER.applied)
    said = str(raised.value)
    assert "roles/one/service.yml: afterr: is no key that is known here. Fix: Did you mean after?" in said
    assert "roles/two/service.yml: components: is missing" in said
    assert "roles/two/service.yml: pahse: is no key" in said


def named(name: str, *after: str) -> Description:
    return Description(name, {"service": name, "components": [], "after": list(after)}, {})


def test_services_come_behind_those_that_they_name():
    found = ordered([named("a", "d"), named("b"), named("c"), named("d", "c")])
    assert [description.name for description in found] == ["c", "d", "a", "b"]


def test_services_that_wait_for_each_other_or_for_nobody_are_refused():
    with pytest.raises(HoldfastError, match=r"after: \w after \w after \w is a circle"):
        ordered([named("a", "b"), named("b", "a")])
    with pytest.raises(
        HoldfastError, match=r"roles/a/service\.yml: after: no service is named novaa.*Did you mean nova"
    ):
        ordered([named("a", "novaa"), named("nova")])


def test_the_roles_are_read_once_in_a_process_and_well_formed():
    assert descriptions() is descriptions()
    assert load(COLLECTION / "roles", ORDER.applied) == descriptions()


def test_what_overrides_leave_alone_is_said_of_variables_that_there_are():
    protecting = [description for description in descriptions() if description.overrides.protected]
    assert protecting
    for description in protecting:
        declared = read(COLLECTION / f"roles/{description.role}/defaults/main.yml")
        assert f"{description.name}_conf_overrides" in declared, description.where
        said_by = {each.variable for each in description.overrides.protected} - {""}
        assert said_by <= declared.keys(), description.where


def test_overrides_leave_alone_what_fragments_write():
    entry = {"options": ["database.connection"], "because": "it is said elsewhere"}
    own = {"options": ["DEFAULT.host"], "because": "it is its name", "unless": ["a"]}
    content = {**SERVICE, "components": [{"group": "placement", "conf": {}}]}
    conf = {"protected": [entry], "sections": {}, "files": [{"path": "/x", "format": "oslo"}]}
    fragments = {"conf": conf, "api": {"protected": [{**entry, "options": ["x"]}]}}
    described = Description("placement", content, {}, fragments=fragments, protected=[own])
    assert overrides_of([described]) == {
        "placement_conf_overrides": Overrides(
            (
                Protection("DEFAULT.host", "it is its name", ("a",)),
                Protection("database.connection", "it is said elsewhere"),
            ),
            {"": "oslo"},
        )
    }


def test_overrides_are_laid_over_files_that_have_formats():
    formats = {name: found.formats for name, found in overrides_of(descriptions()).items() if found.formats}
    assert formats["cinder_conf_overrides"] == formats["keystone_conf_overrides"] == {"": "oslo"}
    assert formats["mariadb_conf_overrides"] == {"": "mariadb"}
    assert formats["rabbitmq_conf_overrides"] == {"": "rabbitmq"}
    assert formats["ceph_conf_overrides"] == {"": "ceph"}
    swift = formats["swift_conf_overrides"]
    assert swift["swift.conf"] == swift["dispersion.conf"] == "configparser"
    files = read(COLLECTION / "roles/swift/meta/variables.yml")["swift_conf_overrides"]["properties"]
    assert set(swift) == set(files)
    assert {form for name, form in swift.items() if name not in ("swift.conf", "dispersion.conf")} == {"paste"}
    declared = {found.role for found in descriptions()} - {"attach"}
    assert {name.removesuffix("_conf_overrides") for name in formats} <= declared
