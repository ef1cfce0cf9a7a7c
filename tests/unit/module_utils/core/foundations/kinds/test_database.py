# SPDX-License-Identifier: Apache-2.0
import copy
import hashlib

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations.kinds import database
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result

HOST = "172.29.236.0/255.255.252.0"
WANTED = {"databases": [{"name": "glance", "password": "correct horse", "hosts": [HOST], "character_set": "utf8mb4"}]}
STORED = hashlib.sha256(f"mysql_native_password {database.native_hash('correct horse')}".encode()).hexdigest()
CURRENT = {
    "reachable": True,
    "made": True,
    "reason": "",
    "schemas": {"glance": "utf8mb4"},
    "accounts": {"glance": {HOST: {"password": STORED, "tls": True, "privileges": {"glance": ["ALL"]}}}},
}
NOTHING = {"reachable": False, "made": False, "reason": "", "schemas": {}, "accounts": {}}


class Server:
    """Answers one query; keeps what it was told."""

    def __init__(self, rc=0, out="", err="", files=()):
        self.answer, self.calls, self.files = Result(rc, out, err), [], files

    def exists(self, path):
        return path in self.files

    def run(self, argv, *, stdin, check=True, timeout=None):
        self.calls.append((argv, stdin))
        return self.answer


def statements(plan):
    return [statement for change in plan for statement in change.data["sql"]]


def test_the_hash_is_the_servers_own():
    # SELECT PASSWORD('mariadb')
    assert database.native_hash("mariadb") == "*54958E764CE10E50764C2EECBB71D01F08549980"


def test_converged():
    assert not database.plan(CURRENT, WANTED)


def test_where_no_server_answers_nothing_is_there():
    server = Server(rc=127)
    assert database.read(server, database.question(WANTED)) == NOTHING
    plan = database.plan(NOTHING, WANTED)
    assert plan.summary() == ["create schema glance", f"create account glance@{HOST}"]


def test_a_silent_server_with_schemas_is_no_empty_one():
    server = Server(rc=1, err="ERROR 2002: Can't connect\n", files=["/var/lib/mysql/glance"])
    current = database.read(server, database.question(WANTED))
    assert (current["reachable"], current["made"]) == (False, True)
    plan = database.plan(current, WANTED)
    assert plan.summary() == ["wait for the database"]
    assert "Can't connect" in plan.changes[0].after
    database.apply(server, plan)
    assert [stdin for _, stdin in server.calls[1:]] == ["SELECT 1;\n"]


def test_read_takes_one_invocation():
    out = f"schema\tglance\tutf8mb4\naccount\tglance\t{HOST}\t{STORED}\tANY\ngrant\tglance\t{HOST}\tglance\tALL\n"
    server = Server(out=out)
    assert database.read(server, database.question(WANTED)) == CURRENT
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("name", "value", "tells"),
    [
        ("password", "other", "password: another"),
        ("tls", False, "TLS: not required"),
        ("privileges", {"glance": ["SELECT"]}, "glance: SELECT"),
        ("privileges", {"glance": ["ALL"], "*": ["SUPER"]}, "*: SUPER"),
        ("privileges", {"glance": ["ALL"], "keystone": ["ALL"]}, "keystone: ALL"),
    ],
)
def test_an_account_that_differs_is_put_right(name, value, tells):
    now = copy.deepcopy(CURRENT)
    now["accounts"]["glance"][HOST][name] = value
    plan = database.plan(now, WANTED)
    assert plan.summary() == [f"update account glance@{HOST}"]
    assert tells in plan.changes[0].before
    assert any("REVOKE ALL" in statement for statement in statements(plan)) == (name == "privileges")


def test_accounts_from_elsewhere_and_without_a_name_go():
    now = copy.deepcopy(CURRENT)
    now["accounts"]["glance"]["%"] = now["accounts"]["glance"][HOST]
    now["accounts"][""] = {"localhost": {"password": "", "tls": False, "privileges": {}}}
    assert database.plan(now, WANTED).summary() == ["delete account ''@localhost", "delete account glance@%"]


def test_the_character_set_is_changed_in_place():
    now = {**CURRENT, "schemas": {"glance": "latin1"}}
    assert statements(database.plan(now, WANTED)) == [
        "ALTER DATABASE `glance` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
    ]


def test_an_underscore_in_a_schema_grants_no_other_schema():
    want = {"databases": [{**WANTED["databases"][0], "name": "nova_api"}]}
    assert any(r"ON `nova\_api`.* TO" in statement for statement in statements(database.plan(NOTHING, want)))


def test_an_underscore_is_read_as_the_client_writes_it():
    grants = "".join(f"grant\tnova\t{HOST}\tnova{escaped}api\tALL\n" for escaped in ("\\\\_",))
    out = f"schema\tnova_api\tutf8mb4\naccount\tnova\t{HOST}\t{STORED}\tANY\n{grants}"
    want = {"databases": [{**WANTED["databases"][0], "name": "nova_api", "user": "nova"}]}
    current = database.read(Server(out=out), database.question(want))
    assert current["accounts"]["nova"][HOST]["privileges"] == {"nova_api": ["ALL"]}
    assert not database.plan(current, want).changes


def test_an_account_may_own_several_schemas():
    first = {**WANTED["databases"][0], "name": "nova", "user": "nova"}
    want = {"databases": [first, {**first, "name": "nova_cell0"}]}
    plan = database.plan(NOTHING, want)
    assert plan.summary() == ["create schema nova", "create schema nova_cell0", f"create account nova@{HOST}"]
    assert [text for text in statements(plan) if text.startswith("GRANT")] == [
        f"GRANT ALL PRIVILEGES ON `{schema}`.* TO 'nova'@'{HOST}'" for schema in ("nova", r"nova\_cell0")
    ]
    held = {"password": STORED, "tls": True, "privileges": {"nova": ["ALL"], "nova_cell0": ["ALL"]}}
    now = {**CURRENT, "schemas": dict.fromkeys(("nova", "nova_cell0"), "utf8mb4"), "accounts": {"nova": {HOST: held}}}
    assert not database.plan(now, want).changes


def test_the_password_is_in_no_statement_command_or_diff():
    plan, server = database.plan(NOTHING, WANTED), Server()
    database.apply(server, plan)
    assert "correct horse" not in repr(server.calls) + repr(plan.diff()) + repr(plan.changes)
    assert "IDENTIFIED" not in repr(server.calls[0][0])


@pytest.mark.parametrize("name", ["a`b", "x'; DROP DATABASE mysql; --", "", "a" * 65])
def test_a_name_that_would_be_a_statement_is_refused(name):
    with pytest.raises(HoldfastError, match="is no name for a statement"):
        database.plan(NOTHING, {"databases": [{**WANTED["databases"][0], "name": name}]})
