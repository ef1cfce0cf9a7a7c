# SPDX-License-Identifier: Apache-2.0
"""Types of back ends: the files of the roles, and that a new one is a file."""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ansible_collections.holdfast.storage.plugins.lookup.packages import LookupModule
from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import descriptions, domain_of
from ansible_collections.holdfast.storage.plugins.module_utils.core.backend import Backends, BackendType
from ansible_collections.holdfast.storage.plugins.module_utils.core.config import parse_ini
from ansible_collections.holdfast.storage.plugins.module_utils.core.description import backends as loader
from ansible_collections.holdfast.storage.plugins.module_utils.core.description import schema
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.load import Description
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import declarations
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import EXPRESSIONS
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

SERVICES = [found for found in descriptions() if found.backend_types]
FILES = [(found.role, name) for found in SERVICES for name in found.backends]


def types(service: str) -> Backends:
    found = next(found.backend_types for found in SERVICES if found.name == service)
    assert found
    return found


def variable(service: str) -> Any:
    """The schema of an entry of the variable that lists a service's back ends."""
    return cases.roles().variables[types(service).variable].schema["items"]["properties"]


@pytest.mark.parametrize(("role", "name"), FILES)
def test_the_keys_of_a_type_are_declared(role: str, name: str) -> None:
    described = next(found for found in SERVICES if found.role == role)
    kind = types(described.name).types[name]
    declared = variable(described.name)
    assert kind.keys | {key for key in kind.made_from.values() if key != "type"} <= set(declared)


BAD = [
    ({"title": "t", "pakages": []}, "pakages: is no key that is known here. Fix: Did you mean packages?"),
    ({"title": "t", "clustered": "sometimes"}, "clustered: is 'sometimes'. Fix: Give one of: always, never"),
    ({"title": "t", "reached_by": "wire"}, "reached_by: is 'wire', not of the form"),
    ({"title": "t", "reached_by": [{"kernel": "x"}]}, "reached_by[0].said_by: is missing"),
    ({"title": "t", "needs": "pool"}, "needs: is 'pool', and must be a list"),
    ({"title": "t", "declares": ["pool"]}, "declares: is a list of 1, and must be a mapping"),
    ({"title": "t", "declares": {"pool": "text"}}, "declares.pool: is 'text', and must be a mapping"),
    ({"needs": ["pool"]}, "title: is missing. Fix: What it is"),
    (None, "is null, and must be a mapping"),
]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        *BAD,
        ({"title": "t", "clustered": "by_class"}, "classes: goes with clustered: by_class"),
        ({"title": "t", "protected": ["a"], "options": {"b": 1}}, "protected: a is no option"),
        (
            {"title": "t", "uses": {"ceph": [{"user": "x", "groups": {}, "when": False}]}},
            "uses.ceph[0].when: a type's claim stands for each of its entries",
        ),
        (
            {"title": "t", "uses": {"share": [{"purpose": "x", "owner": 1, "groups": [], "each": "{{ x }}"}]}},
            "uses.share[0].each: a type's claim stands for each of its entries",
        ),
        (
            {"title": "t", "uses": {"share": [{"purpose": "x", "owner": 1, "groups": [], "of": "x"}]}},
            "uses.share[0].of: a type's claim stands for each of its entries",
        ),
    ],
)
def test_a_malformed_file_is_refused_by_name(content: Any, said: str) -> None:
    (problem,) = loader.problems({"x": content}, "roles/store/backends")
    assert problem.startswith(f"roles/store/backends/x.yml: {said}")
    assert " Fix: " in problem


def test_the_quick_check_says_what_json_schema_says() -> None:
    validator = jsonschema.Draft202012Validator(schema.document("backend"))
    assert all(list(validator.iter_errors(content)) for content, _ in BAD)
    for role, name in FILES:
        content = next(found.backends[name] for found in SERVICES if found.role == role)
        assert list(validator.iter_errors(content)) == [], (role, name)


@pytest.mark.parametrize(
    ("entry", "clustered", "reached"),
    [
        ({"type": "rbd"}, True, "library"),
        ({"type": "lvm"}, False, "kernel"),
        ({"type": "nfs"}, False, "mount"),
        ({"type": "driver"}, False, "library"),
        ({"type": "driver", "driver": "cinder.volume.drivers.pure.PureISCSIDriver"}, True, "kernel"),
        ({"type": "driver", "driver": "cinder.volume.drivers.hpe.nimble.NimbleFCDriver"}, False, "kernel"),
        (
            {"type": "driver", "driver": "cinder.volume.drivers.solidfire.SolidFireDriver", "protocol": "other"},
            True,
            "library",
        ),
        (
            {"type": "driver", "driver": "cinder.volume.drivers.vastdata.Driver", "protocol": "nvmet_tcp"},
            False,
            "kernel",
        ),
        ({"type": "driver", "driver": "site.sfcache.CacheDriver"}, False, "library"),
        ({"type": "driver", "driver": "a.NfsDriver"}, False, "mount"),
        ({"type": "driver", "driver": "a.NfsDriver", "options": {"netapp_storage_protocol": "FC"}}, False, "kernel"),
        ({"type": "driver", "driver": "a.D", "options": {"netapp_storage_protocol": "nfs"}}, False, "mount"),
    ],
)
def test_what_a_back_end_of_cinder_can(entry: dict[str, Any], clustered: bool, reached: str) -> None:
    kind = types("cinder").types[entry["type"]]
    assert (kind.can_be_clustered(entry), kind.reached(entry)) == (clustered, reached)


@pytest.mark.parametrize(
    ("clustered", "entry", "locked", "is_clustered", "may_be_shared"),
    [
        ("never", {"cluster": "ganesha"}, True, False, False),
        ("never", {}, True, False, False),
        ("", {"cluster": "ganesha"}, True, False, True),
        ("by_class", {"cluster": "c"}, True, True, True),
        ("by_class", {}, True, False, False),
        ("by_class", {"cluster": "c"}, False, False, False),
        ("always", {}, True, True, True),
        ("always", {}, False, False, False),
    ],
)
def test_what_its_type_says_of_clusters_counts(
    clustered: str, entry: dict[str, Any], locked: bool, is_clustered: bool, may_be_shared: bool
) -> None:
    kind = BackendType("x", "X", clustered=clustered)
    assert kind.is_clustered(entry, locked=locked) == is_clustered
    assert kind.may_be_shared(entry, locked=locked) == may_be_shared


def test_a_host_is_in_the_groups_of_what_it_serves() -> None:
    listed = [
        {"type": "lvm"},
        {"type": "lvm", "protocol": "nvmet_tcp"},
        {"type": "lvm", "protocol": "carrier-pigeon"},
        {"type": "rbd", "protocol": "iscsi"},
        {"type": "mystery"},
        None,
    ]
    found = types("cinder")
    for groups, expected in ((["cinder_volume"], {"cinder_iscsi", "cinder_nvme"}), (["cinder_api"], set())):
        assert found.derived_groups(groups, {"cinder_backends": listed}) == expected
    assert found.served == {"cinder_iscsi", "cinder_nvme"}
    assert not found.derived_groups(["cinder_volume"], {"cinder_backends": None})


def test_an_option_that_is_made_from_a_key_is_said_by_that_key() -> None:
    made = {name: dict(kind.made_from) for name, kind in types("cinder").types.items()}
    assert made["rbd"] == {
        "volume_driver": "type",
        "rbd_pool": "pool",
        "rbd_user": "ceph_user",
        "rbd_ceph_conf": "type",
    }
    assert made["driver"] == {"volume_driver": "driver"}
    assert made["lvm"]["lvm_type"] == "thin"


NEW = """
title: shelves of tapes
needs: [robot]
allows: [slots]
clustered: always
serves: {tape: cinder_iscsi}
packages: [mtx]
inputs: ["/etc/robots/{{ item.robot }}"]
options:
  robot: "{{ item.robot }}"
  slots: "{{ item.slots | default([1, 2]) }}"
  eject: true
  label: "{{ item.label | default(none) }}"
protected: [robot]
"""


def test_a_new_type_is_a_file(tmp_path: Path) -> None:
    role = tmp_path / "store"
    (role / "backends").mkdir(parents=True)
    (role / "templates").mkdir()
    content = {
        "service": "store",
        "title": "Store",
        "backends": {"variable": "store_backends", "group": "store", "options": {"is": "{{ item.name }}"}},
        "components": [
            {
                "group": "store",
                "files": [{"path": "/etc/store.conf", "template": "store.conf.j2"}],
                "units": [{"name": "store.service", "inputs": "{{ backend_inputs() }}"}],
            }
        ],
    }
    (role / "service.yml").write_text(yaml.safe_dump(content))
    (role / "templates/store.conf.j2").write_text(
        "{% for entry in backends('tape') %}\n"
        "{{ entry.name }} {{ entry.protocol }} {{ backend_sections()[entry.name] }}\n"
        "{% endfor %}"
    )
    (role / "backends/tape.yml").write_text(NEW)
    (role / "meta").mkdir()
    (role / "meta/variables.yml").write_text("store_backends: {description: x, type: array}")
    (described,) = descriptions(tmp_path)
    entries = [{"name": "one", "type": "tape", "robot": "r1", "options": {"slots": 9}}, {"name": "two", "type": "none"}]
    host = Host("a", frozenset({"store"}), {}, {}, {"store_backends": entries})
    model = Model("t", {}, {"a": host}, {})
    component, more = Services([described], model, {}).components(host)
    options = {"is": "one", "robot": "r1", "slots": 9, "eject": True, "label": None}
    assert component["files"][0]["content"] == f"one tape {options}\n"
    assert more["packages"] == ["mtx"]
    assert component["units"][0]["inputs"] == ["/etc/robots/r1"]


def test_what_a_type_declares_an_entry_may_have() -> None:
    declared = {"robot": {"description": "Its robot."}, "slots": {"description": "Its slots."}}
    content = {"title": "t", "needs": ["robot"], "allows": ["label"], "declares": declared}
    kind = loader.load("store", {"variable": "store_backends", "group": "store"}, {"tape": content}).types["tape"]
    assert (kind.needs, kind.allows) == (("robot",), ("label", "slots"))


FANCY = """
title: shelves of tapes
needs: [robot]
declares:
  robot: {description: Name of the robot., type: string, minLength: 2}
  slots: {description: How many tapes it holds., type: integer, minimum: 1}
reached_by: library
clustered: never
options:
  robot: "{{ item.robot }}"
  slots: "{{ item.slots | default(10) }}"
"""
TAPES = {"name": "tapes", "type": "fancy", "robot": "r1", "slots": 9}
PLACES = {
    "cinder": ("block", "hosts/storage1/cinder_backends/2", "cinder_backends[2]", "backend"),
    "glance": ("lab", "vars/glance_stores/1", "glance_stores[1]", "store"),
}


@pytest.fixture(scope="module")
def with_fancy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The roles as they stand, with one more type of back end for each service, a file each."""
    roles = tmp_path_factory.mktemp("fancy") / "roles"
    shutil.copytree(cases.ROOT / "roles", roles)
    for service in PLACES:
        (roles / service / "backends/fancy.yml").write_text(FANCY)
    return roles


def given(roles: Path, service: str, entry: dict[str, Any]) -> tuple[Model | None, list[Finding]]:
    base, path, _, _ = PLACES[service]
    content = cases.changed({"base": base, "set": {path: entry}})
    known, knows = declarations.load_roles(roles), domain_of(descriptions(roles))
    return cases.build(cases.raw(content, **content.get("raw", {})), known=known, knows=knows)


@pytest.mark.parametrize("service", PLACES)
def test_a_new_type_of_a_service_that_there_is_is_one_file(with_fancy: Path, service: str) -> None:
    model, findings = given(with_fancy, service, TAPES)
    assert model, findings
    secrets = defaultdict(lambda: "s3cret", cases.good(PLACES[service][0]).get("raw", {}).get("secrets", {}))
    found = Services(descriptions(with_fancy), model, secrets, expressions=EXPRESSIONS)
    files = {
        file["path"]: file.get("content", "")
        for host in model.hosts.values()
        for part in found.components(host)
        for file in part["files"]
        if "tapes" in str(file.get("content"))
    }
    sections = [section for text in files.values() if (section := parse_ini(text).get("tapes"))]
    assert sections
    assert all((section["robot"], section["slots"]) == ("r1", "9") for section in sections)


@pytest.mark.parametrize("service", PLACES)
@pytest.mark.parametrize(
    ("change", "code", "key", "said"),
    [
        ({"robot": None}, "schema.empty", "robot", "Name of the robot"),
        ({"robot": "r"}, "schema.length", "robot", "at least 2 characters"),
        ({"slots": 0}, "schema.range", "slots", "How many tapes it holds"),
        ({"slot": 9}, "schema.unknown-key", "slot", "Did you mean slots?"),
        ({"type": "fanzy"}, "schema.value", "type", "Did you mean fancy?"),
        ({"pool": "images"}, "{service}.{called}-mixed", "pool", "of the type fancy"),
        ({"robot": ...}, "{service}.{called}-incomplete", "robot", "of the type fancy needs it"),
    ],
)
def test_of_a_new_type_what_is_wrong_is_refused_at_its_place(
    with_fancy: Path, service: str, change: dict[str, Any], code: str, key: str, said: str
) -> None:
    _, _, place, called = PLACES[service]
    entry = {name: value for name, value in {**TAPES, **change}.items() if value is not ...}
    _, findings = given(with_fancy, service, entry)
    found = [each for each in findings if each.code == code.format(service=service, called=called)]
    assert [each.where.rpartition(" ")[2] for each in found] == [f"{place}.{key}"], findings
    assert said in f"{found[0].what} {found[0].fix}"


@pytest.mark.parametrize(("service", "key"), [("cinder", "robot"), ("glance", "slots")])
def test_the_keys_of_a_new_type_mean_nothing_for_another(with_fancy: Path, service: str, key: str) -> None:
    _, _, place, called = PLACES[service]
    other = {"cinder": {"type": "rbd", "pool": "volumes"}, "glance": {"type": "file", "path": "/srv/images"}}[service]
    _, findings = given(with_fancy, service, {"name": "tapes", **other, key: TAPES[key]})
    found = [(each.code, each.where.rpartition(" ")[2]) for each in findings if each.code.endswith("-mixed")]
    assert found == [(f"{service}.{called}-mixed", f"{place}.{key}")]


def test_a_labs_image_has_what_back_ends_need() -> None:
    assert {"lvm2", "nfs-common"} <= set(LookupModule().run([]))


def test_a_service_without_back_ends_has_none() -> None:
    assert Description("x", {"service": "x"}, {}).backend_types is None
