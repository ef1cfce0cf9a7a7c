# SPDX-License-Identifier: Apache-2.0
import copy
import json
from urllib.parse import unquote

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations.kinds import (
    message_queue as kind,
)
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result

WANTED = {
    "virtual_hosts": ["glance"],
    "users": [{"name": "glance", "password": "correct horse", "virtual_host": "glance"}],
    "credentials": kind.CREDENTIALS,
}
ACCESS = {"url": "http://127.0.0.1:15672", "username": "holdfast", "password": "battery staple"}
ALL = [".*"] * 3


class Broker:
    """The management API over a dictionary, and the files and commands of its host."""

    def __init__(self, password=ACCESS["password"]):
        self.password, self.requests, self.commands, self.files = password, [], [], {}
        self.virtual_hosts = {"/": "classic"}
        self.users = {"holdfast": ("x", "administrator"), "guest": ("y", "administrator")}
        self.permissions = {("/", "guest"): ALL}

    def read_text(self, path):
        assert path == kind.CREDENTIALS
        return json.dumps(ACCESS)

    def exists(self, path):
        return path in self.files

    def write(self, path, content, *, mode):
        self.files[path] = content

    def run(self, argv, *, stdin, timeout):
        self.commands.append((argv, stdin))
        self.password = stdin.strip()
        return Result(0, "", "")

    def request(self, access, method, path, body=None):
        if access["password"] != self.password:
            return 401, None
        if method == "GET":
            return 200, {
                "users": [{"name": n, "password_hash": h, "tags": t} for n, (h, t) in self.users.items()],
                "vhosts": [{"name": n, "metadata": {"default_queue_type": t}} for n, t in self.virtual_hosts.items()],
                "permissions": [
                    {"vhost": v, "user": u, "configure": c, "write": w, "read": r}
                    for (v, u), (c, w, r) in self.permissions.items()
                ],
            }
        self.requests.append((method, path, body))
        collection, *names = map(unquote, path.removeprefix("/api/").split("/"))
        if method == "DELETE":
            if collection == "users":
                del self.users[names[0]]
            else:
                del self.permissions[tuple(names)]
        elif collection == "vhosts":
            self.virtual_hosts[names[0]] = body["default_queue_type"]
        elif collection == "users":
            self.users[names[0]] = (body["password_hash"], body["tags"])
        else:
            self.permissions[tuple(names)] = [body[right] for right in ("configure", "write", "read")]
        return 204, None


@pytest.fixture
def broker(monkeypatch):
    made = Broker()
    monkeypatch.setattr(kind, "request", made.request)
    return made


def converge(io):
    plan = kind.plan(kind.read(io, kind.question(WANTED)), WANTED)
    if plan:
        kind.apply(io, plan)
    return plan


def test_a_new_broker_gets_users_and_loses_guest(broker):
    assert converge(broker).summary() == [
        "delete user guest",
        "create virtual host glance",
        "create user glance",
        "create rights of glance in glance",
    ]
    assert broker.virtual_hosts["glance"] == "quorum"
    assert not converge(broker)


def test_what_differs_is_put_right_and_nothing_else(broker):
    converge(broker)
    broker.requests.clear()
    broker.permissions["/", "glance"] = ALL
    broker.users["glance"] = (kind.hash_password("another", b"salt"), "")
    assert converge(broker).summary() == ["update user glance", "delete rights of glance in /"]
    assert len(broker.requests) == 2
    assert "holdfast" in broker.users


def test_a_classic_virtual_host_becomes_one_of_quorum_queues(broker):
    converge(broker)
    broker.virtual_hosts["glance"] = "classic"
    assert converge(broker).summary() == ["update virtual host glance"]
    assert broker.virtual_hosts["glance"] == "quorum"


def test_an_administrator_with_another_password_is_given_it_through_stdin(broker):
    broker.password = "former"
    assert converge(broker).summary() == ["update administrator"], "what cannot be read is not said to change"
    assert broker.commands == [(["/usr/sbin/rabbitmqctl", "change_password", "holdfast"], ACCESS["password"] + "\n")]
    assert not converge(broker)


def test_a_bare_host_has_nothing():
    class Bare(Broker):
        def read_text(self, path):
            return None

    current = kind.read(Bare(), kind.question(WANTED))
    assert current == {"state": "absent", "made": False, "virtual_hosts": {}, "users": {}}
    assert len(kind.plan(current, WANTED).changes) == 3


def test_a_damaged_file_of_credentials_counts_as_missing():
    class Damaged(Broker):
        def read_text(self, path):
            return json.dumps(ACCESS)[:-3]

    assert kind.read(Damaged(), kind.question(WANTED))["state"] == "absent"


def test_a_silent_broker_that_had_users_is_waited_for(broker, monkeypatch):
    converge(broker)
    broker.virtual_hosts.clear()
    broker.requests.clear()
    with monkeypatch.context() as silent:
        silent.setattr(kind, "request", lambda *_: (0, None))
        plan = kind.plan(kind.read(broker, kind.question(WANTED)), WANTED)
    assert plan.summary() == ["wait for the message queue"]
    kind.apply(broker, plan)
    assert not broker.requests, "what it lacks is planned when it answers"
    assert converge(broker).summary() == ["create virtual host glance"]


def test_a_broker_that_stays_silent_is_an_error(broker, monkeypatch):
    plan = kind.plan(kind.read(broker, kind.question(WANTED)), WANTED)
    monkeypatch.setattr(kind, "request", lambda *_: (0, None))
    monkeypatch.setattr(kind, "WAIT_SECONDS", -1)
    with pytest.raises(HoldfastError, match="does not answer"):
        kind.apply(broker, plan)


def test_passwords_travel_as_hashes_and_are_not_shown(broker):
    plan = converge(broker)
    assert "correct horse" not in repr(broker.requests) + repr(plan.diff()) + repr(plan.changes)


def test_hashes():
    stored = kind.hash_password("test12", bytes.fromhex("908dc60a"))
    # The example in RabbitMQ's documentation of password hashing.
    assert stored == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
    assert kind.matches("test12", stored)
    assert not kind.matches("test13", stored)
    assert not kind.matches("test12", "not base64!")


def test_question_has_no_password():
    assert "correct horse" not in repr(kind.question(copy.deepcopy(WANTED)))
