# SPDX-License-Identifier: Apache-2.0
"""A deployment taken off a host: what goes, and in which order."""

from __future__ import annotations

import collections
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import Deployment
from ansible_collections.holdfast.storage.plugins.module_utils.core.destroy import withdrawal
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import LEFT, MOUNTS, ORDER
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

Parts = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def model() -> Model:
    model, _ = cases.build(cases.raw(cases.good("local")))
    assert model
    return model


def parts(model: Model, host: str) -> Parts:
    deployment = Deployment.of(model, collections.defaultdict(lambda: "s3cret"))
    found = withdrawal.parts(ORDER, MOUNTS, LEFT, model, model.hosts[host], deployment.services, deployment.secrets)
    return list(found)


def stopped(found: Parts) -> list[list[str]]:
    return [[unit["name"] for unit in arguments["units"]] for module, arguments in found if module == "unit"]


def test_only_the_name_of_the_deployment_confirms(model: Model) -> None:
    withdrawal.confirm(model, "local")
    for name in ("lab", "", None):
        with pytest.raises(HoldfastError, match="nothing was changed"):
            withdrawal.confirm(model, name)


def test_services_go_before_what_they_stand_on_and_their_mounts_in_between(model: Model) -> None:
    services, mounts, *below = stopped(parts(model, "storage1"))
    assert "cinder-volume.service" in services
    # Two shares of its own and one of a filer.
    assert len(mounts) == 3
    assert all(name.startswith("var-lib-cinder-mnt-") and name.endswith(".mount") for name in mounts)
    assert "nfs-server.service" in below[-1]
    attaching = [name for units in stopped(parts(model, "compute1")) for name in units]
    assert attaching
    assert not [name for name in attaching if "cinder" in name]


def test_keys_of_hosts_go_too(model: Model) -> None:
    module, last = parts(model, "control1")[-1]
    gone = {entry["path"] for entry in last["files"] if entry["state"] == "absent"}
    assert module == "file"
    assert {f"/etc/holdfast/tls/{name}" for name in ("host.key", "host.pem", "api.key", "api.pem", "ca.pem")} <= gone


def test_every_unit_is_stopped_for_good(model: Model) -> None:
    units = [unit for module, part in parts(model, "control1") if module == "unit" for unit in part["units"]]
    assert {unit["name"] for unit in units} >= {"mariadb.service", "rabbitmq-server.service", "haproxy.service"}
    assert {(unit["state"], unit["enabled"]) for unit in units} == {("stopped", False)}


def test_files_go_last_and_directories_and_the_table_of_hosts_stay(model: Model) -> None:
    module, arguments = parts(model, "control1")[-1]
    assert module == "file"
    paths = {entry["path"] for entry in arguments["files"]}
    assert {"/etc/keystone/keystone.conf", "/etc/haproxy/haproxy.cfg"} <= paths
    assert not paths & {"/etc/keystone", "/var/lib/holdfast"}
    kept = {entry["path"]: entry["content"] for entry in arguments["files"] if entry["state"] != "absent"}
    assert kept == {"/etc/hosts": ""}, "the site's own entries stay"
