# SPDX-License-Identifier: Apache-2.0
import socket

from ansible_collections.holdfast.storage.plugins.modules import port_info


def test_open_and_refused_ports_are_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        ports = [server.getsockname()[1], unused.getsockname()[1]]
        found = port_info.states([("127.0.0.1", port) for port in ports], 2.0)
    assert [(entry["port"], entry["state"]) for entry in found] == [(ports[0], "open"), (ports[1], "refused")]


def test_a_port_that_never_answers_is_filtered(monkeypatch):
    class Silent(port_info.selectors.DefaultSelector):
        def select(self, timeout=None):
            return []

    monkeypatch.setattr(port_info.selectors, "DefaultSelector", Silent)
    assert port_info.states([("127.0.0.1", 1)], 0.01)[0]["state"] == "filtered"
