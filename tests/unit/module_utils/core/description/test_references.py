# SPDX-License-Identifier: Apache-2.0
"""What a description refers to by name is there, or it is refused with the file, the key and the nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.holdfast.storage.plugins.module_utils.core.description.load import load
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import ORDER

COMPONENT = {"group": "store_worker", "uses": ["database"], "files": [{"path": "/x", "content": ""}]}
STORE = {"service": "store", "title": "Store", "components": [COMPONENT]}
API = {"wsgi": "/x", "title": "x"}
CEPH = {"user": "x", "groups": {"store_worker": "x"}}
USER = {"name": "u", "domain": "stoer"}
SERVICE = {"type": "x", "name": "x", "description": "x", "endpoint": {"flow": "glance_ap"}}
MIGRATION = {"name": "x", "group": "store_workr", "argv": ["x"], "packages": []}
PROTECTED = {"options": ["a.b"], "because": "x", "variable": "store_backend"}


def component(**more: Any) -> dict[str, Any]:
    return {"components": [{**COMPONENT, **more}]}


def loaded(roles: Path, content: Any, kind: Any = None, role: str = "store", protected: Any = None) -> None:
    for name, what in {
        "service.yml": {**STORE, **content},
        "meta/variables.yml": {"store_backends": {}, "store_external": {}},
        **({"backends/x.yml": kind} if kind else {}),
        **({"protected.yml": protected} if protected else {}),
        "templates/store.conf.j2": "",
    }.items():
        (roles / role / name).parent.mkdir(parents=True, exist_ok=True)
        (roles / role / name).write_text(yaml.safe_dump(what))
    load(roles, ORDER.applied)


BAD: list[tuple[dict[str, Any], str, str]] = [
    (component(group={"asks": "nope"}), "components[0].group.asks: is 'nope', no flow.", "Name one of core/flows"),
    (component(group={"asks": "mariadbb"}), "components[0].group.asks: is 'mariadbb'", "Did you mean mariadb?"),
    (component(group={}), "components[0].group: names no hosts", "Give asks"),
    (component(group={"asks": "mariadb", "serves": "tls"}), "components[0].group: names no hosts", "Give asks"),
    (component(group="glance_apii"), "components[0].group: is 'glance_apii'", "Did you mean glance_api?"),
    (component(group=["store_worker", "mariabd"]), "components[0].group: is 'mariabd'", "Did you mean mariadb?"),
    (component(uses=["databse"]), "components[0].uses[0]: is 'databse'", "Did you mean database?"),
    (component(api={**API, "flow": "glanse_api"}), "components[0].api.flow: is 'glanse_api'", "mean glance_api?"),
    (component(files=[{"path": "/x"}]), "components[0].files[0]: has neither content nor template", "Give one"),
    (
        component(files=[{"path": "/x", "template": "stor.conf.j2"}]),
        "components[0].files[0].template: is 'stor.conf.j2'",
        "Did you mean store.conf.j2?",
    ),
    ({"deployed_by": ["store_workr"]}, "deployed_by: is 'store_workr'", "Did you mean store_worker?"),
    ({"secrets_for": ["store_workr"]}, "secrets_for: is 'store_workr'", "Did you mean store_worker?"),
    (
        {"derived_groups": {"ovn_chasis": {"of": ["store_worker"]}}},
        "derived_groups.ovn_chasis: is 'ovn_chasis', no group of the flow table",
        "Did you mean ovn_chassis?",
    ),
    (
        {"derived_groups": {"ovn_chassis": {"of": ["store_worker"], "where": "ovn_centrl"}}},
        "derived_groups.ovn_chassis.where: is 'ovn_centrl'",
        "Did you mean ovn_central?",
    ),
    ({"lone": ["rabitmq"]}, "lone: is 'rabitmq'", "Did you mean rabbitmq?"),
    ({"needs": {"store_workr": ["mariadb"]}}, "needs: is 'store_workr'", "Did you mean store_worker?"),
    ({"needs": {"store_worker": ["mariabd"]}}, "needs.store_worker: is 'mariabd'", "Did you mean mariadb?"),
    ({"members": {"store_workr": "one"}}, "members: is 'store_workr'", "Did you mean store_worker?"),
    ({"migrations": [MIGRATION]}, "migrations[0].group: is 'store_workr'", "Did you mean store_worker?"),
    ({"balancer": [{"flow": "glance_ap", "check": "/"}]}, "balancer[0].flow: is 'glance_ap'", "mean glance_api?"),
    ({"balancer": [{"flow": "mariadb", "check": "/"}]}, "balancer[0].flow: is 'mariadb', a flow that is not", "Give"),
    (
        {"identity": {"users": [USER], "domains": [{"name": "store"}]}},
        "identity.users[0].domain: is 'stoer'",
        "Did you mean store?",
    ),
    ({"identity": {"users": [USER]}}, "identity.users[0].domain: is 'stoer'", "Enter it under identity.domains"),
    ({"identity": {"services": [SERVICE]}}, "identity.services[0].endpoint.flow: is 'glance_ap'", "mean glance_api?"),
    ({"uses": {"ceph": [{**CEPH, "groups": {"store_workr": "x"}}]}}, "uses.ceph[0].groups: is 'store_workr'", "Did"),
    ({"uses": {"ceph": [{**CEPH, "reads_of": ["glance_ap"]}]}}, "uses.ceph[0].reads_of: is 'glance_ap'", "Did"),
    ({"uses": {"ceph": [{**CEPH, "of": "store_workr"}]}}, "uses.ceph[0].of: is 'store_workr'", "Did"),
    ({"uses": {"ceph": [{**CEPH, "may_write": {"p": "store_workr"}}]}}, "uses.ceph[0].may_write: is", "Did"),
    (
        {"uses": {"share": [{"purpose": "x", "owner": 1, "groups": ["store_workr"]}]}},
        "uses.share[0].groups: is 'store_workr'",
        "Did you mean store_worker?",
    ),
    ({"backends": {"variable": "store_backends", "group": "store_workr"}}, "backends.group: is 'store_workr'", "Did"),
    ({"backends": {"variable": "store_backend", "group": "store_worker"}}, "backends.variable: is", "Did"),
    ({"external": "store_extrnal"}, "external: is 'store_extrnal'", "Did you mean store_external?"),
]


@pytest.mark.parametrize(("content", "said", "fix"), BAD, ids=[said for _, said, _ in BAD])
def test_what_refers_to_nothing_is_refused_with_the_nearest_name(
    tmp_path: Path, content: dict[str, Any], said: str, fix: str
) -> None:
    with pytest.raises(HoldfastError) as raised:
        loaded(tmp_path, content)
    (problem,) = str(raised.value).splitlines()
    assert problem.startswith(f"roles/store/service.yml: {said}")
    assert fix in problem.partition(" Fix: ")[2]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (PROTECTED, "[0].variable: is 'store_backend', no variable of a role. Fix: Did you mean store_backends?"),
        ({**PROTECTED, "varable": "x"}, "[0].varable: is no key that is known here. Fix: Did you mean variable?"),
        ({"options": ["a.b"]}, "[0].because: is missing"),
    ],
)
def test_so_is_what_overrides_leave_alone(tmp_path: Path, entry: dict[str, Any], said: str) -> None:
    with pytest.raises(HoldfastError) as raised:
        loaded(tmp_path, {}, protected=[entry])
    (problem,) = str(raised.value).splitlines()
    assert problem.startswith(f"roles/store/protected.yml: {said}")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ({"title": "x", "serves": {"iscsi": "cinder_iscsii"}}, "serves.iscsi: is 'cinder_iscsii'"),
        ({"title": "x", "uses": {"ceph": [{"user": "x", "groups": {"store_workr": "x"}}]}}, "uses.ceph[0].groups: is"),
    ],
)
def test_so_are_types_of_back_ends(tmp_path: Path, kind: dict[str, Any], said: str) -> None:
    where = {"backends": {"variable": "store_backends", "group": "store_worker"}}
    with pytest.raises(HoldfastError) as raised:
        loaded(tmp_path, where, kind)
    assert str(raised.value).startswith(f"roles/store/backends/x.yml: {said}")
    assert "Did you mean" in str(raised.value)


def test_two_roles_are_not_one_service(tmp_path: Path) -> None:
    loaded(tmp_path, {})
    with pytest.raises(HoldfastError, match=r"store2/service\.yml: service: is 'store', as in roles/store/serv"):
        loaded(tmp_path, {}, role="store2")


def test_what_is_there_is_taken(tmp_path: Path) -> None:
    loaded(
        tmp_path,
        {
            "components": [
                {
                    **COMPONENT,
                    "files": [{"path": "/x", "template": "store.conf.j2"}, {"path": "/y", "state": "absent"}],
                },
                {"group": {"asks": "mariadb"}},
                {"group": {"serves": "tls"}},
                {"group": "all"},
            ],
            "backends": {"variable": "store_backends", "group": "store_worker"},
            "external": "store_external",
            "identity": {"users": [{"name": "u", "domain": "store"}], "domains": [{"name": "store"}]},
            "needs": {"store_worker": ["rabbitmq"]},
            "uses": {"ceph": [{**CEPH, "reads_of": ["glance_api"]}]},
        },
        {"title": "x", "serves": {"iscsi": "cinder_iscsi"}},
    )
