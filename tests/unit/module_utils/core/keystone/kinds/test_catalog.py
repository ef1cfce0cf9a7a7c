# SPDX-License-Identifier: Apache-2.0
"""The catalog against a stand-in of the identity API that keeps what it is told, behind the kind's one request."""

import itertools
import json
from urllib.parse import parse_qsl

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone.kinds import catalog as kind
from ansible_collections.holdfast.storage.plugins.module_utils.host.openstack import Api

ACCESS = {
    "auth_url": "https://172.29.236.10:5000/v3",
    "username": "admin",
    "password": "battery staple",
    "user_domain_name": "Default",
    "project_name": "admin",
    "project_domain_name": "Default",
}
WANTED = {
    "regions": [{"name": "RegionOne"}],
    "roles": [{"name": "service"}],
    "domains": [{"name": "staff", "description": "People"}],
    "projects": [{"name": "service"}, {"name": "lab", "domain": "staff"}],
    "users": [{"name": "glance", "password": "correct horse"}],
    "services": [{"type": "image", "name": "glance", "description": "Images"}],
    "endpoints": [
        {"type": "image", "service": "glance", "region": "RegionOne", "interface": "public", "url": "https://a:9292"}
    ],
    "assignments": [
        {"user": "glance", "role": "service", "project": "service"},
        {"user": "glance", "role": "service", "project": "lab", "project_domain": "staff"},
        {"user": "glance", "role": "service", "domain": "staff"},
        {"user": "glance", "role": "service"},
    ],
}


class Keystone:
    """Objects by collection and id. Records what changes them."""

    def __init__(self):
        self.ids = (f"id{number}" for number in itertools.count())
        self.objects = {name: {} for name in kind.COLLECTIONS}
        self.objects["domains"]["default"] = {"id": "default", "name": "Default", "enabled": True}
        self.given, self.changes, self.password, self.ready = set(), [], ACCESS["password"], True

    def request(self, method, path, body=None, headers=None):
        if not self.ready:
            return 0, {}, None
        path, _, query = path.partition("?")
        parts = path.strip("/").split("/")
        if parts == ["auth", "tokens"]:
            accepted = body["auth"]["identity"]["password"]["user"]["password"] == self.password
            return (201, {"x-subject-token": "t"}, {}) if accepted else (401, {}, {})
        if method == "GET":
            listed = list(self.assignments(dict(parse_qsl(query)))) if parts[0] == "role_assignments" else None
            wanted = dict(parse_qsl(query))
            found = [
                item
                for item in self.objects.get(parts[0], {}).values()
                if all(item.get(name) == value for name, value in wanted.items())
            ]
            return 200, {}, {parts[0]: found if listed is None else listed}
        self.changes.append(f"{method} /{'/'.join(parts)}")
        if "roles" in parts[1:]:
            (self.given.add if method == "PUT" else self.given.discard)("/".join(parts))
            return 204, {}, None
        collection = self.objects[parts[0]]
        if method == "DELETE":
            del collection[parts[1]]
            return 204, {}, None
        attributes = body[parts[0][:-1]]
        item = collection[parts[1]] if method == "PATCH" else {"id": attributes.get("id") or next(self.ids)}
        item.update(attributes)
        collection[item["id"]] = item
        return 201, {}, {parts[0][:-1]: dict(item)}

    def assignments(self, query):
        for path in self.given:
            *place, _, user, _, role = path.split("/")
            scope = {"scope.system": "all"} if place == ["system"] else {f"scope.{place[0][:-1]}.id": place[1]}
            if scope.items() <= query.items():
                # Names are told to who asks for them, and looked up one by one.
                assert "include_names" not in query
                yield {"role": {"id": role}, "user": {"id": user}, "scope": scope}


class Files(dict):
    openstack = staticmethod(Api)

    def read_text(self, path):
        return self.get(path)

    def write(self, path, content, *, mode):
        assert mode == "0600"
        self[path] = content


@pytest.fixture
def keystone(monkeypatch):
    server = Keystone()
    monkeypatch.setattr(Api, "request", lambda _, *arguments: server.request(*arguments))
    monkeypatch.setattr(kind.time, "sleep", lambda _: None)
    return server


@pytest.fixture
def io():
    return Files({kind.CREDENTIALS: json.dumps(ACCESS)})


def converge(io, wanted):
    plan = kind.plan(kind.read(io, kind.question(wanted)), wanted)
    if plan:
        kind.apply(io, plan)
    return plan


def test_users_and_projects_of_others_cost_nothing(keystone, io, monkeypatch):
    converge(io, WANTED)
    kept, asked = keystone.request, []

    def request(_, method, path, body=None, headers=None):
        asked.append((method, path))
        status, headers, answer = kept(method, path, body)
        asked.append(len(json.dumps(answer)) if path != "/auth/tokens" else 0)
        return status, headers, answer

    monkeypatch.setattr(Api, "request", request)
    empty = (kind.read(io, kind.question(WANTED)), list(asked))
    for number in range(300):
        for collection in ("projects", "users"):
            one = {"id": f"u{number}", "name": f"u{number}", "domain_id": "default", "enabled": True}
            keystone.objects[collection][one["id"]] = one
        keystone.given.add(f"projects/u{number}/users/u{number}/roles/{next(iter(keystone.objects['roles']))}")
    asked.clear()
    assert (kind.read(io, kind.question(WANTED)), asked) == empty


def test_everything_is_made_in_one_batch_and_then_stands(keystone, io):
    assert converge(io, WANTED).summary() == [
        "create region RegionOne",
        "create domain staff",
        "create role service",
        "create project Default/service",
        "create project staff/lab",
        "create user Default/glance",
        "create service image/glance",
        "create endpoint image/glance/RegionOne/public",
        "create role service of Default/glance on project Default/service",
        "create role service of Default/glance on project staff/lab",
        "create role service of Default/glance on domain staff",
        "create role service of Default/glance on system",
    ]
    keystone.changes.clear()
    assert not converge(io, WANTED)
    assert keystone.changes == []


def test_what_differs_is_changed_alone(keystone, io):
    converge(io, WANTED)
    keystone.changes.clear()
    next(iter(keystone.objects["endpoints"].values()))["url"] = "http://old:9292"
    plan = converge(io, WANTED)
    assert plan.summary() == ["update endpoint image/glance/RegionOne/public"]
    assert plan.diff()[0]["before"] == "url: http://old:9292\n"
    assert [change.split("/")[0] for change in keystone.changes] == ["PATCH "]


def test_a_description_that_is_not_given_is_left_alone(keystone, io):
    converge(io, WANTED)
    next(iter(keystone.objects["users"].values()))["description"] = "set by hand"
    assert not converge(io, WANTED)


def test_what_is_not_named_is_left_alone_and_absent_removes(keystone, io):
    converge(io, WANTED)
    assert not converge(io, {"regions": WANTED["regions"]})
    absent = {
        name: [{**entry, "state": "absent"} for entry in WANTED[name]] for name in ("users", "services", "endpoints")
    }
    assert converge(io, absent).summary() == [
        "delete endpoint image/glance/RegionOne/public",
        "delete service image/glance",
        "delete user Default/glance",
    ]
    assert not converge(io, absent)


def test_a_role_is_taken_back_when_it_is_named_absent(keystone, io):
    converge(io, WANTED)
    taken = {"assignments": [{**WANTED["assignments"][0], "state": "absent"}]}
    assert converge(io, taken).summary() == ["delete role service of Default/glance on project Default/service"]
    assert len(keystone.given) == 3


def test_a_new_password_is_set_once_and_never_shown(keystone, io):
    converge(io, WANTED)
    changed = {**WANTED, "users": [{"name": "glance", "password": "another horse"}]}
    plan = converge(io, changed)
    assert plan.summary() == ["update user Default/glance"]
    assert next(iter(keystone.objects["users"].values()))["password"] == "another horse"
    assert "horse" not in io[kind.RECORDS] + repr(plan.diff()) + repr(plan.changes)
    assert not converge(io, changed)


def test_an_account_that_is_not_locked_is_told_so_once(keystone, io):
    wanted = {**WANTED, "users": [{"name": "glance", "password": "correct horse", "lockable": False}]}
    converge(io, WANTED)
    user = next(iter(keystone.objects["users"].values()))
    assert converge(io, wanted).summary() == ["update user Default/glance"]
    assert user["options"] == {"ignore_lockout_failure_attempts": True}
    # What somebody else set besides stays as it is.
    user["options"]["ignore_password_expiry"] = True
    assert not converge(io, wanted)
    # Who says nothing leaves it.
    assert not converge(io, WANTED)
    lockable = {**wanted, "users": [{**wanted["users"][0], "lockable": True}]}
    assert converge(io, lockable).summary() == ["update user Default/glance"]
    assert user["options"]["ignore_lockout_failure_attempts"] is False


def test_a_user_whose_password_is_not_on_record_is_given_it(keystone, io):
    converge(io, WANTED)
    del io[kind.RECORDS]
    assert converge(io, WANTED).summary() == ["update user Default/glance"]


def test_an_interrupted_batch_goes_on_where_it_stopped(keystone, io, monkeypatch):
    plan = kind.plan(kind.read(io, kind.question(WANTED)), WANTED)
    done, real = itertools.count(), keystone.request

    def killed(method, path, body=None, headers=None):
        if method != "GET" and "auth" not in path and next(done) == 6:
            raise KeyboardInterrupt
        return real(method, path, body)

    keystone.request = killed
    with pytest.raises(KeyboardInterrupt):
        kind.apply(io, plan)
    keystone.request = real
    assert len(converge(io, WANTED).changes) == 6
    assert not converge(io, WANTED)


def test_questions_and_answers_hold_no_password(keystone, io):
    converge(io, WANTED)
    asked = kind.question(WANTED)
    assert "horse" not in repr(asked) + repr(kind.read(io, asked))
    assert "staple" not in repr(asked) + repr(kind.read(io, asked))


def test_damaged_files_count_as_missing(keystone, io):
    converge(io, WANTED)
    io[kind.RECORDS] = io[kind.RECORDS][:-5]
    assert converge(io, WANTED).summary() == ["update user Default/glance"]
    io[kind.CREDENTIALS] = "{"
    assert kind.read(io, kind.question(WANTED))["state"] == "absent"


@pytest.mark.parametrize("bare", [True, False])
def test_where_nothing_answers_nothing_is_there(keystone, io, bare):
    keystone.ready = False
    current = kind.read(Files() if bare else io, kind.question(WANTED))
    assert current["state"] == "absent"
    assert len(kind.plan(current, WANTED).changes) == 12


@pytest.mark.parametrize("reason", ["silent", "refused", "damaged"])
def test_a_keystone_that_was_filled_before_and_tells_nothing_is_waited_for(keystone, io, reason):
    converge(io, WANTED)
    keystone.changes.clear()
    if reason == "silent":
        keystone.ready = False
    elif reason == "refused":
        keystone.password = "another"
    else:
        io[kind.CREDENTIALS] = "{"
    plan = kind.plan(kind.read(io, kind.question(WANTED)), WANTED)
    assert plan.summary() == ["wait for the identity service"]
    keystone.ready, keystone.password, io[kind.CREDENTIALS] = True, ACCESS["password"], json.dumps(ACCESS)
    keystone.objects["regions"].clear()
    kind.apply(io, plan)
    assert keystone.changes == [], "what it lacks is planned when it answers"
    assert converge(io, WANTED).summary() == ["create region RegionOne"]


def test_a_refused_administrator_is_told_so(keystone, io):
    plan = kind.plan(kind.read(io, kind.question(WANTED)), WANTED)
    keystone.password = "former"
    assert kind.read(io, kind.question(WANTED))["state"] == "refused"
    with pytest.raises(HoldfastError, match="refuses the administrator's password"):
        kind.apply(io, plan)


def test_a_reference_to_nothing_is_named(keystone, io):
    with pytest.raises(HoldfastError, match="no role ghost"):
        converge(io, {"users": WANTED["users"], "assignments": [{"user": "glance", "role": "ghost"}]})
