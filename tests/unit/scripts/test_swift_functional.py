# SPDX-License-Identifier: Apache-2.0
"""What Swift's functional tests are told, and what is left of it afterwards. The cloud is one of a few lines."""

from __future__ import annotations

import itertools
import json
import runpy
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Answer
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

SCRIPT = runpy.run_path(str(cases.ROOT / "scripts/swift_functional"))
NAME = SCRIPT["NAME"]


class Cloud:
    """An identity service in memory. ``dies`` after so many things were made."""

    def __init__(self):
        self.entry = {"cacert": "/lab/ca.pem"}
        self.ids, self.dies, self.version = (f"id{number}" for number in itertools.count()), 10**9, "2.35.1"
        self.things = {"users": {}, "projects": {}, "domains": {}, "roles": {}}
        for name in ("member", "reader", "ResellerAdmin"):
            self.things["roles"][name] = {"id": name, "name": name}
        self.things["users"]["alice"] = {"id": "alice", "name": "alice"}
        self.given, self.keys = set(), {}

    def endpoint(self, service):
        return {"identity": "https://api:5000/v3", "object-store": "https://api:8080/v1/AUTH_p"}[service]

    def request(self, method, url, body=None, headers=None, *, token=True):
        parts = urlsplit(url)
        if parts.path == "/info":
            return Answer(200, {}, json.dumps({"swift": {"version": self.version}}).encode())
        path, query = parts.path.removeprefix("/v3/").split("/"), parse_qs(parts.query)
        sent = json.loads(body) if body else None
        if method == "POST":
            self.dies -= 1
            if self.dies < 0:
                raise KeyboardInterrupt
        if path[-1] == "OS-EC2":
            self.keys[path[1]] = sent["tenant_id"]
            said = {"credential": {"access": f"access-{path[1]}", "secret": f"secret-{path[1]}"}}
            return Answer(201, {}, json.dumps(said).encode())
        if method == "PUT":
            self.given.add((path[1], path[3], path[5]))
            return Answer(204, {}, b"")
        found = self.things[path[0]]
        if method == "POST":
            one = {"id": next(self.ids), "enabled": True, **sent[path[0][:-1]]}
            found[one["id"]] = one
            return Answer(201, {}, json.dumps({path[0][:-1]: one}).encode())
        if method == "PATCH":
            found[path[1]] |= sent["domain"]
            return Answer(200, {}, b"{}")
        if method == "DELETE":
            assert path[0] != "domains" or not found[path[1]]["enabled"], "keystone deletes no domain that is enabled"
            del found[path[1]]
            return Answer(204, {}, b"")
        ((key, (value,)),) = query.items()
        same = {"name": str.__eq__, "name__istartswith": str.startswith}[key]
        return Answer(200, {}, json.dumps({path[0]: [o for o in found.values() if same(o["name"], value)]}).encode())

    @property
    def left(self):
        return {name: [one["name"] for one in found.values()] for name, found in self.things.items()}


BEFORE = {"users": ["alice"], "projects": [], "domains": [], "roles": ["member", "reader", "ResellerAdmin"]}


def named(cloud, collection, number):
    return cloud.things[collection][number]["name"].removeprefix(f"{NAME}-")


def test_users_have_the_roles_that_the_tests_want_and_go_again():
    cloud = Cloud()
    with SCRIPT["users"](cloud, "member"):
        roles = {}
        for project, user, role in cloud.given:
            roles[named(cloud, "users", user)] = (
                named(cloud, "projects", project),
                cloud.things["roles"][role]["name"],
            )
        domains = {named(cloud, "users", number): one.get("domain_id") for number, one in cloud.things["users"].items()}
        assert domains.pop("fourth") in cloud.things["domains"]
        assert {domain for name, domain in domains.items() if name != "alice"} == {"default"}
    assert roles == {
        "first": ("one", "member"),
        "owner": ("one", "member"),
        "second": ("two", "member"),
        # It reads nothing: neither a member nor a reader.
        "third": ("one", NAME),
        "fourth": ("four", "member"),
        "sixth": ("six", "ResellerAdmin"),
    }
    assert cloud.left == BEFORE


def test_the_tests_are_told_all_of_it():
    cloud = Cloud()
    with SCRIPT["users"](cloud, "member") as made:
        told = SCRIPT["configuration"](cloud, made, "north")
    functional, s3 = told["func_test"], told["s3api_test"]
    assert functional["auth_uri"] == "https://api:5000/v3/"
    assert (functional["username"], functional["account"], functional["domain"]) == (
        f"{NAME}-first",
        f"{NAME}-one",
        "Default",
    )
    assert functional["account3"] == functional["account"]
    assert functional["domain4"] == NAME
    assert functional["password"] == made[""].password
    assert functional["s3_storage_url"] == s3["endpoint"] == "https://api:8080"
    assert functional["s3_region"] == s3["region"] == "north"
    # The first two own one account, and the third owns nothing of it.
    assert [s3[f"access_key{number}"] for number in (1, 2, 3)] == [made[key].access for key in ("", "owner", "3")]
    assert functional["s3_access_key2"] == s3["access_key2"]
    assert s3["ca_cert"] == "/lab/ca.pem"


@pytest.mark.parametrize("after", range(0, 22, 3))
def test_what_a_run_that_was_killed_made_is_removed(after):
    cloud = Cloud()
    cloud.dies = after
    with pytest.raises(KeyboardInterrupt), SCRIPT["users"](cloud, "member"):
        raise KeyboardInterrupt
    assert cloud.left == BEFORE


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ("swift (2.35.1)\n\n    * A fix\n\nswift (2.34.0)\n", ""),
        ("swift (2.35.0)\n", ""),
        ("swift (2.34.1)\n", r"has Swift 2\.34, and 2\.35\.1 is deployed\. Fix: check 2\.35\.1 out"),
        ("swift (2.3.0)\n", r"has Swift 2\.3, and 2\.35\.1 is deployed"),
        ("another (2.35.1)\n", "no checkout of Swift's sources"),
        (None, "no checkout of Swift's sources"),
    ],
)
def test_the_sources_are_of_the_release_that_is_deployed(tmp_path, changes, problem):
    (tmp_path / "test/functional").mkdir(parents=True)
    if changes is not None:
        (tmp_path / "CHANGELOG").write_text(changes)
    if problem:
        with pytest.raises(HoldfastError, match=problem):
            SCRIPT["release"](Cloud(), tmp_path)
    else:
        assert SCRIPT["release"](Cloud(), tmp_path) == "2.35.1"


def test_an_exclusion_has_a_reason_and_a_test(monkeypatch):
    assert all(reason.endswith(".") and patterns for reason, patterns in SCRIPT["EXCLUDED"].items())
    excluded = SCRIPT["excluded"]
    monkeypatch.setitem(excluded.__globals__, "EXCLUDED", {"A reason.": (r"::test_names$",)})
    tests = ["test/functional/a.py::T::test_names", "test/functional/a.py::T::test_names_too"]
    assert excluded(tests) == tests[:1]
    with pytest.raises(HoldfastError, match=r"No test is ::test_names\$: take it out of EXCLUDED \(A reason\.\)"):
        excluded(tests[1:])
