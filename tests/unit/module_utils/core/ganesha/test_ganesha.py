# SPDX-License-Identifier: Apache-2.0
"""NFS servers of CephFS: who has which address, and what Ceph's manager is told of them."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import jinja2
import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core import flows
from ansible_collections.holdfast.storage.plugins.module_utils.core.ganesha import nodes
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model, Network

ROOT = Path(__file__).parents[5]
TEMPLATES = ROOT / "roles/ganesha/templates"


def model(*names: str) -> Model:
    addresses = {name: f"172.29.247.{20 + place}" for place, name in enumerate(names, 1)}
    hosts = {
        name: Host(
            name=name,
            groups=frozenset({"ganesha"}),
            addresses={"mgmt": f"172.29.236.{20 + place}", "storage": f"172.29.244.{20 + place}"},
            ports={},
            variables={},
            moving_addresses=nodes.moving({"ganesha_addresses": addresses}, name),
        )
        for place, name in enumerate(names, 1)
    }
    networks = {name: Network(name, f"br-{name}", cidr) for name, cidr in
                (("mgmt", "172.29.236.0/22"), ("storage", "172.29.244.0/22"))}  # fmt: skip
    return Model("lab", networks, hosts, {"ganesha_addresses": addresses})


def test_each_node_is_at_home_on_its_host_and_each_other_host_is_second_to_one() -> None:
    deployed = model("a", "b", "c")
    seen = {
        name: {node["name"]: node["priority"] for node in nodes.nodes(deployed, host)}
        for name, host in deployed.hosts.items()
    }
    assert {name: own[name] for name, own in seen.items()} == dict.fromkeys("abc", 150)
    seconds = {node: max((name for name in seen if name != node), key=lambda name: seen[name][node]) for node in "abc"}
    assert sorted(seconds.values()) == ["a", "b", "c"], (
        "what one lost host leaves goes to another than what the next leaves"
    )
    for node in "abc":
        assert len({seen[name][node] for name in "abc"}) == 3, "no two are equally near"


def test_hosts_tell_addresses_by_the_last_number() -> None:
    assert [node["router"] for node in nodes.nodes(model("a", "b"), model("a", "b").hosts["a"])] == [21, 22]
    assert nodes.router("172.29.247.0") == 255


def test_clients_ask_the_addresses_that_move_and_no_hosts_own() -> None:
    deployed = model("a", "b")
    assert flows.server_addresses(deployed, flows.flow("ganesha")) == ("172.29.247.21", "172.29.247.22")
    assert flows.server_addresses(deployed, flows.flow("ganesha_address")) == ("172.29.244.21", "172.29.244.22")


def rendered(name: str, **context: Any) -> str:
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.from_string((TEMPLATES / name).read_text()).render(context)


@pytest.mark.parametrize("name", ["ganesha-here.j2", "ganesha-sound.j2"])
def test_the_scripts_are_scripts(name: str, tmp_path: Path) -> None:
    deployed = model("a", "b")
    text = rendered(
        name,
        ganesha_nodes=lambda: nodes.nodes(deployed, deployed.hosts["a"]),
        ganesha_return_seconds=10,
        dial=lambda flow: ["172.29.244.21:3300", "172.29.244.22:3300"],
    )
    script = tmp_path / "script"
    script.write_text(text)
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize(("failed", "answers", "sound"), [(1, True, True), (0, True, False), (1, False, False)])
def test_a_host_serves_while_its_server_starts_and_ceph_is_reached(
    failed: int, answers: bool, sound: bool, tmp_path: Path
) -> None:
    with socket.socket() as monitor:
        monitor.bind(("127.0.0.1", 0))
        if answers:
            monitor.listen()
        place = f"127.0.0.1:{monitor.getsockname()[1]}"
        text = rendered("ganesha-sound.j2", dial=lambda flow: [place])
        systemctl = tmp_path / "systemctl"
        systemctl.write_text(f"#!/bin/sh\nexit {failed}\n")
        systemctl.chmod(0o755)
        script = tmp_path / "sound"
        script.write_text(text.replace("/usr/bin/systemctl", str(systemctl)))
        assert (subprocess.run(["bash", script, "a"], check=False).returncode == 0) is sound


def test_a_server_starts_only_where_its_address_is(tmp_path: Path) -> None:
    deployed = model("a", "b")
    text = rendered(
        "ganesha-here.j2", ganesha_nodes=lambda: nodes.nodes(deployed, deployed.hosts["a"]), ganesha_return_seconds=-9
    )
    here = tmp_path / "ip"
    here.write_text('#!/bin/sh\n[ "$6" = 172.29.247.21/32 ] && echo "3: br-storage inet 172.29.247.21/22"\n')
    here.chmod(0o755)
    script = tmp_path / "here"
    script.write_text(text.replace("/usr/sbin/ip", str(here)))
    for node, status in (("a", 0), ("b", 1), ("c", 1)):
        assert subprocess.run(["sh", script, node], check=False).returncode == status, node


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The manager's module among stand-ins of what Ceph has there."""

    class Orchestrator:
        pass

    class Result:
        def __init__(self, result: Any) -> None:
            self.result = result

    def described(**given: Any) -> types.SimpleNamespace:
        return types.SimpleNamespace(**given)

    orchestrator = types.ModuleType("orchestrator")
    vars(orchestrator).update(
        Orchestrator=Orchestrator,
        ServiceDescription=described,
        DaemonDescription=described,
        DaemonDescriptionStatus=types.SimpleNamespace(running=1),
        handle_orch_error=lambda function: lambda *args, **kwargs: Result(function(*args, **kwargs)),
    )
    hostspec, service_spec, mgr_module = map(types.ModuleType, ("hostspec", "service_spec", "mgr_module"))
    vars(hostspec)["HostSpec"] = lambda name, addr: (name, addr)
    vars(service_spec).update(NFSServiceSpec=described, PlacementSpec=described)
    vars(mgr_module)["MgrModule"] = type("MgrModule", (), {})
    for name, module in {
        "orchestrator": orchestrator,
        "ceph": types.ModuleType("ceph"),
        "ceph.deployment": types.ModuleType("ceph.deployment"),
        "ceph.deployment.hostspec": hostspec,
        "ceph.deployment.service_spec": service_spec,
        "mgr_module": mgr_module,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    module = types.ModuleType("module")
    exec(compile((TEMPLATES / "module.py.j2").read_text(), "module.py", "exec"), module.__dict__)
    deployed = model("a", "b")
    listed = tmp_path / "nfs.json"
    of_cluster = [node["as_daemon"] for node in nodes.nodes(deployed, deployed.hosts["a"])]
    listed.write_text(json.dumps({"holdfast": of_cluster}))
    monkeypatch.setattr(module, "LIST", str(listed))
    return module.__dict__["Module"]()


def test_the_manager_is_told_where_servers_are(manager: Any) -> None:
    daemons = manager.list_daemons(daemon_type="nfs").result
    assert [(one.hostname, one.ip, one.ports, one.service_name) for one in daemons] == [
        ("a", "172.29.247.21", [2049], "nfs.holdfast"),
        ("b", "172.29.247.22", [2049], "nfs.holdfast"),
    ]
    (service,) = manager.describe_service(service_type="nfs").result
    assert service.spec.service_id == "holdfast"
    assert manager.get_hosts().result == [("a", "172.29.247.21"), ("b", "172.29.247.22")]
    assert manager.available()[0] is True


def test_it_is_told_of_nothing_else(manager: Any) -> None:
    assert manager.describe_service(service_type="ingress").result == []
    assert manager.list_daemons(daemon_type="mds").result == []
    assert manager.list_daemons(service_name="nfs.other").result == []
    assert [one.hostname for one in manager.list_daemons(host="b").result] == ["b"]
    assert not [
        name for name in dir(manager) if name.startswith(("apply", "remove", "add", "service_action", "create"))
    ]


def members(tmp_path: Path, existing: str, cluster_nodes: str) -> list[str]:
    """What is run on the cluster for some nodes, where others were entered before."""
    log = tmp_path / "log"
    fake = tmp_path / "fake"
    fake.write_text(
        f'#!/bin/sh\necho "$*" >> {log}\ncase "$*" in\n'
        f'  *" member a") echo "{existing}" | grep -q a ;;\n  *" member b") echo "{existing}" | grep -q b ;;\n'
        f'  *" dump") printf "cur=3 rec=0\\n======\\n"; for node in {existing}; do printf "%s\\tE\\n" $node; done ;;\n'
        f'  *" stat "*) [ -n "{existing}" ] ;;\nesac\n'
    )
    fake.chmod(0o755)
    text = (TEMPLATES / "ganesha-members.j2").read_text()
    for tool in ("/usr/bin/ganesha-rados-grace", "/usr/bin/rados"):
        text = text.replace(tool, str(fake))
    script = tmp_path / "members"
    script.write_text(text)
    environment = {"HOLDFAST_CLUSTER": "holdfast", "HOLDFAST_NODES": cluster_nodes, "PATH": "/usr/bin:/bin"}
    subprocess.run([shutil.which("python3") or "python3", "-I", script], check=True, env=environment)
    words = [line.split(" holdfast ", 1)[1] for line in log.read_text().splitlines()]
    return [line for line in words if not line.startswith(("member", "dump", "stat"))]


def test_servers_are_entered_once_and_those_that_are_none_are_taken_out(tmp_path: Path) -> None:
    assert members(tmp_path, "", "a b") == ["create conf-nfs.holdfast", "add a", "add b"]
    (tmp_path / "log").unlink()
    assert members(tmp_path, "a c", "a b") == ["add b", "remove c"]
    (tmp_path / "log").unlink()
    assert members(tmp_path, "a b", "a b") == []
