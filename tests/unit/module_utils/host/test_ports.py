# SPDX-License-Identifier: Apache-2.0
import os
import socket

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.host import ports


def test_open_and_refused_ports_are_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        wanted = [server.getsockname()[1], unused.getsockname()[1]]
        found = ports.states(["127.0.0.1"], wanted)
    assert [(entry["port"], entry["state"]) for entry in found] == [(wanted[0], "open"), (wanted[1], "refused")]


def test_a_port_that_never_answers_is_filtered(monkeypatch):
    class Silent(ports.selectors.DefaultSelector):
        def select(self, timeout=None):
            return []

    monkeypatch.setattr(ports.selectors, "DefaultSelector", Silent)
    assert ports.states(["127.0.0.1"], [1], 0.01)[0]["state"] == "filtered"


def test_who_asks_is_another_for_a_while(monkeypatch):
    taken_on = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "seteuid", taken_on.append)
    with ports.acting_as("nobody"):
        assert taken_on == [65534]
    assert taken_on == [65534, 0]
    with pytest.raises(KeyError), ports.acting_as("no-such-user-here"):
        pass
