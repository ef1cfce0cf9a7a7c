# SPDX-License-Identifier: Apache-2.0
import socket

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
