# SPDX-License-Identifier: Apache-2.0
"""A cluster, judged by Ceph's own tools and by the bytes on the disks. The order matters."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from conftest import HOSTS, SCENARIO, Site

INVENTORY = yaml.safe_load((SCENARIO / "inventory/group_vars/all/main.yml").read_text())
(DISK,) = INVENTORY["ceph_osds"]
SPARE = DISK["device"].replace("osd", "spare")
POOLS = INVENTORY["ceph_pools"]
(CLIENT,) = INVENTORY["ceph_clients"]


# -- what a converged cluster shows -----------------------------------------------------------------------------


def test_it_is_healthy_and_its_pools_are_as_wanted(site: Site) -> None:
    site.wait("HEALTH_OK")
    pools = {pool["pool_name"]: pool for pool in site.ceph("osd pool ls detail")}
    assert set(pools) == {".mgr", *(pool["name"] for pool in POOLS)}
    for pool in POOLS:
        found = pools[pool["name"]]
        assert (found["size"], found["min_size"], found["pg_num"]) == (3, 2, pool["pg_num"])
        assert set(found["application_metadata"]) == {"rbd"}


def test_no_client_may_do_more_than_it_was_given(site: Site) -> None:
    entries = {entry["entity"]: entry["caps"] for entry in site.ceph("auth ls")["auth_dump"]}
    clients = {name: caps for name, caps in entries.items() if name.startswith("client.")}
    assert clients["client.tester"] == CLIENT["caps"]
    mighty = {name for name, caps in clients.items() if any("*" in text for text in caps.values())}
    assert mighty == {"client.admin"}
    assert {name for name in clients if "bootstrap" not in name} == {"client.admin", "client.tester"}


def test_only_the_second_protocol_is_spoken_and_encrypted(site: Site) -> None:
    for monitor in site.ceph("mon dump")["mons"]:
        assert [address["type"] for address in monitor["public_addrs"]["addrvec"]] == ["v2"]
    for host in site.hosts.values():
        listening = host.check_output("ss -Hltn")
        assert ":3300 " in listening
        assert ":6789 " not in listening
        conf = host.file("/etc/ceph/ceph.conf").content_string
        assert conf.count("_mode = secure") == 6
    assert site.ceph("config get mon auth_allow_insecure_global_id_reclaim") is False


def test_data_and_its_copies_go_over_their_networks(site: Site) -> None:
    bridges = INVENTORY["networks_bridges"]
    for name, host in site.hosts.items():
        own = {
            network: host.check_output(f"ip -4 -o addr show dev {bridges[network]['bridge']}").split()[3].split("/")[0]
            for network in ("storage", "repl")
        }
        for osd in site.ceph("osd dump")["osds"]:
            metadata = site.ceph(f"osd metadata {osd['osd']}")
            if metadata["hostname"] == name:
                assert own["storage"] in metadata["front_addr"]
                assert own["repl"] in metadata["back_addr"]


def test_keyrings_are_where_they_are_needed_and_for_nobody_else_to_read(host: Any) -> None:
    assert host.file("/etc/ceph/ceph.client.admin.keyring").mode == 0o600
    assert host.file("/var/lib/ceph/bootstrap-osd/ceph.keyring").mode == 0o600
    assert not host.file("/etc/ceph/ceph.client.tester.keyring").exists
    assert "key" not in host.file("/etc/ceph/ceph.conf").content_string.replace("keyring", "")


def test_all_modules_of_the_manager_load(site: Site) -> None:
    health = site.ceph("health detail")
    assert "MGR_MODULE_DEPENDENCY" not in health["checks"]
    modules = site.ceph("mgr module ls")
    broken = [module["name"] for module in modules["disabled_modules"] if not module["can_run"]]
    assert not {"volumes", "rbd_support", "balancer", "pg_autoscaler", "orchestrator"} & set(broken)


def test_again_and_in_check_mode_nothing_changes(site: Site) -> None:
    before = site.fingerprint()
    for arguments in ([], ["--check", "--diff"]):
        run = site.converge(*arguments)
        assert run.rc == 0, run.output
        assert not run.changes(), run.output
    assert site.fingerprint() == before


# -- refusals: each changes nothing -----------------------------------------------------------------------------


def refused(site: Site, *expected: str, **variables: Any) -> None:
    before = site.fingerprint()
    run = site.converge(**variables)
    assert run.rc != 0, run.output
    for text in expected:
        assert text in run.output
    assert not run.changes()
    assert site.fingerprint() == before


def test_another_network_is_refused(site: Site) -> None:
    refused(site, "[ceph.option]", ceph_conf_overrides={"global": {"public_network": "10.0.0.0/8"}})
    refused(site, "[placement.network]", networks_ports={"mgmt": {"interface": "eth0"}, "repl": {"interface": "eth2"}})


@pytest.mark.parametrize("osd", ["allow *", "profile rdb pool=volumes", "profile rbd pool=volume"])
def test_bad_rights_never_reach_the_cluster(site: Site, osd: str) -> None:
    client = {**CLIENT, "caps": {**CLIENT["caps"], "osd": osd}}
    refused(site, "[ceph.caps", "ceph_clients[0].caps.osd", ceph_clients=[client])


def test_more_copies_than_hosts_are_refused(site: Site) -> None:
    refused(site, "[ceph.pool-hosts]", "3 hosts", ceph_pools=[{**POOLS[0], "size": 4}, POOLS[1]])


def test_options_that_ceph_does_not_have_are_refused(site: Site) -> None:
    refused(site, "[ceph_cluster.option]", ceph_config={"osd": {"osd_memory_targt": "1G"}})
    refused(site, "[ceph_cluster.value]", ceph_config={"mon": {"mon_data_avail_warn": "few"}})


FILLED = {
    "a file system": ("mkfs.ext4 -qF {0}", "ext4", "disk.holds_data"),
    "random bytes": ("dd if=/dev/urandom of={0} bs=4096 count=1 seek=40 conv=fsync", "unknown form", "disk.holds_data"),
    "an OSD of another cluster": (
        # A label alone, as another cluster's OSD has it.
        (
            "dd if={1} of={0} bs=4096 count=1 conv=fsync &&"
            " ceph-bluestore-tool set-label-key --dev {0} -k ceph_fsid -v 11111111-2222-4333-8444-555555555555"
        ),
        "OSD 0 of another cluster|OSD 1 of another cluster|OSD 2 of another cluster",
        "ceph_osd.foreign",
    ),
}


@pytest.mark.parametrize("case", FILLED)
def test_a_disk_that_holds_anything_is_refused_and_the_same_bit_for_bit(site: Site, case: str) -> None:
    command, texts, code = FILLED[case]
    host = site.hosts[HOSTS[0]]
    spare, disk = (_named(path, HOSTS[0]) for path in (SPARE, DISK["device"]))
    host.check_output(f"blkdiscard --force --zeroout {spare}")
    host.run_expect([0], command.format(spare, disk))
    before = host.check_output(f"sha256sum {spare}")
    run = site.converge(ceph_osds=[DISK, {"device": SPARE, "wipe": SPARE} if "foreign" in code else {"device": SPARE}])
    assert run.rc != 0
    assert any(text in run.output for text in texts.split("|")), run.output
    assert f"[{code}]" in run.output
    assert host.check_output(f"sha256sum {spare}") == before
    assert len(site.ceph("osd ls")) == len(HOSTS)
    host.check_output(f"blkdiscard --force --zeroout {spare}")


def _named(path: str, host: str) -> str:
    return path.replace("{{ inventory_hostname }}", host)


# -- changes ----------------------------------------------------------------------------------------------------


def test_check_mode_shows_what_would_change(site: Site) -> None:
    before = site.fingerprint()
    run = site.converge("--check", "--diff", ceph_pools=[{**POOLS[0], "quota_objects": 1000}, POOLS[1]])
    assert run.rc == 0, run.output
    assert "+quota_objects: 1000" in run.output
    assert site.fingerprint() == before


def test_a_monitor_that_lost_its_store_joins_again(site: Site) -> None:
    name = HOSTS[-1]
    site.hosts[name].check_output(f"systemctl stop ceph-mon@{name} && rm -r /var/lib/ceph/mon/ceph-{name}")
    run = site.converge()
    assert run.rc == 0, run.output
    site.wait("HEALTH_OK")
    assert len(site.ceph("quorum_status")["quorum_names"]) == len(HOSTS)


def test_a_host_that_lost_its_directories_takes_its_osd_up_again(site: Site) -> None:
    host = site.hosts[HOSTS[1]]
    number = host.check_output("ls /var/lib/ceph/osd").rpartition("-")[2]
    host.check_output(f"systemctl disable --now ceph-osd@{number} && rm -r /var/lib/ceph/osd/ceph-{number}")
    run = site.converge()
    assert run.rc == 0, run.output
    site.wait("HEALTH_OK")
    assert len(site.ceph("osd ls")) == len(HOSTS)
    assert not site.converge().changes()


def test_new_disks_are_added_and_leave_by_their_names(site: Site) -> None:
    run = site.converge(ceph_osds=[DISK, {"device": SPARE, "class": "ssd"}])
    assert run.rc == 0, run.output
    assert len(site.ceph("osd ls")) == 2 * len(HOSTS)
    site.wait("HEALTH_OK")
    leaving = [f"{name}:{_named(SPARE, name)}" for name in HOSTS]
    for _ in range(10):
        run = site.converge(ceph_remove_osds=leaving)
        assert run.rc == 0, run.output
        if not run.changes() and len(site.ceph("osd ls")) == len(HOSTS):
            break
    site.wait("HEALTH_OK")
    assert len(site.ceph("osd ls")) == len(HOSTS)
    assert not site.converge(ceph_remove_osds=leaving).changes()
