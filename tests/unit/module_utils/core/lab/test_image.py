# SPDX-License-Identifier: Apache-2.0
"""The image: what it is built from decides its name, and a plan builds only what is missing."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import image

RECIPE = {
    "recipe": 1,
    "suite": "trixie",
    "architecture": "amd64",
    "mirrors": {"debian": "http://mirror.example/debian", "debian-security": "http://mirror.example/debian-security"},
    "apt": ['Acquire::http::Proxy "http://proxy.example:3128";'],
    "certificates": {"site.crt": "00"},
    "packages": ["systemd", "openssh-server"],
}
WANTED = {
    "cache_dir": "/c", "suite": "trixie", "packages": ["b", "a"], "layer": "packages", "kernel": False,
    "log": "/l/image.log",
}  # fmt: skip


def current(**changes: Any) -> dict[str, Any]:
    paths = image.layers("/c", RECIPE, WANTED["packages"])
    return {"root": True, "recipe": RECIPE, "layers": paths, "cached": [], "used": [], "free": 2**40, **changes}


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["deb [arch=amd64] https://mirror.example/debian/ bookworm main"], "https://mirror.example/debian"),
        (["Types: deb\nURIs: http://near.example/pub/debian\nSuites: trixie"], "http://near.example/pub/debian"),
    ],
)
def test_the_machines_own_mirror_is_used(sources: list[str], expected: str) -> None:
    assert image.mirrors(sources)["debian"] == expected


@pytest.mark.parametrize(
    "sources", [[], ["deb http://u.example/ubuntu noble main"], ["# deb http://old.example/debian trixie main"]]
)
def test_a_machine_without_a_source_of_debian_is_told(sources: list[str]) -> None:
    with pytest.raises(HoldfastError, match="Enabled: no"):
        image.mirrors(sources)


def test_the_security_archive_is_beside_the_other_when_no_source_names_it() -> None:
    assert (
        image.mirrors(["deb http://m.example/debian x main"])["debian-security"] == "http://m.example/debian-security"
    )


def test_the_security_archive_is_found_apart() -> None:
    found = image.mirrors(["deb http://m.example/debian trixie main\ndeb http://s.example/debian-security x main"])
    assert found == {"debian": "http://m.example/debian", "debian-security": "http://s.example/debian-security"}


def test_only_apt_options_that_concern_the_way_to_archives_are_taken() -> None:
    dump = 'APT::Architecture "amd64";\nAcquire::http::Proxy "http://p:1";\nAcquire::https::Proxy "";\nDir "/";'
    assert image.apt_options(dump) == ['Acquire::http::Proxy "http://p:1";']


def test_updates_and_security_are_always_among_the_sources() -> None:
    text = image.sources_list(RECIPE["mirrors"], "trixie")
    assert [line.split()[3] for line in text.splitlines()] == ["trixie", "trixie-updates", "trixie-security"]
    assert all(f"signed-by={image.KEYRING}" in line for line in text.splitlines())


def test_a_name_follows_from_what_the_layer_is_built_from() -> None:
    paths = image.layers("/c", RECIPE, ["a", "b"])
    assert image.layers("/c", RECIPE, ["b", "a"]) == paths
    more = image.layers("/c", RECIPE, ["a", "b", "c"])
    assert more["base"] == paths["base"]
    assert more["packages"] != paths["packages"]
    assert more["archives"] != paths["archives"]


@given(st.sampled_from(sorted(RECIPE)), st.text(min_size=1))
def test_any_change_of_the_recipe_makes_another_image(key: str, value: str) -> None:
    before, after = image.layers("/c", RECIPE, ["a"]), image.layers("/c", {**RECIPE, key: value}, ["a"])
    assert (before == after) == (RECIPE[key] == value)
    assert before == after or not set(before.values()) & set(after.values())


def test_layers_are_built_from_below() -> None:
    plan = image.plan(current(), WANTED)
    assert [change.data["name"] for change in plan] == ["base", "archives", "packages"]
    assert not plan.findings


def test_a_bare_lab_needs_no_installation() -> None:
    plan = image.plan(current(), {**WANTED, "layer": "base"})
    assert [change.data["name"] for change in plan] == ["base", "archives"]


def test_virtual_machines_need_a_kernel() -> None:
    plan = image.plan(current(), {**WANTED, "layer": "base", "kernel": True})
    assert [change.data["name"] for change in plan] == ["base", "archives", "kernel"]
    state = current()
    assert image.result(state, WANTED)["layers"]["kernel"] == [state["layers"]["kernel"]]


def test_a_complete_cache_is_left_alone() -> None:
    state = current()
    assert not image.plan({**state, "cached": list(state["layers"].values()), "free": 0, "root": False}, WANTED)


def test_old_layers_go_unless_a_host_stands_on_them() -> None:
    state = current()
    cached = [*state["layers"].values(), "/c/layers/base-old", "/c/layers/packages-used"]
    plan = image.plan({**state, "cached": cached, "used": ["/c/layers/packages-used"]}, WANTED)
    assert plan.summary() == ["delete /c/layers/base-old"]


@pytest.mark.parametrize(("state", "code"), [({"root": False}, "lab.not_root"), ({"free": 10**9}, "lab.no_space")])
def test_what_can_not_be_built_is_refused(state: dict[str, Any], code: str) -> None:
    assert [finding.code for finding in image.plan(current(**state), WANTED).errors] == [code]


def test_hosts_stack_the_layers_topmost_first() -> None:
    paths = {"base": "/b", "archives": "/a", "packages": "/p"}
    assert image.stack(paths, "base") == ["/a", "/b"]
    assert image.stack(paths, "packages") == ["/p", "/a", "/b"]


@pytest.mark.parametrize("layer", ["base", "archives", "packages", "kernel"])
def test_scripts_are_shell(layer: str) -> None:
    context = {"recipe": RECIPE, "layers": current()["layers"], "packages": ["it's", "b"]}
    text = image.script(layer, context, "/c/build/x")
    assert subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False).stderr == ""
    assert "set -eu" in text.splitlines()[0]
