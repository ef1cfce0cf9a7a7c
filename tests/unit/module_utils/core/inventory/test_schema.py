# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
from ipaddress import IPv4Address, IPv4Network

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import declarations, schema
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

VARIABLES = cases.roles().variables


@pytest.mark.parametrize("name", VARIABLES)
def test_a_declaration_is_a_schema_and_its_default_fits(name):
    variable = VARIABLES[name]
    jsonschema.Draft202012Validator.check_schema(variable.schema)
    if variable.has_default:
        assert cases.roles().check(name, variable.default) == []


@pytest.mark.parametrize("name", VARIABLES)
def test_everything_is_described_and_no_mapping_takes_unknown_keys(name):
    def walk(node, where):
        assert node.get("description"), f"{where} has no description"
        if node.get("type") == "object":
            extra = node.get("additionalProperties")
            assert extra is False or isinstance(extra, dict), f"{where} takes unknown keys"
            for key, inner in node.get("properties", {}).items():
                walk(inner, f"{where}.{key}")

    walk(VARIABLES[name].schema, name)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(sorted(VARIABLES)),
)
def test_no_value_breaks_the_check(value, name):
    for problem in cases.roles().check(name, value):
        assert problem.path[0] == name
        assert problem.what.endswith(".")
        assert problem.fix.endswith(".")


@given(st.data())
def test_no_damage_to_an_inventory_breaks_the_rules(data):
    """Any part of a good inventory replaced by anything: findings, never an exception."""
    content = cases.good(data.draw(st.sampled_from(["lab", "metal", "shared-wire"])))
    junk = st.sampled_from(
        [
            None,
            "",
            "x",
            0,
            -1,
            1.5,
            True,
            [],
            {},
            [None],
            {"x": 1},
            "10.0.0.1",
            "10.0.0.0/8",
            ["gold"],
            99999,
            [{}],
            [[]],
        ]
    )
    for _ in range(data.draw(st.integers(1, 4))):
        parent, key, node = None, None, data.draw(st.sampled_from([content["vars"], *content["hosts"].values()]))
        while isinstance(node, (dict, list)) and node:
            parent, keys = node, list(node) if isinstance(node, dict) else list(range(len(node)))
            key = data.draw(st.sampled_from(keys))
            node = parent[key]
            if data.draw(st.booleans()):
                break
        if parent is not None and key != "ansible_host":
            parent[key] = copy.deepcopy(data.draw(junk))  # or damage to one would be damage to all
    cases.errors(content)


@pytest.mark.parametrize("name", ["swift_replicas", "swift_move_limit_percent"])
def test_a_number_that_is_larger_than_any_fraction(name):
    (problem,) = cases.roles().check(name, 10**400)
    assert problem.code == "schema.range"
    assert "(401 characters)" in problem.what


def test_secrets_are_not_shown():
    assert schema.shown("hunter2", ("users", 0, "password")) == "(a secret, not shown)"
    assert schema.shown(3600, ("token_seconds",)) == "3600"


def test_a_value_is_shown_short():
    assert schema.shown("x" * 500) == f"'{'x' * 59}... (502 characters)"
    assert schema.shown([1, 2]) == "a list of 2"
    assert schema.shown(None) == "null"


@pytest.mark.parametrize("text", ["10.0.0.1", "0.0.0.0", "255.255.255.255"])
def test_addresses(text):
    assert schema.ipv4(text) == IPv4Address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "10.0.0",
        "10.0.0.1.2",
        "10.0.0.01",
        "10.0.0.256",
        "10.0.0.1/24",
        "::1",
        "ten",
        "\uff110.0.0.1",
        "10.0.0.1\n",
    ],
)
def test_what_is_no_address(text):
    with pytest.raises(ValueError, match=r".+"):
        schema.ipv4(text)


def test_a_network_with_host_bits_names_the_network():
    assert schema.ipv4_network("10.0.0.0/22") == IPv4Network("10.0.0.0/22")
    with pytest.raises(ValueError, match=r"which is 10\.0\.0\.0/22"):
        schema.ipv4_network("10.0.1.7/22")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("network_bridges", "networks_bridges"),
        ("SWIFT_DISKS", "swift_disks"),
        ("swift-disks", "swift_disks"),
        ("glances_stores", "glance_stores"),
        ("site_swift_disks", None),
        ("my_networks_bridges", None),
        ("ansible_host", None),
        ("rack", None),
    ],
)
def test_variables_with_a_misspelt_prefix(name, meant):
    assert cases.roles().mistyped(name) == meant


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ({"a": ({"b_x": {"description": "X."}}, {})}, "must start with a_"),
        ({"a": ({"a_x": {"type": "string"}}, {})}, "has a description"),
        ({"a": ({}, {"a_y": 1})}, "a_y not declared"),
    ],
)
def test_bad_declarations(documents, message):
    with pytest.raises(HoldfastError, match=message):
        declarations.declare(documents)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("10.0.0.1:443", "with a port"),
        ("[fd00::1]:443", "with a port"),
        ("host.example:22", "with a port"),
        ("http://10.0.0.1", "a URL"),
        ("10.0.0.1/24", "with a prefix length"),
        ("fd00::1", "IPv6"),
        ("::ffff:10.0.0.1", "IPv6"),
        ("aa:bb:cc:dd:ee:ff", "not an IPv4 address of four numbers"),
        ("10.0.0.256", "not an IPv4 address of four numbers"),
    ],
)
def test_what_is_no_address_is_told_by_what_it_is(value: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}"):
        schema.ipv4(value)


@pytest.mark.parametrize(
    ("wanted", "value", "fix"),
    [
        ("integer", "1500", "Write it without quotes."),
        ("integer", "09000", "Write 9000, without quotes: as it stands, this is text."),
        ("integer", "-08", "Write -8, without quotes: as it stands, this is text."),
        ("integer", "1e3", "Write 1000, without quotes: as it stands, this is text."),
        ("integer", "1.5", "Give a whole number."),
        ("integer", "0x1F", "Give a whole number."),
        ("integer", "many", "Give a whole number."),
        ("number", "1.5", "Write it without quotes."),
        ("number", "1e3", "Write 1000, without quotes: as it stands, this is text."),
        ("boolean", "true", "Write true without quotes, in a file of hosts in INI True."),
        ("boolean", "yes", "Write true without quotes, in a file of hosts in INI True."),
        ("boolean", "Off", "Write false without quotes, in a file of hosts in INI False."),
        ("boolean", "maybe", "Give true or false."),
        ("string", True, "Put it in quotes: YAML reads yes, no, on, off and numbers as what they are without them."),
        ("string", 1.1, "Put it in quotes: YAML reads yes, no, on, off and numbers as what they are without them."),
        ("integer", "9" * 400, "Write it without quotes."),
    ],
)
def test_a_fix_of_a_type_does_what_it_says(wanted: str, value: object, fix: str) -> None:
    declared = {"lab": ({"lab_x": {"description": "", "type": wanted}}, {})}
    declared["lab"][0]["lab_x"]["description"] = "X"
    (problem,) = declarations.declare(declared).check("lab_x", value)
    assert problem.code == "schema.type"
    assert problem.fix.removesuffix(": X.").removesuffix(".") == fix.removesuffix(".")
