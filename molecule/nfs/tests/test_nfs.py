# SPDX-License-Identifier: Apache-2.0
"""An NFS server and its clients, judged by the kernel, systemd and the API. The order matters."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from attached_site import FILLED, MIB, AttachedSite, cut, refused_and_the_same
from lab_site import LAB, wait

SHARES = "/srv/nfs/d1"
# What compute1 mounts by units: the place, and the share.
MOUNTS = {"/srv/images": f"{SHARES}/images", "/var/lib/nova/instances": f"{SHARES}/instances"}


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> AttachedSite:
    return AttachedSite(request.config.getoption("--ssh-config"))


def storage_address(site: AttachedSite, name: str) -> str:
    return str(site.hosts[name].interface("br-storage").addresses[0])


def mounted(host: Any) -> dict[str, dict[str, str]]:
    """What the kernel has mounted over NFS, by its place."""
    done = host.run("findmnt --json --list --types nfs4 --output TARGET,SOURCE,OPTIONS")
    return {entry["target"]: entry for entry in json.loads(done.stdout or '{"filesystems": []}')["filesystems"]}


def test_the_stories_of_volumes_and_images_hold(site: AttachedSite) -> None:
    run = site.play("verify.yml")
    assert run.rc == 0, run.output
    told = {story["id"]: story for story in json.loads((LAB / "verify.json").read_text())}
    assert {"block.nfs", "block.nfs_written", "image.upload", "image.fetched"} <= set(told)


def test_files_are_mounted_hard_by_version_4_2_from_br_storage(site: AttachedSite) -> None:
    server = storage_address(site, "storage1")
    found = mounted(site.hosts["compute1"])
    assert {place: found[place]["source"] for place in MOUNTS} == {
        place: f"{server}:{share}" for place, share in MOUNTS.items()
    }
    own = {place: entry for place, entry in mounted(site.hosts["storage1"]).items() if "/cinder/mnt/" in place}
    assert [entry["source"] for entry in own.values()] == [f"{server}:{SHARES}/volumes"]
    for entry in [*own.values(), *(found[place] for place in MOUNTS)]:
        assert {"vers=4.2", "hard", "nosuid", "nodev", "noexec"} <= set(entry["options"].split(",")), entry


def test_the_server_listens_on_its_port_of_br_storage_and_nowhere_else(site: AttachedSite) -> None:
    host = site.hosts["storage1"]
    lines = [line.split() for line in host.check_output("ss -Hltn").splitlines()]
    assert [line[3] for line in lines if line[3].endswith(":2049")] == [f"{storage_address(site, 'storage1')}:2049"]
    # Sockets of the kernel have no process; those of all others have.
    helpers = ("rpc.mountd", "rpcbind", "rpc.statd", "rpc.idmapd", "nfsdcld")
    listening = host.check_output("ss -Hltunp").splitlines()
    assert [line for line in listening if any(name in line for name in helpers)] == []
    versions = set(host.check_output("cat /proc/fs/nfsd/versions").split())
    assert "+4.2" in versions
    assert not {"+2", "+3"} & versions


def test_a_share_is_for_the_service_that_it_is_for(site: AttachedSite) -> None:
    host = site.hosts["storage1"]
    listed = host.check_output(f"stat --format '%n %u:%g %a' {SHARES}/volumes {SHARES}/images {SHARES}/instances")
    assert listed.splitlines() == [
        f"{SHARES}/volumes 64061:64061 770",
        f"{SHARES}/images 64062:64062 770",
        f"{SHARES}/instances 64060:64060 770",
    ]
    # Root of a client is the service there, and nobody else.
    site.hosts["compute1"].check_output("touch /var/lib/nova/instances/by-root")
    made = f"{SHARES}/instances/by-root"
    assert host.check_output(f"stat --format %u:%g {made}; rm {made}") == "64060:64060"


def test_a_detached_volume_can_be_copied_and_has_no_snapshots(site: AttachedSite) -> None:
    volume = site.volume("original", "--type", "files")["id"]
    run = site.attach(volume, "original", 16 * MIB, write=True)
    assert run.rc == 0, run.output
    site.wait("original", status="available")
    site.openstack("volume", "snapshot", "create", "--volume", "original", "refused")
    shown = ("volume", "snapshot", "show", "--format", "json", "refused")
    wait(lambda: site.openstack(*shown)["status"] == "error", "the driver refuses a snapshot", seconds=120)
    run = site.attach(site.volume("copy", "--source", "original")["id"], "original", 16 * MIB)
    assert run.rc == 0, run.output


def test_at_shutdown_the_hosts_own_mount_goes_before_the_server(site: AttachedSite) -> None:
    """systemd's own word for it, of a mount that no unit file describes."""
    host = site.hosts["storage1"]
    (place,) = [place for place in mounted(host) if "/cinder/mnt/" in place]
    unit = host.check_output(f"systemd-escape --path --suffix=mount {place}")
    after = host.check_output(f"systemctl show --property=After --value {unit}").split()
    before = host.check_output("systemctl show --property=Before --value nfs-server.service").split()
    assert "remote-fs-pre.target" in after
    assert "remote-fs-pre.target" in before
    assert host.check_output("systemctl is-active remote-fs-pre.target remote-fs.target").split() == ["active"] * 2


def test_what_was_written_is_there_after_a_restart_that_ended_cleanly(site: AttachedSite) -> None:
    storage = site.hosts["storage1"]
    volume = site.volume("restarted", "--type", "files")["id"]
    run = site.attach(volume, "restarted", 16 * MIB, write=True)
    assert run.rc == 0, run.output
    site.power("restarted", "storage1")
    site.wait_for_service()
    # Where a mount hangs, the host is switched off in the end, and XFS has its log to replay.
    said = storage.check_output("dmesg | grep 'XFS ('")
    assert "Ending clean mount" in said
    assert "Starting recovery" not in said
    run = site.attach(volume, "restarted", 16 * MIB)
    assert run.rc == 0, run.output


def test_a_write_outlives_a_power_cut_of_the_server(site: AttachedSite) -> None:
    """The write stands still from the cut on; it goes on when the server is back, and nothing of it is lost."""
    storage = site.hosts["storage1"]
    volume = site.volume("cycled", "--type", "files")["id"]
    begun = f"[ $(du -k {SHARES}/volumes/volume-{volume} | cut -f1) -gt 64 ]"
    with ThreadPoolExecutor(1) as pool, cut(storage, "tcp dport 2049", begun) as dropped:
        told = pool.submit(site.attach, volume, "cycled", 192 * MIB, write=True)
        wait(lambda: told.done() or dropped() > 0, "the write has begun")
        assert not told.done(), told.result().output
        site.power("cycled", "storage1")
        run = told.result()
    assert run.rc == 0, run.output
    site.wait_for_service()
    # What stood there before, and what was being written.
    for content, size in (("restarted", 16 * MIB), ("cycled", 192 * MIB)):
        run = site.attach(site.wait(content, status="available")["id"], content, size)
        assert run.rc == 0, run.output
    for name in ("storage1", "compute1"):
        assert site.hosts[name].check_output("systemctl --failed --no-legend") == ""
    run = site.play("site.yml")
    assert (run.rc, run.changes()) == (0, []), run.output


@pytest.mark.parametrize("how", ["restarted", "cycled"])
def test_a_client_has_its_shares_again_after_a_reboot_and_after_a_power_cut(site: AttachedSite, how: str) -> None:
    compute = site.hosts["compute1"]
    word = f"/var/lib/nova/instances/{how}"
    compute.check_output(f"printf {how} > {word} && sync {word}")
    site.power(how, "compute1")
    assert mounted(compute).keys() >= MOUNTS.keys()
    assert compute.check_output(f"sha256sum {word}; rm {word}").split()[0] == hashlib.sha256(how.encode()).hexdigest()
    run = site.play("site.yml")
    assert (run.rc, run.changes()) == (0, []), run.output


def test_disks_that_hold_anything_are_refused_and_the_same_afterwards(site: AttachedSite) -> None:
    disks = [{"device": f"/dev/disk/by-id/holdfast-{name}"} for name in ("nfs", *FILLED)]
    refused_and_the_same(site, nfs_disks=disks)
