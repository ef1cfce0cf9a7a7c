# SPDX-License-Identifier: Apache-2.0
"""A cluster, judged by Ceph's own tools and by the bytes on the disks. The order matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab_site import INVENTORY, PROJECT, SCENARIO, Run, Site, wait

GROUPS = yaml.safe_load((INVENTORY / "hosts.yml").read_text())["all"]["children"]
HOSTS = tuple(GROUPS["ceph_osd"]["hosts"])
(CLIENT_HOST,) = GROUPS["ceph_client"]["hosts"]
VARIABLES = yaml.safe_load((INVENTORY / "group_vars/all/main.yml").read_text())
(DISK,) = VARIABLES["ceph_osds"]
SPARE = DISK["device"].replace("osd", "spare")
POOLS = VARIABLES["ceph_pools"]
CLIENT, GUEST = VARIABLES["ceph_clients"]
# Without what Ceph changes by itself.
FINGERPRINT = (
    "for what in 'config dump' 'auth ls' 'osd pool ls detail' 'osd crush dump' 'osd ls'; do"
    " ceph $what -f json | sha256sum; done; ceph mon dump 2>/dev/null | grep -c mon."
)


class Cluster(Site):
    """The hosts that are a cluster, the cluster, and a host that uses it."""

    def __init__(self, ssh_config: str) -> None:
        super().__init__(ssh_config)
        self.client = self.hosts.pop(CLIENT_HOST)

    def give(self, inventory: str, **secrets: str) -> None:
        """Write the vault file of an inventory of the scenario."""
        path = SCENARIO / inventory / "group_vars/all/secrets.yml"
        subprocess.run(
            [Path(sys.executable).with_name("ansible-vault"), "encrypt", "--output", path],
            cwd=PROJECT,
            env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")},
            input=yaml.safe_dump({"holdfast_secrets": secrets}),
            text=True,
            check=True,
            capture_output=True,
        )

    def ceph(self, command: str) -> Any:
        """What `ceph COMMAND` answers on the first host, as JSON."""
        return json.loads(self.hosts[HOSTS[0]].check_output(f"ceph --connect-timeout 20 {command} --format json"))

    def wait(self) -> None:
        """Until the cluster is healthy with every placement group clean."""

        def healthy() -> bool:
            status = self.ceph("status")
            states = {state["state_name"] for state in status["pgmap"].get("pgs_by_state", ())}
            assert (status["health"]["status"], states) == ("HEALTH_OK", {"active+clean"}), status["health"]
            return True

        wait(healthy, "the cluster is healthy and clean")

    def wait_for_files(self) -> None:
        """Until the file system has its server, and one that stands by."""

        def served() -> bool:
            servers = self.ceph("fs dump")
            states = [entry["state"] for entry in servers["filesystems"][0]["mdsmap"]["info"].values()]
            assert (states, len(servers["standbys"])) == (["up:active"], 1)
            return True

        wait(served, "one server is active and one stands by")

    def fingerprint(self) -> str:
        """Of all that a run may change in the cluster. Two that are equal: nothing was changed between."""
        return str(self.hosts[HOSTS[0]].check_output(FINGERPRINT))


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Cluster:
    return Cluster(request.config.getoption("--ssh-config"))


# -- what a converged cluster shows -----------------------------------------------------------------------------


def test_it_is_healthy_and_its_pools_are_as_wanted(site: Cluster) -> None:
    names = {".mgr", *(pool["name"] for pool in POOLS)}
    # The manager makes its own pool when there is an OSD to keep it.
    wait(lambda: set(site.ceph("osd pool ls")) == names, f"the pools are {names}")
    site.wait()
    pools = {pool["pool_name"]: pool for pool in site.ceph("osd pool ls detail")}
    for pool in POOLS:
        found = pools[pool["name"]]
        assert (found["size"], found["min_size"], found["pg_num"]) == (3, 2, pool["pg_num"])
        assert set(found["application_metadata"]) == {pool["application"]}


def test_a_file_system_has_a_server_and_one_that_stands_by(site: Cluster) -> None:
    (found,) = site.ceph("fs ls")
    wanted = VARIABLES["ceph_filesystems"][0]
    assert (found["name"], found["metadata_pool"], found["data_pools"]) == (
        wanted["name"],
        wanted["metadata_pool"],
        [wanted["data_pool"]],
    )

    site.wait_for_files()


def test_no_client_may_do_more_than_it_was_given(site: Cluster) -> None:
    entries = {entry["entity"]: entry["caps"] for entry in site.ceph("auth ls")["auth_dump"]}
    clients = {name: caps for name, caps in entries.items() if name.startswith("client.")}
    assert clients["client.tester"] == CLIENT["caps"]
    mighty = {name for name, caps in clients.items() if any("*" in text for text in caps.values())}
    assert mighty == {"client.admin"}
    own = {f"client.{client['name']}" for client in (CLIENT, GUEST)}
    assert {name for name in clients if "bootstrap" not in name} == {"client.admin", *own}


def test_only_the_second_protocol_is_spoken_and_encrypted(site: Cluster) -> None:
    for monitor in site.ceph("mon dump")["mons"]:
        assert [address["type"] for address in monitor["public_addrs"]["addrvec"]] == ["v2"]
    for host in site.hosts.values():
        listening = host.check_output("ss -Hltn")
        assert ":3300 " in listening
        assert ":6789 " not in listening
        conf = host.file("/etc/ceph/ceph.conf").content_string
        assert conf.count("_mode = secure") == 6
    assert site.ceph("config get mon auth_allow_insecure_global_id_reclaim") is False


def test_data_and_its_copies_go_over_their_networks(site: Cluster) -> None:
    bridges = VARIABLES["networks_bridges"]
    seen = []
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
                seen.append(name)
    assert sorted(seen) == sorted(HOSTS)


def test_keyrings_are_where_they_are_needed_and_for_nobody_else_to_read(site: Cluster) -> None:
    for name, host in site.hosts.items():
        admin = host.file("/etc/ceph/ceph.client.admin.keyring")
        assert (admin.mode == 0o600) if name in GROUPS["ceph_admin"]["hosts"] else not admin.exists
        assert host.file("/var/lib/ceph/bootstrap-osd/ceph.keyring").mode == 0o600
        assert not host.file("/etc/ceph/ceph.client.tester.keyring").exists
        assert "key" not in host.file("/etc/ceph/ceph.conf").content_string.replace("keyring", "")


def test_a_listed_client_has_its_keyring_where_it_works_and_may_do_what_it_was_given(site: Cluster) -> None:
    keyring = site.client.file(f"/etc/ceph/ceph.client.{CLIENT['name']}.keyring")
    assert (keyring.user, keyring.group, keyring.mode) == ("root", CLIENT["reader"], 0o640)
    assert set(site.client.file("/etc/ceph").listdir()) - {"rbdmap"} == {"ceph.conf", keyring.path.rpartition("/")[2]}
    as_client = f"rados --id {CLIENT['name']}"
    site.client.check_output(f"{as_client} --pool volumes put told /etc/hostname")
    site.client.check_output(f"{as_client} --pool volumes rm told")
    refused = site.client.run(f"{as_client} --pool images put told /etc/hostname")
    assert refused.rc != 0
    assert "not permitted" in refused.stderr


def test_all_modules_of_the_manager_load(site: Cluster) -> None:
    health = site.ceph("health detail")
    assert not {"MGR_MODULE_DEPENDENCY", "MGR_MODULE_ERROR"} & set(health["checks"])
    # Each is answered by a module that is always on: `mgr module ls` does not say whether such a one runs. It takes a
    # manager seconds to load them all.
    for question in ("balancer status", "osd pool autoscale-status", "fs volume ls"):

        def is_answered(question: str = question) -> bool:
            return site.ceph(question) is not None

        wait(is_answered, f"the manager answers {question}")


def test_again_and_in_check_mode_nothing_changes(site: Cluster) -> None:
    before = site.fingerprint()
    for arguments in ([], ["--check", "--diff"]):
        run = site.converge(*arguments)
        assert run.rc == 0, run.output
        assert not run.changes(), run.output
    assert site.fingerprint() == before


def test_it_comes_back_by_itself_when_the_power_of_all_hosts_was_cut(site: Cluster) -> None:
    first = site.hosts[HOSTS[0]]
    first.check_output(f"echo kept | rados --pool {POOLS[0]['name']} put outage -")
    site.power("cycled", *HOSTS)
    site.wait()
    site.wait_for_files()
    assert first.check_output(f"rados --pool {POOLS[0]['name']} get outage -") == "kept"
    run = site.converge()
    assert (run.rc, run.changes()) == (0, []), run.output


# -- refusals: each changes nothing -----------------------------------------------------------------------------


def refused(site: Cluster, *expected: str, **variables: Any) -> None:
    before = site.fingerprint()
    run = site.converge(**variables)
    assert run.rc != 0, run.output
    for text in expected:
        assert text in run.output
    assert not run.changes()
    assert site.fingerprint() == before


def test_another_network_is_refused(site: Cluster) -> None:
    refused(site, "[ceph.option]", ceph_conf_overrides={"global": {"public_network": "10.0.0.0/8"}})
    refused(site, "[networks.no_port]", networks_ports={"mgmt": {"interface": "eth0"}, "repl": {"interface": "eth2"}})


@pytest.mark.parametrize("osd", ["allow *", "profile rdb pool=volumes", "profile rbd pool=volume"])
def test_bad_rights_never_reach_the_cluster(site: Cluster, osd: str) -> None:
    client = {**CLIENT, "caps": {**CLIENT["caps"], "osd": osd}}
    refused(site, "[ceph.caps", "ceph_clients[0].caps.osd", ceph_clients=[client, GUEST])


def test_more_copies_than_hosts_are_refused(site: Cluster) -> None:
    refused(site, "[ceph.pool-hosts]", "3 hosts", ceph_pools=[{**POOLS[0], "size": 4}, *POOLS[1:]])


def test_options_that_ceph_does_not_have_are_refused(site: Cluster) -> None:
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
def test_a_disk_that_holds_anything_is_refused_and_the_same_bit_for_bit(site: Cluster, case: str) -> None:
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


def test_check_mode_shows_what_would_change(site: Cluster) -> None:
    before = site.fingerprint()
    run = site.converge("--check", "--diff", ceph_pools=[{**POOLS[0], "quota_objects": 1000}, *POOLS[1:]])
    assert run.rc == 0, run.output
    assert "+quota_objects: 1000" in run.output
    assert site.fingerprint() == before


def test_a_monitor_that_lost_its_store_joins_again(site: Cluster) -> None:
    name = HOSTS[-1]
    site.hosts[name].check_output(f"systemctl stop ceph-mon@{name} && rm -r /var/lib/ceph/mon/ceph-{name}")
    run = site.converge()
    assert run.rc == 0, run.output
    site.wait()
    wait(lambda: len(site.ceph("quorum_status")["quorum_names"]) == len(HOSTS), "all monitors are in the quorum")


def test_a_host_that_lost_its_directories_takes_its_osd_up_again(site: Cluster) -> None:
    host = site.hosts[HOSTS[1]]
    number = host.check_output("ls /var/lib/ceph/osd").rpartition("-")[2]
    host.check_output(f"systemctl disable --now ceph-osd@{number} && rm -r /var/lib/ceph/osd/ceph-{number}")
    run = site.converge()
    assert run.rc == 0, run.output
    site.wait()
    assert len(site.ceph("osd ls")) == len(HOSTS)
    assert not site.converge().changes()


def test_new_disks_are_added_and_leave_by_their_names(site: Cluster) -> None:
    run = site.converge(ceph_osds=[DISK, {"device": SPARE, "class": "ssd"}])
    assert run.rc == 0, run.output
    assert len(site.ceph("osd ls")) == 2 * len(HOSTS)
    site.wait()
    leaving = [f"{name}:{_named(SPARE, name)}" for name in HOSTS]

    runs: list[Run] = []

    def left() -> bool:
        runs.append(site.converge(ceph_remove_osds=leaving))
        return runs[-1].rc != 0 or (not runs[-1].changes() and len(site.ceph("osd ls")) == len(HOSTS))

    wait(left, "the disks have left")
    assert runs[-1].rc == 0, runs[-1].output
    site.wait()
    assert len(site.ceph("osd ls")) == len(HOSTS)
    assert not site.converge(ceph_remove_osds=leaving).changes()


# -- keys, and another deployment ---------------------------------------------------------------------------------


def test_keys_are_rotated_the_administrators_too(site: Cluster) -> None:
    def keys() -> list[str]:
        return [site.ceph(f"auth get client.{name}")[0]["key"] for name in ("admin", CLIENT["name"], GUEST["name"])]

    admin, client, guest = keys()
    secrets = f"ceph_admin_key,ceph_client_{CLIENT['name']}_key,ceph_daemons_root_secret"
    run = site.play("ceph_rotate.yml", rotate_keys=secrets)
    assert run.rc == 0, run.output
    new_admin, new_client, same_guest = keys()
    assert (admin != new_admin, client != new_client, guest == same_guest) == (True, True, True)
    site.client.check_output(f"rbd --id {CLIENT['name']} --pool volumes ls")
    site.wait()
    assert not site.converge().changes()


def guest(site: Cluster, playbook: str, **variables: Any) -> Any:
    """Run a playbook on the deployment to which this cluster is another's."""
    monitors = [monitor["public_addr"].partition(":")[0] for monitor in site.ceph("mon dump")["mons"]]
    external = {"fsid": site.ceph("status")["fsid"], "monitors": monitors}
    return site.play(playbook, inventory=SCENARIO / "external", **{"ceph_external": external, **variables})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"osd": "profile rbd pool=images"}, "[ceph_access.denied]"),
        ({"osd": "profile rbd pool=volums"}, "[ceph_access.missing]"),
    ],
)
def test_another_deployment_is_told_what_it_lacks_and_the_cluster_is_the_same(
    site: Cluster, changed: dict[str, str], expected: str
) -> None:
    site.give("external", ceph_client_guest_key=site.ceph(f"auth get client.{GUEST['name']}")[0]["key"])
    assert guest(site, str(SCENARIO / "converge.yml")).rc == 0
    before = site.fingerprint()
    client = {**GUEST, "caps": {**GUEST["caps"], **changed}, "hosts": ["client1"]}
    run = guest(site, "preflight.yml", ceph_clients=[client])
    assert run.rc != 0
    assert expected in run.output
    assert site.fingerprint() == before


def test_another_deployment_uses_the_cluster_and_changes_nothing_in_it(site: Cluster) -> None:
    before = site.fingerprint()
    again = guest(site, str(SCENARIO / "converge.yml"))
    assert (again.rc, again.changes()) == (0, []), again.output
    assert site.fingerprint() == before
    site.client.check_output(f"rbd --id {GUEST['name']} create volumes/told --size 8 && rbd --id guest rm volumes/told")


def test_another_deployment_with_a_wrong_key_is_refused(site: Cluster) -> None:
    site.give("external", ceph_client_guest_key=site.ceph(f"auth get client.{CLIENT['name']}")[0]["key"])
    run = guest(site, str(SCENARIO / "converge.yml"))
    assert run.rc != 0
    assert "client.guest" in run.output
