# SPDX-License-Identifier: Apache-2.0
"""A volume group and its targets, judged by the kernel, LVM and the daemons. The order matters."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml
from attached_site import FILLED, MIB, AttachedSite, cut, refused_and_the_same
from lab_site import INVENTORY, LAB, wait
from volume_site import CLOUD, CLOUDS

from ansible_collections.holdfast.storage.plugins.module_utils.controller.cloud import Client
from ansible_collections.holdfast.storage.plugins.module_utils.core.attach import stories as attached

VARIABLES = yaml.safe_load((INVENTORY / "group_vars/all/main.yml").read_text())
SECOND_WAY = "172.29.247.21"
# What the kernel serves, by the volume's type.
TARGETS = {"local": "/sys/kernel/config/target/iscsi", "quick": "/sys/kernel/config/nvmet/subsystems"}


class LocalSite(AttachedSite):
    """The hosts and the API, and targets that stand while nobody uses them."""

    @contextlib.contextmanager
    def reserved(self, volume: str) -> Iterator[None]:
        """A volume that the service gives to compute1, which does not connect it: its target stands meanwhile."""
        compute = self.hosts["compute1"]
        cloud = Client.from_file(CLOUDS, CLOUD)
        connector = {
            "host": "compute1",
            "ip": compute.interface("br-storage").addresses[0],
            "initiator": compute.check_output("sed -n s/^InitiatorName=//p /etc/iscsi/initiatorname.iscsi"),
            "nqn": compute.check_output("cat /etc/nvme/hostnqn"),
            "multipath": True,
        }
        attachment, _ = attached.attach(cloud, volume, connector)
        try:
            yield
        finally:
            attached.detach(cloud, attachment)


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> LocalSite:
    return LocalSite(request.config.getoption("--ssh-config"))


@pytest.fixture(scope="session")
def written(site: LocalSite) -> dict[str, str]:
    """A volume of each type by its name, which is also the name of its content, written before any host is lost."""
    volumes = {}
    for kind in TARGETS:
        name = f"written-{kind}"
        volumes[kind] = site.volume(name, "--type", kind)["id"]
        run = site.attach(volumes[kind], name, 16 * MIB, write=True, multipath=kind == "local")
        assert run.rc == 0, run.output
    return volumes


def ways(host: Any) -> list[str]:
    """Each way to volumes by multipath, as the kernel's device mapper has it: A is in use, F was given up."""
    return sorted(re.findall(r" \d+:\d+ ([AF]) \d+", host.run("dmsetup status --target multipath").stdout))


def test_the_stories_of_attached_volumes_hold(site: LocalSite) -> None:
    run = site.play("verify.yml")
    assert run.rc == 0, run.output
    told = {story["id"]: story for story in json.loads((LAB / "verify.json").read_text())}
    wanted = {"block.iscsi_written", "block.iscsi_restored", "block.chap", "block.nvme_written"}
    assert wanted <= set(told)
    assert told["block.iscsi_written"]["evidence"]["ways"] == 2


def test_the_volume_group_is_the_deployments_and_lvm_sees_nothing_else(site: LocalSite) -> None:
    host = site.hosts["storage1"]
    report = json.loads(host.check_output("vgs --reportformat json -o vg_name,vg_tags,pv_count"))["report"][0]["vg"]
    assert report == [{"vg_name": "cinder-volumes", "vg_tags": "holdfast.lvm.storage1", "pv_count": "2"}]
    assert "twi-" in host.check_output("lvs --noheadings -o lv_attr cinder-volumes/cinder-volumes-pool")
    for name in ("storage1", "compute1"):
        used = site.hosts[name].check_output("lvmconfig --type full devices/use_devicesfile")
        assert used == "use_devicesfile=1"


def test_targets_are_served_on_br_storage_alone(site: LocalSite) -> None:
    lines = site.hosts["storage1"].check_output("ss -Hltn").splitlines()
    places = {line.split()[3] for line in lines if line.split()[3].rpartition(":")[2] in ("3260", "4420")}
    addresses = {place.rpartition(":")[0] for place in places}
    assert addresses <= {SECOND_WAY, site.hosts["storage1"].interface("br-storage").addresses[0]}, places


def test_names_of_the_attaching_host_are_its_own(site: LocalSite) -> None:
    found = {
        site.hosts[name].file("/etc/iscsi/initiatorname.iscsi").content_string for name in ("storage1", "compute1")
    }
    assert len(found) == 2
    assert "user_friendly_names no" in site.hosts["compute1"].file("/etc/multipath.conf").content_string


def test_who_has_one_way_gives_a_lost_volume_up_before_it_comes_back(site: LocalSite) -> None:
    """By what the kernel has for the session while the volume is attached; docs/adr/0012 counts on it."""
    compute = site.hosts["compute1"]
    # The default, for which Holdfast writes nothing.
    option = "s/^node.session.timeo.replacement_timeout *= *//p"
    assert compute.check_output(f"sed -n '{option}' /etc/iscsi/iscsid.conf") == "120"
    # One of its own: multipathd takes whatever it has had before.
    volume = site.volume("one-way", "--type", "local")["id"]
    wanted = str(VARIABLES["attach_give_up_one_way_seconds"])
    found: set[str] = set()

    def given() -> bool:
        found.update(compute.run("cat /sys/class/iscsi_session/*/recovery_tmo").stdout.split())
        return wanted in found

    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(site.attach, volume, "one-way", 64 * MIB, write=True)
        wait(lambda: given() or told.done(), "the session has its time")
        run = told.result()
    assert run.rc == 0, run.output
    assert wanted in found, found
    unit = site.hosts["storage1"].check_output("systemctl cat holdfast-volumes-wait.service")
    assert 0 < int(wanted) < int(re.findall(r"(\d+) - time\.monotonic", unit)[0])


def test_a_way_is_cut_while_a_host_writes_and_the_other_carries_on(site: LocalSite) -> None:
    storage, compute = site.hosts["storage1"], site.hosts["compute1"]
    volume = site.volume("cut", "--type", "local")["id"]
    # With the first writes that reach the volume.
    begun = (
        "read -r reads merged sectors ticks writes rest"
        f" < /sys/block/$(basename $(readlink -f /dev/cinder-volumes/volume-{volume}))/stat"
        " && [ $writes -gt 8 ]"
    )
    with ThreadPoolExecutor(1) as pool:
        with cut(storage, f"ip daddr {SECOND_WAY}", begun) as dropped:
            told = pool.submit(site.attach, volume, "cut", 192 * MIB, write=True, multipath=True)
            wait(lambda: told.done() or ways(compute) == ["A", "F"], "compute1 gives up the way that was cut")
            given_up, lost = ways(compute), dropped()
            shown, logins = compute.run("multipath -ll").stdout, sessions(compute)
        run = told.result()
    assert run.rc == 0, run.output
    assert given_up == ["A", "F"], "The write was over before a way was lost."
    assert lost > 0
    # What the tools say of it is what the kernel has.
    assert len(re.findall(r"active +ready +running", shown)) == 1, shown
    assert len(re.findall(r"failed +faulty", shown)) == 1, shown
    assert logins == sorted([SECOND_WAY, storage.interface("br-storage").addresses[0]])
    # Nothing of it is left on the host when the volume was let go.
    assert (ways(compute), sessions(compute)) == ([], [])


def sessions(host: Any) -> list[str]:
    """The portals to which iscsiadm has the host logged in."""
    return sorted(re.findall(r"tcp: \[\d+\] ([\d.]+):3260", host.run("iscsiadm --mode session").stdout))


def targets_are_back(site: LocalSite, written: dict[str, str]) -> None:
    """Those of volumes that nobody has connected since the host booted; the service does nothing to them."""
    storage = site.hosts["storage1"]
    for kind, place in TARGETS.items():

        def is_back(files: str = f"{place}/*{written[kind]}*") -> bool:
            return bool(storage.run(f"ls -d {files}").rc == 0)

        wait(is_back, f"the target of the {kind} volume is back")
    # targetcli says of the one by iSCSI what the model does: it asks for a secret, and stands on both addresses.
    shown = storage.check_output(f"targetcli ls /iscsi/iqn.2010-10.org.openstack:volume-{written['local']}")
    assert "1-way auth" in shown
    portals = sorted(re.findall(r"o- ([\d.]+):3260", shown))
    assert portals == sorted([SECOND_WAY, storage.interface("br-storage").addresses[0]]), shown


def content_is_there(site: LocalSite, written: dict[str, str], kind: str) -> None:
    site.wait(f"written-{kind}", status="available")
    run = site.attach(written[kind], f"written-{kind}", 16 * MIB, multipath=kind == "local")
    assert run.rc == 0, run.output


def volumes_are_those_of_the_api(site: LocalSite) -> None:
    """Each is one of LVM, and none is there that the API does not know; their pool is watched."""
    storage = site.hosts["storage1"]
    watched = storage.check_output("lvs --noheadings -o seg_monitor cinder-volumes/cinder-volumes-pool")
    assert watched.strip() == "monitored"
    assert storage.check_output("systemctl is-active dm-event.service") == "active"
    known = {f"volume-{volume['ID']}" for volume in site.openstack("volume", "list", "--format", "json")}
    assert {name for name in storage.check_output("lvs --noheadings -o lv_name cinder-volumes").split()
            if name.startswith("volume-")} == known  # fmt: skip


def is_ready_to_attach(compute: Any) -> None:
    assert compute.check_output("systemctl is-active multipathd.service") == "active"
    assert (ways(compute), sessions(compute)) == ([], [])


def test_targets_content_and_the_host_that_attaches_are_there_after_a_reboot(
    site: LocalSite, written: dict[str, str]
) -> None:
    """Both hosts restart at once, each as an operator does it."""
    with contextlib.ExitStack() as held:
        for volume in written.values():
            held.enter_context(site.reserved(volume))
        site.power("restarted", "storage1", "compute1")
        is_ready_to_attach(site.hosts["compute1"])
        targets_are_back(site, written)
        site.wait_for_service()
    for kind in TARGETS:
        content_is_there(site, written, kind)
    volumes_are_those_of_the_api(site)
    run = site.converge()
    assert (run.rc, run.changes()) == (0, []), run.output


@pytest.mark.parametrize("kind", TARGETS)
def test_targets_content_and_what_a_volume_acknowledged_are_there_after_a_power_cut_while_a_host_writes(
    site: LocalSite, written: dict[str, str], kind: str
) -> None:
    """The writer is told that it failed, and how much is on the device: see docs/adr/0012."""
    storage = site.hosts["storage1"]
    name, whole = f"torn-{kind}", 252 * MIB
    volume = site.volume(name, "--type", kind)["id"]
    sectors = f"cat /sys/block/$(basename $(readlink -f /dev/cinder-volumes/volume-{volume}))/stat"
    with contextlib.ExitStack() as held:
        for other in written.values():
            held.enter_context(site.reserved(other))
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(site.attach, volume, name, whole, write=True, multipath=kind == "local")
            wait(lambda: told.done() or int(storage.check_output(sectors).split()[6]) > 40000, "sectors are written")
            assert not told.done(), told.result().output
            site.power("cycled", "storage1")
            run = told.result()
        acknowledged = int(re.findall(r"after (\d+) bytes that are on the device", run.output)[-1])
        assert acknowledged >= 16 * MIB
        targets_are_back(site, written)
        site.wait_for_service()
    site.wait(name, status="available")
    run = site.attach(volume, name, acknowledged, multipath=kind == "local", whole=whole)
    assert run.rc == 0, run.output
    content_is_there(site, written, kind)
    volumes_are_those_of_the_api(site)


def test_the_host_that_attaches_is_ready_after_a_power_cut_and_nothing_is_left_to_do(
    site: LocalSite, written: dict[str, str]
) -> None:
    """On either host: the other had its power cut before."""
    compute = site.hosts["compute1"]
    site.power("cycled", "compute1")
    is_ready_to_attach(compute)
    content_is_there(site, written, "local")
    run = site.converge()
    assert (run.rc, run.changes()) == (0, []), run.output


def test_a_volume_group_is_given_up_whole_or_not_at_all(site: LocalSite) -> None:
    names = [f"storage1:/dev/disk/by-id/holdfast-lvm{number}" for number in (1, 2)]
    shown = site.play("destroy.yml", "--check", "--diff", destroy="lvm", destroy_disks=names)
    assert shown.rc == 0, shown.output
    assert "cinder-volumes (remove)" in shown.output
    run = site.play("destroy.yml", "--check", destroy="lvm", destroy_disks=names[:1])
    assert run.rc != 0, run.output
    assert "erasure.part" in run.output


def test_disks_that_hold_anything_are_refused_and_the_same_afterwards(site: LocalSite) -> None:
    disks = [f"/dev/disk/by-id/holdfast-{name}" for name in FILLED]
    given = [{"name": "more", "type": "lvm", "volume_group": "more", "devices": disks}]
    refused_and_the_same(site, cinder_backends=given, cinder_volume_types=[])
