# SPDX-License-Identifier: Apache-2.0
"""What systemd keeps the units from that Holdfast writes, or makes its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import Deployment, known_secrets
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks.kinds import firewall
from ansible_collections.holdfast.storage.plugins.module_utils.host import guard
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

WHERE = "/etc/systemd/system/"
DROP_IN = "holdfast-hardening.conf"
ANALYZE = shutil.which("systemd-analyze")
# Of Debian's units, who runs them and how: what a drop-in lies over.
DEBIANS = {"swift-": "User=swift\nGroup=swift\n", "etcd": "User=etcd\n", "rsync": ""}
# The guard's own word says why.
UNCONFINED = {"holdfast-guard@.service"}


def written() -> dict[str, str]:
    """Every file of systemd's that the good inventories have, below its directory."""
    found: dict[str, str] = {}
    for name in ("lab", "local", "placement"):
        model, _ = cases.build(cases.raw(cases.good(name)))
        assert model
        names = {**known_secrets(), **cases.domain().named_secrets(model)}
        services = Deployment.of(model, dict.fromkeys(names, "AQ==")).services
        for host in model.hosts.values():
            for component in services.components(host):
                for entry in component.get("files", ()):
                    if entry["path"].startswith(WHERE) and "content" in entry:
                        found[entry["path"].removeprefix(WHERE)] = entry["content"]
    return found


@pytest.fixture(scope="module")
def units() -> dict[str, str]:
    found = written()
    assert {"cinder-volume.service", "glance-api.service", "holdfast-nvmet.service", "keystone.service"} <= set(found)
    return found


def services(found: dict[str, str]) -> Iterator[str]:
    """The services that are ours: those that we write, and those of Debian's that we keep from something."""
    yield from sorted({name.removesuffix(f".d/{DROP_IN}") for name in found if name.endswith(f".service.d/{DROP_IN}")})


def test_every_service_that_is_written_is_kept_from_something(units: dict[str, str]) -> None:
    ours = {name for name in units if name.endswith(".service")}
    assert ours <= set(services(units))


def test_a_service_is_restarted_when_its_switches_change() -> None:
    model, _ = cases.build(cases.raw(cases.good("lab")))
    assert model
    deployed = cases.deployed(cases.good("lab"))
    seen = set()
    for host in deployed.model.hosts.values():
        for component in deployed.components(host):
            files = {entry["path"] for entry in component["files"]}
            for unit in component.get("units", ()):
                own = f"{WHERE}{unit['name']}.d/{DROP_IN}"
                if own in files:
                    assert unit.get("files") is None or own in unit["files"], unit["name"]
                    seen.add(unit["name"])
    assert {"swift-proxy.service", "swift-object.service", "keystone.service", "glance-api.service"} <= seen


def test_who_listens_where_only_root_may_can_do_so() -> None:
    deployed = cases.deployed(cases.good("lab"))
    seen = set()
    for host in deployed.model.hosts.values():
        for component in deployed.components(host):
            texts = {entry["path"]: entry.get("content", "") for entry in component["files"]}
            for unit in component.get("units", ()):
                ports = [int(place.partition("/")[0].rpartition(":")[2]) for place in unit.get("listens", ())]
                switches = texts.get(f"{WHERE}{unit['name']}.d/{DROP_IN}")
                if switches and min(ports, default=1024) < 1024:
                    allowed = re.findall("^CapabilityBoundingSet=(.*)$", switches, re.MULTILINE)
                    assert any("CAP_NET_BIND_SERVICE" in line for line in allowed), unit["name"]
                    seen.add(unit["name"])
    assert seen == {"rsync.service"}


def given(switches: str, name: str) -> list[str]:
    """The values of a switch, in their order."""
    return re.findall(f"^{name}=(.*)$", switches, re.MULTILINE)


def test_who_opens_devices_of_the_host_may_do_so(units: dict[str, str]) -> None:
    # ProtectClock lists the clock's device, and where one is listed all others are kept away.
    seen = set()
    for name in services(units):
        switches = units[f"{name}.d/{DROP_IN}"]
        if given(switches, "ProtectClock") == ["yes"] and "yes" not in given(switches, "PrivateDevices"):
            assert any(value.startswith("block-") for value in given(switches, "DeviceAllow")), name
            seen.add(name)
    assert {"cinder-volume.service", "holdfast-nvmet.service", "holdfast-volume-groups.service"} <= seen


def test_what_helpers_need_of_the_kernel_is_loaded_before() -> None:
    # LVM and the library of iSCSI targets load the modules of what they make, which cinder's units are kept from.
    loaded, seen = "/etc/modules-load.d/holdfast-volumes.conf", set()
    deployed = cases.deployed(cases.good("local"))
    for host in deployed.model.hosts.values():
        texts = {
            entry["path"]: entry.get("content", "") for part in deployed.components(host) for entry in part["files"]
        }
        switches = texts.get(f"{WHERE}cinder-volume.service.d/{DROP_IN}", "")
        if f"{WHERE}holdfast-volume-groups.service" in texts:
            assert "CAP_SYS_MODULE" in given(switches, "CapabilityBoundingSet")[0]
            assert {"dm-snapshot", "dm-thin-pool", "dm-mirror", "dm-raid"} <= set(texts[loaded].split()), host.name
            seen.add("lvm")
        if "cinder_iscsi" in host.groups:
            assert {"target_core_mod", "target_core_iblock", "iscsi_target_mod"} <= set(texts[loaded].split()), (
                host.name
            )
            seen.add("iscsi")
    assert seen == {"lvm", "iscsi"}


def test_the_volume_groups_come_back_with_whatever_lvm_made_of_them(units: dict[str, str]) -> None:
    unit = "holdfast-volume-groups.service"
    kept, more = (units[f"{unit}.d/{name}"] for name in (DROP_IN, "holdfast-modules.conf"))
    # Systemd reads them by name, and what it reads later without ~ is given back.
    assert DROP_IN < "holdfast-modules.conf"
    for switch, what in (("CapabilityBoundingSet", "CAP_SYS_MODULE"), ("SystemCallFilter", "@module")):
        (list_of_denied,) = given(kept, switch)
        assert list_of_denied.startswith("~")
        assert what in list_of_denied
        assert given(more, switch) == [what]


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        ("/home/images", False),
        ("/home/cloud/images", False),
        ("/srv/home/images", True),
        ("/homes/images", True),
        ("/var/lib/glance/images", True),
    ],
)
def test_images_may_be_kept_below_home(path: str, hidden: bool) -> None:
    case = cases.good("local")
    case["vars"]["glance_default_store"] = "files"
    case["vars"]["glance_stores"] = [
        {"name": "other", "type": "file", "path": "/srv/images", "shared": True},
        {"name": "files", "type": "file", "path": path, "shared": True},
    ]
    deployed = cases.deployed(case)
    seen = set()
    for host in deployed.model.hosts.values():
        for component in deployed.components(host):
            for entry in component.get("files", ()):
                unit = entry["path"].removeprefix(WHERE).removesuffix(f".d/{DROP_IN}")
                if unit in ("glance-api.service", "holdfast-glance-internal.service") and DROP_IN in entry["path"]:
                    assert given(entry["content"], "ProtectHome") == (["yes"] if hidden else []), unit
                    seen.add(unit)
    assert seen == {"glance-api.service", "holdfast-glance-internal.service"}


@pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not on this machine")
def test_systemd_finds_at_most_a_medium_exposure(units: dict[str, str], tmp_path: Path) -> None:
    own = {firewall.UNIT: firewall._UNIT, **guard._UNITS}
    for name, text in {**units, **own}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    judged = sorted({*services(units), *(name for name in own if name.endswith(".service"))} - UNCONFINED)
    for name in judged:
        path = tmp_path / name
        if not path.exists():
            how = next(how for start, how in DEBIANS.items() if name.startswith(start))
            path.write_text(f"[Service]\nExecStart=/bin/true\n{how}")
    said = subprocess.run(
        [
            str(ANALYZE),
            "security",
            "--offline=yes",
            "--threshold=50",
            "--no-pager",
            *(str(tmp_path / n) for n in judged),
        ],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    levels = dict(re.findall(r"exposure level for (\S+): ([0-9.]+)", said.stdout))
    assert set(levels) == set(judged), said.stderr[-300:]
    assert {name: level for name, level in levels.items() if float(level) > 5.0} == {}
    assert said.returncode == 0
    assert len(judged) > 25


def test_configuration_of_services_that_do_not_run_on_a_host_is_roots() -> None:
    deployed = cases.deployed(cases.good("lab"))
    groups = {"keystone": {"keystone"}, "glance": {"glance_api"}, "swift": {"swift_storage", "swift_proxy"}}
    seen = set()
    for host in deployed.model.hosts.values():
        files = {entry["path"]: entry for part in deployed.components(host) for entry in part.get("files", ())}
        lines = files["/etc/tmpfiles.d/holdfast-owners.conf"]["content"].splitlines()
        for service, own in groups.items():
            runs = bool(own.intersection(host.groups))
            seen.add((service, runs))
            assert (f"Z /etc/{service} ~0750 root {service}" in lines) != runs, (host.name, service)
    assert {("keystone", True), ("keystone", False), ("glance", False)} <= seen
