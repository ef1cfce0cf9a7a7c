# SPDX-License-Identifier: Apache-2.0
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model, Network
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import proof
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Story

NETWORKS = {
    name: Network(name, f"br-{name}", f"10.{number}.0.0/24") for number, name in enumerate(("mgmt", "storage", "repl"))
}
MODEL = Model(
    "lab",
    NETWORKS,
    {
        "control1": Host("control1", frozenset({"haproxy", "swift_proxy"}), {"mgmt": "a", "storage": "b"}, {}, {}),
        "storage1": Host("storage1", frozenset({"swift_storage"}), {"mgmt": "c", "storage": "d", "repl": "e"}, {}, {}),
        "storage2": Host("storage2", frozenset({"swift_storage"}), {"mgmt": "f", "storage": "g", "repl": "h"}, {}, {}),
    },
    {},
)
STORIES = {
    "object.put": Story("object.put", "Put", print, least={"storage": 100}, most={"repl": 10}),
    "object.get": Story("object.get", "Get", print),
}


def reading(after, flows, kernel=10**9, later=0):
    """``later``: bytes that the kernel saw while the firewall was read."""
    counted = {name: {"bytes": count, "packets": 1} for name, count in flows.items()}
    return {
        "after": after,
        "at": 0.0,
        "flows": counted,
        "kernel": {
            "before": dict.fromkeys(("br-mgmt", "br-storage", "br-repl"), kernel),
            "after": dict.fromkeys(("br-mgmt", "br-storage", "br-repl"), kernel + later),
        },
    }


def readings(control, storage1=None, storage2=None, kernel=2 * 10**9):
    """Counters of a story, from nothing: each host's by flow."""
    hosts = {"control1": control, "storage1": storage1 or {}, "storage2": storage2 or {}}
    return {
        host: [
            reading(None, dict.fromkeys(grown, 5)),
            reading("object.put", {k: v + 5 for k, v in grown.items()}, kernel),
        ]
        for host, grown in hosts.items()
    }


def told(problem=""):
    return {"object.put": {"problem": problem, "evidence": {"sha256": "x"}, "seconds": 1.5}}


def prove(found, problem="", alone=True):
    return proof.prove(found, told(problem), STORIES, MODEL, alone=alone)


def test_bytes_between_two_hosts_are_counted_once():
    counted = readings({"swift_object": 300}, {"swift_object": 200}, {"swift_object": 100})
    (entry,) = prove(counted)
    assert entry["networks"] == {"br-mgmt": 0, "br-storage": 300, "br-repl": 0}
    assert entry == {
        "id": "object.put",
        "realm": "object",
        "title": "Put",
        "ok": True,
        "seconds": 1.5,
        "networks": entry["networks"],
        "evidence": {"sha256": "x"},
    }


def test_bytes_of_clients_from_anywhere_are_those_that_servers_count():
    (entry,) = prove(readings({"swift_proxy_frontend": 70, "swift_object": 400}, {"swift_proxy_frontend": 9}))
    assert entry["networks"]["br-mgmt"] == 70


def test_the_installers_own_traffic_is_no_part_of_a_story():
    (entry,) = prove(readings({"ssh": 10**6, "icmp_repl": 10**6, "swift_object": 200}, {"swift_object": 200}))
    assert entry["networks"] == {"br-mgmt": 0, "br-storage": 200, "br-repl": 0}


def test_missing_bytes_a_failed_story_and_foreign_bytes_are_problems():
    few = readings({"swift_object": 40}, {"swift_object": 40}, {"swift_rsync": 100})
    (entry,) = prove(few, problem="status 503")
    assert not entry["ok"]
    assert entry["evidence"]["problems"] == [
        "status 503",
        "40 bytes on the network storage, at least 100 belong there",
        "50 bytes on the network repl, at most 10 belong there",
    ]
    (entry,) = prove(few, alone=False)
    assert len(entry["evidence"]["problems"]) == 1


def test_a_counter_that_the_kernel_contradicts_is_a_problem():
    (entry,) = prove(readings({"swift_object": 10**6}, {"swift_object": 10**6}, kernel=10**9 + 1000))
    assert (
        "control1: the firewall counted 1000000 bytes on br-storage, the kernel only 1000"
        in entry["evidence"]["problems"]
    )


def test_what_came_while_the_firewall_was_read_is_no_contradiction():
    rows = [reading(None, {"swift_object": 0}), reading("object.put", {"swift_object": 10**6}, later=10**6)]
    (entry,) = prove({"control1": rows, "storage1": rows})
    assert not any("the kernel only" in problem for problem in entry["evidence"].get("problems", []))


def test_only_stories_that_were_told_are_judged():
    assert [entry["id"] for entry in prove(readings({"swift_object": 200}, {"swift_object": 200}))] == ["object.put"]


def test_all_stories_together_are_the_last_reading_less_the_first():
    rows = [reading(None, {"swift_object": 5}), reading("x", {"swift_object": 7}), reading("y", {"swift_object": 17})]
    assert proof.flow_bytes({"h": rows}) == {"h": {"swift_object": 12}}
    assert proof.flow_bytes({"h": rows}, "y") == {"h": {"swift_object": 10}}
