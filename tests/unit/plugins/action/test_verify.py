# SPDX-License-Identifier: Apache-2.0
"""A verification step by step, with a subject of the test's own: what each action leaves for the next, and refuses."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.action import (
    verify_begin,
    verify_counters,
    verify_end,
    verify_story,
)
from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import RunDirectory
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model, Network
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.chapter import Chapter
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Scene, Story

MODEL = Model(
    "lab",
    {"mgmt": Network("mgmt", "br-mgmt", "10.0.0.0/24")},
    {
        name: Host(name, frozenset({"letters", "haproxy"}), {"mgmt": f"10.0.0.{number}"}, {}, {})
        for number, name in enumerate(("a", "b"), 1)
    },
    {"haproxy_address": "10.0.0.9"},
)
CLOUD = "the cloud"


def sent(cloud: Any, scene: Scene) -> dict[str, Any]:
    """A story that holds when a task on a host saw the letter; it is told on the controller."""
    assert cloud == CLOUD
    return {"letter": scene.name, "account": scene.fact("account"), "seen": scene.fact("seen")["by"]}


class Site:
    """A run directory, and the actions of a verification in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.swept: list[Any] = []
        RunDirectory(path).write("model.json", MODEL.as_dict())
        story = Story("post.sent", "A letter is sent", sent, least={"mgmt": 100}, most={"mgmt": 1000})
        self.chapters = {
            "post": Chapter(
                group="letters",
                stories=lambda facts: (story,),
                facts=lambda model, services: {"hosts": len(model.hosts)},
                ask=lambda cloud, facts: {"account": f"of {facts['hosts']}"},
                sweep=self.sweep,
                degraded=lambda facts: True,
            ),
            "wire": Chapter(group="telegraphs", stories=lambda facts: (), sweep=lambda cloud: 1 // 0),
        }

    def sweep(self, cloud: Any) -> int:
        self.swept.append(cloud)
        return 1

    def act(
        self,
        module: ModuleType,
        host: str = "a",
        *,
        check: bool = False,
        reached: Iterable[str] = MODEL.hosts,
        said: str = "",
        **options: Any,
    ) -> Any:
        """What an action returns; ``reached`` are the hosts of the play, ``said`` is what its host's command writes."""
        task = SimpleNamespace(check_mode=check, args=options)
        templar = SimpleNamespace(template=lambda text: text)
        action = module.ActionModule(task, None, None, None, templar, None)
        action.variables = {
            "inventory_hostname": host,
            "ansible_play_hosts": list(reached),
            "holdfast_run_dir": str(self.path),
            "holdfast_artifacts_dir": str(self.path / "out"),
        }
        action.client = lambda: CLOUD
        action.deployment = lambda: SimpleNamespace(model=MODEL, services=Services((), MODEL, {}))
        action._low_level_execute_command = lambda command, sudoable: {"stdout": said, "stderr": "nft: no such table"}
        return action.act(options)

    def count(self, after: str | None, sent: int) -> None:
        """Both hosts read their counters: they have sent and received that many bytes of the identity API's flow."""
        flow = {"counter": {"name": "keystone", "bytes": sent, "packets": 1}}
        said = f"br-mgmt {sent} 0\n{json.dumps({'nftables': [flow]})}\nbr-mgmt {sent} 0\n"
        options: dict[str, Any] = {"after": after} if after else {}
        for host in MODEL.hosts:
            self.act(verify_counters, host, said=said, **options)

    def notes(self, name: str) -> Any:
        return json.loads((self.path / "verify" / name).read_text())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.delenv("HOLDFAST_LOG_DIR", raising=False)
    here = Site(tmp_path)
    for module in (verify_begin, verify_story, verify_end):
        monkeypatch.setattr(module, "CHAPTERS", here.chapters)
    return here


def test_it_begins_with_the_facts_of_what_is_deployed_and_without_leftovers(site: Site) -> None:
    RunDirectory(site.path / "verify").write("stories/old.json", {})
    scene = site.act(verify_begin)
    assert scene["facts"] == {"post": {"hosts": 2, "account": "of 2"}}
    assert [part["tasks"] for part in scene["parts"]] == ["verify"]
    assert scene["name"] == f"holdfast-verify-{scene['run']}"
    assert site.notes("scene.json") == {name: value for name, value in scene.items() if name != "changed"}
    assert site.swept == [CLOUD]
    assert not (site.path / "verify/stories").exists()
    assert [part["tasks"] for part in site.act(verify_begin, disruptive=True)["parts"]] == ["verify", "verify_degraded"]


def test_it_begins_neither_in_check_mode_nor_without_a_host(site: Site) -> None:
    with pytest.raises(HoldfastError, match="Run it without --check"):
        site.act(verify_begin, check=True)
    with pytest.raises(HoldfastError, match="prove nothing without b"):
        site.act(verify_begin, reached=["a"])
    assert site.swept == []


def test_a_story_has_the_facts_of_its_subject_and_of_the_task(site: Site) -> None:
    scene = site.act(verify_begin)
    done = site.act(verify_story, story="post.sent", facts={"seen": {"by": "b"}})
    assert done["evidence"] == {"letter": scene["name"], "account": "of 2", "seen": "b"}
    assert done["findings"] == []
    assert site.notes("stories/post.sent.json")["problem"] == ""


def test_a_story_that_does_not_hold_is_a_finding_and_the_next_is_told(site: Site) -> None:
    site.act(verify_begin)
    for facts, problem in (({}, "not given seen"), ({"seen": {"from": "b"}}, "unexpected form: KeyError")):
        (finding,) = site.act(verify_story, story="post.sent", facts=facts)["findings"]
        assert finding["code"] == "verify.post.sent"
        assert problem in finding["what"]
        assert problem in site.notes("stories/post.sent.json")["problem"]
    with pytest.raises(HoldfastError, match=r"no story 'post.lost'. Fix: use one of post.sent"):
        site.act(verify_story, story="post.lost")


def test_counters_are_kept_reading_by_reading_and_the_first_begins_anew(site: Site) -> None:
    site.count(None, 7)
    site.count(None, 10)
    site.count("post.sent", 300)
    readings = site.notes("counters/a.json")
    assert [reading["after"] for reading in readings] == [None, "post.sent"]
    assert readings[1]["flows"] == {"keystone": {"bytes": 300, "packets": 1}}
    assert readings[1]["kernel"] == {"before": {"br-mgmt": 300}, "after": {"br-mgmt": 300}}


def test_a_bridge_that_a_process_makes_is_witnessed_by_its_port(site: Site) -> None:
    ports: dict[str, dict[str, Any]] = {"mgmt": {"interface": "eth0"}, "overlay": {"interface": "eth3", "vlan": 7}}
    addresses = {"mgmt": "10.0.0.1", "overlay": "10.0.1.1"}
    host = Host("a", frozenset({"ovn_chassis"}), addresses, ports, {}, switched=("overlay",))
    overlay = Network("overlay", "br-overlay", "10.0.1.0/24")
    model = Model("lab", {**MODEL.networks, "overlay": overlay}, {"a": host}, {})
    RunDirectory(site.path).write("model.json", model.as_dict())
    before, after = "br-mgmt 1 2\neth3.7 100 200\n", "br-mgmt 3 4\neth3.7 5000 600\nbr-overlay 50 50\n"
    site.act(verify_counters, said=f"{before}{json.dumps({'nftables': []})}\n{after}")
    (reading,) = site.notes("counters/a.json")
    assert reading["kernel"] == {
        "before": {"br-mgmt": 3, "br-overlay": 300},
        "after": {"br-mgmt": 7, "br-overlay": 5600},
    }
    assert reading["flows"] == {"ovn_geneve": {"bytes": 5500, "packets": 0}}


@pytest.mark.parametrize("said", ["", "br-mgmt 1 2\n", "br-mgmt 1 2\nnot json\nbr-mgmt 1 2\n"])
def test_a_host_without_counters_is_named_with_what_it_said_and_what_helps(site: Site, said: str) -> None:
    with pytest.raises(HoldfastError, match=r"a: no byte counters: nft: no such table .* run playbooks/site\.yml"):
        site.act(verify_counters, said=said)


def verified(site: Site, sent: int, **options: Any) -> Any:
    site.act(verify_begin)
    site.count(None, 10)
    site.act(verify_story, story="post.sent", facts={"seen": {"by": "b"}})
    site.count("post.sent", 10 + sent)
    return site.act(verify_end, **options)


def test_it_ends_with_the_proof_the_report_and_nothing_left(site: Site) -> None:
    assert verified(site, 500)["msg"].startswith("1 stories hold, told in 0 s.")
    (entry,) = json.loads((site.path / "out/verify.json").read_text())
    assert (entry["id"], entry["ok"], entry["networks"]) == ("post.sent", True, {"br-mgmt": 500})
    assert "A letter is sent" in (site.path / "out/report.html").read_text()
    assert len(site.swept) == 2


def test_too_few_bytes_fail_it_after_the_files_are_written(site: Site) -> None:
    with pytest.raises(HoldfastError, match="1 of 1 stories do not hold") as raised:
        verified(site, 50)
    (finding,) = raised.value.findings
    assert finding.what == "50 bytes on the network mgmt, at least 100 belong there."
    assert not json.loads((site.path / "out/verify.json").read_text())[0]["ok"]
    assert len(site.swept) == 2


def test_too_many_bytes_fail_it_only_when_nobody_else_uses_the_deployment(site: Site) -> None:
    assert verified(site, 10**6)
    with pytest.raises(HoldfastError, match="do not hold"):
        verified(site, 10**6, exclusive=True)


def test_a_verification_without_a_story_proves_nothing(site: Site) -> None:
    site.act(verify_begin)
    site.count(None, 10)
    with pytest.raises(HoldfastError, match="0 of 0 stories"):
        site.act(verify_end)
