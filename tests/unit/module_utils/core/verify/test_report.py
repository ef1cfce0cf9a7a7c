# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import domain
from ansible_collections.holdfast.storage.plugins.module_utils.core import flows
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model, Network
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import CHAPTERS
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import chapter, proof, report
from ansible_collections.holdfast.storage.plugins.plugin_utils import report_page

CONTROL = {"keystone", "glance_api", "swift_proxy", "mariadb", "rabbitmq", "memcached", "haproxy"}


def a_model(count):
    """One control host, and storage hosts for the rest."""
    networks = {
        name: Network(name, f"br-{name}", f"172.29.{third}.0/22")
        for name, third in (("mgmt", 236), ("storage", 244), ("repl", 248))
    }
    hosts = {
        "control1": Host("control1", frozenset(CONTROL), {"mgmt": "172.29.236.11", "storage": "172.29.244.11"}, {}, {})
    }
    for number in range(1, count):
        addresses = {name: f"{networks[name].cidr.rpartition('.')[0]}.{20 + number}" for name in networks}
        hosts[f"storage{number}"] = Host(f"storage{number}", frozenset({"swift_storage"}), addresses, {}, {})
    return Model("lab", networks, hosts, {}, domain().uses)


def a_view(count=4, **changed):
    model = a_model(count)
    counted = {
        host.name: {row.id: 1000 * (len(row.id) + len(host.name)) for row, _ in flows.flows_of(model, host)}
        for host in model.hosts.values()
    }
    entries = [
        {
            "id": story.id,
            "realm": story.realm,
            "title": story.title,
            "ok": True,
            "seconds": 0.5,
            "networks": {"br-mgmt": 5000, "br-storage": 0, "br-repl": 12},
            "evidence": {"copies": ["a", "b"], "sha256": "<script>"},
        }
        for story in chapter.catalogue(CHAPTERS, {name: {} for name in CHAPTERS}).values()
    ]
    phases = [{"name": "Plan", "seconds": 2.0, "hosts": count, "changed": 0}]
    given = {
        "model": model,
        "entries": entries,
        "counted": counted,
        "totals": proof.deployment_bytes(counted, model),
        "runs": [
            {"playbook": "site", "ok": True, "seconds": 3.0, "phases": phases, "hosts": {"control1": {"results": 4}}}
        ],
        "versions": {"control1": {"keystone": "1"}, "storage1": {"rsync": "2"}, "storage2": {"rsync": "3"}},
        "findings": [{"severity": "advice", "code": "x", "where": "here", "what": "Weak.", "fix": "Do."}],
        "written": "today",
    }
    return report.view(**{**given, **changed})


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.external, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.external += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "br", "line", "circle", "rect", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            assert self.open.pop() == tag

    def handle_data(self, text):
        self.text.append(text)


@pytest.mark.parametrize("count", [1, 4, 20, 60])
def test_the_page_is_whole_escaped_and_asks_for_nothing_else(count):
    html = report_page.render(a_view(count))
    page = Page()
    page.feed(html)
    assert page.open == []
    assert page.external == []
    assert "url(" not in html
    assert "<script" not in html
    assert "control1" in page.text


@pytest.mark.parametrize("count", [4, 20, 200])
def test_nothing_in_the_map_overlaps(count):
    drawn = report.network_map(a_model(count), a_view(count)["map"] and {})
    rows = [row["y"] for row in drawn["rows"]]
    assert len(rows) == count
    assert min(after - before for before, after in pairwise(rows)) >= 34
    assert rows[-1] + drawn["row"] / 2 <= drawn["height"]


def test_bars_and_their_numbers_stay_in_their_column():
    for row in a_view()["map"]["rows"]:
        for cell in row["cells"]:
            assert cell["end"] + 80 <= cell["x"] + report.COLUMN
        assert len(row["groups"]) <= 28


def test_a_host_has_dots_where_it_has_addresses():
    rows = {row["name"]: [cell["address"] for cell in row["cells"]] for row in a_view()["map"]["rows"]}
    assert rows["control1"] == ["172.29.236.11", "172.29.244.11"]
    assert len(rows["storage1"]) == 3


def test_hosts_stand_in_the_order_of_the_table_of_flows():
    model = a_model(3)
    idle = Host("a-compute", frozenset({"all", "nova_compute"}), {}, {}, {})
    drawn = report.network_map(replace(model, hosts={"a-compute": idle, **model.hosts}), {})
    assert [row["name"] for row in drawn["rows"]] == ["control1", "storage1", "storage2", "a-compute"]


def test_a_fourth_network_has_a_column_and_a_colour_of_its_own(monkeypatch):
    tunnels = flows.Flow("tunnels", "network", "overlay", "udp", (4789,), "tunnels", ("tunnels",), "vswitch")
    rows = (*flows.FLOWS, tunnels)
    for module in (flows, flows.uses):
        monkeypatch.setattr(module, "FLOWS", rows)
    model = a_model(3)
    hosts = {
        name: replace(
            host, groups=host.groups | {"tunnels"}, addresses={**host.addresses, "overlay": f"10.9.0.{number}"}
        )
        for number, (name, host) in enumerate(model.hosts.items())
    }
    networks = {**model.networks, "overlay": Network("overlay", "br-overlay", "10.9.0.0/24")}
    counted = {name: {"tunnels": 4000, "swift_object": 9000} for name in hosts}
    model = replace(model, networks=networks, hosts=hosts)
    view = a_view(model=model, counted=counted, totals=proof.deployment_bytes(counted, model))
    assert [(network["name"], network["style"]) for network in view["networks"]] == [
        ("mgmt", "a"), ("storage", "b"), ("repl", "c"), ("overlay", "d"),
    ]  # fmt: skip
    assert [row["network"] for row in view["flows"]] == ["storage", "overlay"]
    assert {band["style"] for band in view["bands"]["bands"]} == {"b", "d"}
    columns = view["map"]["columns"]
    assert [column["style"] for column in columns] == ["a", "b", "c", "d"]
    assert columns[-1]["x"] + report.BAR < view["map"]["width"]
    html = report_page.render(view)
    assert "repeat(4, 1fr)" in html
    assert ".d { --tone" in html


def test_bands_lie_within_their_nodes_and_nodes_do_not_overlap():
    bands = a_view()["bands"]
    for side in ("left", "right"):
        nodes = [node for node in bands["nodes"] if node["side"] == side]
        for before, after in pairwise(nodes):
            assert before["y"] + before["height"] < after["y"]
        assert nodes[-1]["y"] + nodes[-1]["height"] <= bands["height"]


def test_hosts_are_named_only_where_versions_differ():
    rows = {row["package"]: row for row in a_view()["versions"]}
    assert rows["keystone"]["versions"] == [{"version": "1", "hosts": ""}]
    assert [item["hosts"] for item in rows["rsync"]["versions"]] == ["storage1", "storage2"]


def test_a_report_before_any_verification_says_so():
    html = report_page.render(a_view(entries=[], counted={}, totals={}, runs=[], versions={}, findings=[]))
    assert "Not verified yet" in html


def test_a_story_that_does_not_hold_is_counted_and_shown():
    view = a_view()
    entries = [{"id": "object.put", "realm": "object", "title": "Put", "ok": False, "seconds": 1.0, "networks": {},
                "evidence": {"problems": ["No quorum."]}}]  # fmt: skip
    view = a_view(entries=entries)
    assert (view["ok"], view["passed"], view["told"]) == (False, 0, 1)
    assert "No quorum." in report_page.render(view)


def test_sizes_have_three_digits_or_so():
    assert [report.size(count) for count in (0, 999, 1000, 24 * 1024**2, 150 * 1024**2, 3 * 1024**3)] == [
        "0 B",
        "999 B",
        "1.0 KiB",
        "24.0 MiB",
        "150 MiB",
        "3.0 GiB",
    ]
