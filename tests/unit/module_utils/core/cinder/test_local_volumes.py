# SPDX-License-Identifier: Apache-2.0
"""What a deployment with volume groups and NFS gives its hosts: from the inventory to files, units and rules."""

from __future__ import annotations

import configparser
from functools import cache
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core import flows
from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder import shares
from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder import wants as cinder_wants
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks import wants as networks_wants
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks.kinds import firewall
from ansible_collections.holdfast.storage.plugins.module_utils.core.nfs import shares as nfs
from ansible_collections.holdfast.storage.plugins.module_utils.core.nfs import wants as nfs_wants
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

PORTAL = "172.29.244.121"


@cache
def deployment(*changes: tuple[str, Any]) -> tuple[Model, Services]:
    services = cases.deployed(cases.changed({"base": "local", "set": dict(changes)}))
    return services.model, services


def files(host: str, *changes: tuple[str, Any]) -> dict[str, str]:
    model, services = deployment(*changes)
    found = [entry for component in services.components(model.hosts[host]) for entry in component["files"]]
    return {entry["path"]: entry.get("content", "") for entry in found}


def packages(host: str) -> set[str]:
    model, services = deployment()
    return {name for component in services.components(model.hosts[host]) for name in component.get("packages", ())}


def backend(name: str) -> dict[str, str]:
    parser = configparser.ConfigParser()
    parser.read_string(files("storage1")["/etc/cinder/backends.conf"])
    return dict(parser[name])


def test_iscsi_is_served_with_secrets_on_br_storage_by_two_ways() -> None:
    found = backend("local")
    storage = deployment()[0].hosts["storage1"].addresses["storage"]
    assert (found["target_helper"], found["use_chap_auth"], found["target_ip_address"]) == ("lioadm", "true", storage)
    assert found["target_secondary_ip_addresses"] == PORTAL
    assert (found["lvm_type"], found["reserved_percentage"]) == ("thin", "5")


def test_nvme_is_a_second_protocol_of_the_same_volume_group() -> None:
    found = backend("quick")
    assert (found["target_helper"], found["target_protocol"], found["target_port"]) == ("nvmet", "nvmet_tcp", "4420")
    assert found["volume_group"] == backend("local")["volume_group"]
    compile(files("storage1")["/usr/local/lib/python3.13/dist-packages/nvmet.py"], "nvmet.py", "exec")


def test_a_thick_volume_is_cleared_when_it_goes() -> None:
    assert (backend("thick")["lvm_type"], backend("thick")["volume_clear"]) == ("default", "zero")


def test_volumes_on_nfs_are_the_services_alone() -> None:
    found = backend("files")
    assert found["nas_secure_file_operations"] == found["nas_secure_file_permissions"] == "true"
    shares = files("storage1")["/etc/cinder/nfs-files.shares"].split()
    storage = deployment()[0].hosts["storage1"].addresses["storage"]
    assert shares == [f"{storage}:/srv/nfs/fast/volumes", f"{storage}:/srv/nfs/d2/volumes"]


def test_a_volume_group_is_one_whatever_the_number_of_its_back_ends() -> None:
    model, services = deployment()
    wanted = cinder_wants.volume_group(model, model.hosts["storage1"], services, {})
    assert [group["name"] for group in wanted["groups"]] == ["cinder-volumes", "vg2"]
    assert wanted["groups"][0]["tag"] == "holdfast.local.storage1"
    assert wanted["confined"]


def test_who_attaches_volumes_is_kept_from_what_they_hold_and_has_names_of_its_own() -> None:
    model, services = deployment()
    assert cinder_wants.volume_group(model, model.hosts["compute1"], services, {}) == {"groups": [], "confined": True}
    assert cinder_wants.volume_group(model, model.hosts["control1"], services, {}) == {}
    names = {files(host)["/etc/iscsi/initiatorname.iscsi"] for host in ("storage1", "compute1")}
    assert len(names) == 2
    assert {"open-iscsi", "multipath-tools", "nvme-cli", "nfs-common"} <= packages("compute1")
    assert "open-iscsi" not in packages("control1")


def test_shares_go_to_the_hosts_that_need_them() -> None:
    model, services = deployment()
    wanted = nfs_wants.nfs_export(model, model.hosts["storage1"], services, {})["exports"]
    storage, compute = (model.hosts[name].addresses["storage"] for name in ("storage1", "compute1"))
    given = {export["path"]: (export["owner"], set(export["clients"])) for export in wanted}
    assert given == {
        "/srv/nfs/fast/volumes": (64061, {storage, compute}),
        "/srv/nfs/fast/images": (64062, {storage}),
        "/srv/nfs/d2/volumes": (64061, {storage, compute}),
        "/srv/nfs/d2/instances": (64060, {compute}),
    }
    for export in wanted:
        owner = export["owner"]
        assert {"root_squash", f"anonuid={owner}", f"anongid={owner}"} <= set(export["options"].split(","))


def test_disks_of_the_server_are_of_the_same_kind_as_all_others() -> None:
    model, services = deployment()
    wanted = nfs_wants.disk(model, model.hosts["storage1"], services, {})["disks"]
    assert [entry["mount"] for entry in wanted] == ["/srv/nfs/fast", "/srv/nfs/d2"]


def test_the_server_of_files_has_nothing_that_listens_but_nfsd() -> None:
    parser = configparser.ConfigParser()
    parser.read_string(files("storage1")["/etc/nfs.conf.d/holdfast.conf"])
    # rpc.mountd reads the versions there, and opens no socket when it is left with 4 alone.
    assert [parser["nfsd"][name] for name in ("vers2", "vers3", "vers4", "udp", "rdma")] == ["n", "n", "y", "n", "n"]


def test_at_shutdown_what_is_mounted_goes_before_its_server_and_what_uses_it_before_that() -> None:
    server = files("storage1")["/etc/systemd/system/nfs-server.service.d/holdfast.conf"]
    assert "Before=remote-fs-pre.target" in server.split()
    # Without it the target is in no transaction, and orders nothing.
    assert "Wants=remote-fs-pre.target" in server.split()
    user = files("storage1")["/etc/systemd/system/cinder-volume.service"]
    assert user.count("[Unit]") == 1
    assert "After=remote-fs.target" in user.split()


def test_where_cinder_mounts_a_share_is_known() -> None:
    model, _ = deployment()
    places = shares.mounts(model, model.hosts["storage1"])
    # As cinder has it: MD5 of the share.
    assert len(places) == 3
    assert "/var/lib/cinder/mnt/ac675a498866a9e10d53cdd55bef6eac" in places
    assert shares.mounts(model, model.hosts["compute1"]) == []
    assert backend("files")["nfs_mount_point_base"] == shares.MOUNTS


def test_volume_groups_are_opened_by_one_command() -> None:
    unit = files("storage1")["/etc/systemd/system/holdfast-volume-groups.service"]
    assert unit.count("ExecStart=") == 1
    assert "vgchange --activate y cinder-volumes vg2\n" in unit
    # systemd gives up on a device after 90 s, and a shelf of disks may need longer; none that is lost keeps the others.
    waits = "ExecStartPre=-/usr/bin/udevadm wait --timeout=120 "
    devices = next(line.removeprefix(waits) for line in unit.splitlines() if line.startswith(waits))
    assert devices == "/dev/disk/by-id/wwn-1 /dev/disk/by-id/wwn-2 /dev/disk/by-id/wwn-3"


def test_images_and_instances_do_not_run_without_their_mounts() -> None:
    assert "RequiresMountsFor=/srv/images" in files("storage1")["/etc/systemd/system/glance-api.service"]
    unit = files("compute1")["/etc/systemd/system/var-lib-nova-instances.mount"]
    assert "What=172.29.244.250:/export/instances\n" in unit


def test_the_second_way_is_on_the_bridge_and_open_to_the_same_hosts() -> None:
    model, _ = deployment()
    (storage,) = [
        bridge
        for bridge in networks_wants.network(model, model.hosts["storage1"], None, None)["bridges"]
        if bridge["bridge"] == "br-storage"
    ]
    assert f"{PORTAL}/22" in storage["addresses"]
    rules = firewall.render(networks_wants.firewall(model, model.hosts["compute1"], None, None))
    assert PORTAL in rules
    assert PORTAL in flows.server_addresses(model, flows.flow("iscsi"))


@pytest.mark.parametrize("flow", ["iscsi", "nvme", "nfs"])
def test_a_host_without_such_volumes_serves_nothing(flow: str) -> None:
    model, _ = deployment()
    served = {host.name for host in flows.servers(model, flows.flow(flow))}
    assert served == {"storage1"}


def test_an_address_is_dialled_as_it_is() -> None:
    model, _ = deployment()
    assert nfs.source(model, "10.9.0.7:/vol/volumes") == "10.9.0.7:/vol/volumes"


def test_images_cross_the_network_unless_their_server_is_the_api() -> None:
    model = deployment()[0]
    assert not nfs.crosses(model, "storage1:/srv/nfs/fast/images", "glance_api")
    assert nfs.crosses(model, "storage1:/srv/nfs/fast/images", "nova_compute")
    assert nfs.crosses(model, "10.9.0.7:/vol/images", "glance_api")
    assert not nfs.crosses(model, None, "glance_api")


def test_times_after_a_lost_volume_are_the_inventorys() -> None:
    times = (
        ("vars/attach_give_up_seconds", 15),
        ("vars/attach_give_up_one_way_seconds", 10),
        ("vars/cinder_volumes_wait_seconds", 45),
    )
    found = files("compute1", *times)
    assert "no_path_retry 3\n" in found["/etc/multipath.conf"]
    assert 'ATTR{fast_io_fail_tmo}="15"\n' in found["/etc/udev/rules.d/90-holdfast-nvme.rules"]
    assert 'recovery_tmo}="10"\n' in found["/etc/udev/rules.d/90-holdfast-iscsi.rules"]
    assert "max(0, 45 - time" in files("storage1", *times)["/etc/systemd/system/holdfast-volumes-wait.service"]


def test_iscsid_and_the_kernel_are_left_alone_with_their_own_default() -> None:
    model, services = deployment()
    entries = [entry for component in services.components(model.hosts["compute1"]) for entry in component["files"]]
    (rules,) = [entry for entry in entries if entry["path"] == "/etc/udev/rules.d/90-holdfast-iscsi.rules"]
    assert (rules["state"], "content" in rules) == ("absent", False)
