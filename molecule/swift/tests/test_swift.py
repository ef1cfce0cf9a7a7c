# SPDX-License-Identifier: Apache-2.0
"""Disks and rings, judged by the kernel, by Swift's own tools and by the bytes on the disks. The order matters."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab_site import INVENTORY, Run, Site

STORAGE = ("storage1", "storage2", "storage3")
SWIFT = ("control1", *STORAGE)
SPARE = "/dev/disk/by-id/holdfast-spare"
DISKS = [{"device": f"/dev/disk/by-id/holdfast-{name}", "label": name} for name in ("swift1", "swift2")]
WITH_SPARE = [*DISKS, {"device": SPARE, "label": "spare"}]
RINGS = ("account", "container", "object", "object-1")
# Which device holds which partition, by Swift's own reader.
ASSIGNMENT = (
    "python3 -c 'import hashlib; from swift.common.ring.ring import RingData;"
    ' print([hashlib.sha256(b"".join(bytes(row) for row in RingData.load(f"/etc/swift/{ring}.ring.gz")'
    f"._replica2part2dev_id)).hexdigest() for ring in {list(RINGS)}])'"
).replace(str(list(RINGS)), json.dumps(list(RINGS)))


# Rings and builders, and what the disks carry, without what a mounted file system changes by itself.
FINGERPRINT = (
    "sha256sum /etc/swift/*.builder /etc/swift/*.ring.gz;"
    " wipefs --no-act --json --output TYPE,LABEL,UUID /dev/disk/by-id/holdfast-*; findmnt -rno TARGET,SOURCE -t xfs"
)


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Site:
    return Site(request.config.getoption("--ssh-config"))


def fingerprint(site: Site) -> dict[str, str]:
    """Of all rings, builders and disks. Two that are equal: nothing was written between."""
    return site.everywhere(FINGERPRINT)


def changes(run: Run) -> list[str]:
    """The hosts whose disks or rings it changed, or would in check mode."""
    return run.changes(since="Devices")


def another_inventory(directory: Path, file: str, change: Callable[[Any], None]) -> Path:
    """A copy of the inventory, with its secrets and addresses, and ``change`` applied to what ``file`` holds."""
    inventory = Path(shutil.copytree(INVENTORY, directory / "inventory"))
    content = yaml.safe_load((inventory / file).read_text())
    change(content)
    (inventory / file).write_text(yaml.safe_dump(content, sort_keys=False))
    return inventory


# -- what a converged host shows --------------------------------------------------------------------------------


@pytest.mark.parametrize("disk", ["swift1", "swift2"])
def test_a_disk_is_an_xfs_of_ours_mounted_for_swift(host: Any, disk: str) -> None:
    mount = host.mount_point(f"/srv/node/{disk}")
    assert mount.exists
    assert mount.filesystem == "xfs"
    assert {"noatime", "nosuid", "nodev", "noexec"} <= set(mount.options)
    assert (host.file(mount.path).user, host.file(mount.path).group) == ("swift", "swift")
    assert host.check_output(f"blkid -p -s LABEL -o value /dev/disk/by-id/holdfast-{disk}").startswith("hf-")
    assert host.check_output(f"systemctl is-enabled srv-node-{disk}.mount") == "enabled"


def test_nothing_is_written_beneath_a_disk_that_is_not_mounted(host: Any) -> None:
    bare = host.run("unshare --mount sh -c 'umount /srv/node/swift1 && stat -c %a:%U /srv/node/swift1'")
    assert bare.stdout.strip() == "0:root"
    wrote = host.run("unshare --mount sh -c 'umount /srv/node/swift1 && runuser -u swift touch /srv/node/swift1/x'")
    assert wrote.rc != 0


def test_labels_differ_on_all_hosts(site: Site) -> None:
    labels = [
        site.hosts[name].check_output(f"blkid -p -s LABEL -o value /dev/disk/by-id/holdfast-{disk}")
        for name in STORAGE
        for disk in ("swift1", "swift2")
    ]
    assert len(set(labels)) == 6


def test_rings_and_builders_are_the_same_on_all_hosts(site: Site) -> None:
    digests = site.everywhere("cd /etc/swift && sha256sum *.builder *.ring.gz")
    assert len(set(digests.values())) == 1
    assert len(digests["control1"].splitlines()) == 2 * len(RINGS)
    modes = site.everywhere("stat -c '%a %U:%G' /etc/swift/*.builder /etc/swift/*.ring.gz | sort -u")
    assert set(modes.values()) == {"640 root:swift\n"}


@pytest.mark.parametrize("ring", RINGS)
def test_swift_takes_the_ring_for_valid_and_balanced(site: Site, ring: str) -> None:
    host = site.hosts["control1"]
    host.check_output(f"swift-ring-builder /etc/swift/{ring}.builder validate")
    shown = host.check_output(f"swift-ring-builder /etc/swift/{ring}.builder")
    assert "3 zones, 6 devices, 0.00 balance, 0.00 dispersion" in shown
    assert "is up-to-date" in shown
    assert f"{6 if ring == 'object-1' else 3}.000000 replicas" in shown


def test_again_and_in_check_mode_nothing_changes(site: Site) -> None:
    before = fingerprint(site)
    for arguments in ([], ["--check", "--diff"]):
        run = site.converge(*arguments)
        assert run.rc == 0, run.output
        assert not changes(run)
    assert fingerprint(site) == before


# -- refusals: each writes nothing ------------------------------------------------------------------------------


def refused(site: Site, *expected: str, **variables: Any) -> None:
    before = fingerprint(site)
    run = site.converge(**variables)
    assert run.rc != 0, run.output
    for text in expected:
        assert text in run.output
    assert fingerprint(site) == before


def test_another_part_power_is_refused(site: Site) -> None:
    refused(site, "[swift_ring.part_power]", "Set swift_part_power back to 8", swift_part_power=9)


def test_a_host_that_left_the_inventory_is_refused(site: Site, tmp_path: Path) -> None:
    def drop(content: Any) -> None:
        del content["all"]["hosts"]["storage3"]
        del content["all"]["children"]["swift_storage"]["hosts"]["storage3"]

    policies = [{"index": 0, "name": "gold", "replicas": 3, "default": True}]
    refused(
        site,
        "[swift_ring.vanished]",
        "swift_remove_devices: [storage3/swift1, storage3/swift2]",
        inventory=another_inventory(tmp_path, "hosts.yml", drop),
        holdfast_acknowledge=["swift_few_zones"],
        swift_policies=policies,
    )


@pytest.fixture
def without_builders(site: Site) -> Iterator[None]:
    site.everywhere("mkdir -p /root/builders && mv /etc/swift/*.builder /root/builders/")
    yield
    site.everywhere("mv /root/builders/*.builder /etc/swift/")


@pytest.mark.usefixtures("without_builders")
def test_a_ring_is_never_made_anew_when_its_builder_is_lost(site: Site) -> None:
    refused(site, "[swift_ring.lost_builder]", "Restore object.builder")


@pytest.fixture
def only_data_left(site: Site) -> Iterator[None]:
    site.everywhere("mkdir -p /root/rings && mv /etc/swift/*.builder /etc/swift/*.ring.gz /root/rings/")
    site.hosts["storage2"].check_output("mkdir -p /srv/node/swift1/objects/7")
    yield
    site.hosts["storage2"].check_output("rm -r /srv/node/swift1/objects")
    site.everywhere("mv /root/rings/* /etc/swift/")


@pytest.mark.usefixtures("only_data_left")
def test_a_ring_is_never_made_anew_where_there_is_data(site: Site) -> None:
    refused(site, "[swift_ring.lost_ring]", "storage2:/srv/node/swift1/objects")


def test_a_change_that_moves_too_much_is_refused(site: Site) -> None:
    refused(site, "[swift_ring.moves_too_much]", "swift_move_limit_percent", swift_disks=WITH_SPARE)


FILLED = {
    "a file system with a file": (
        "mkfs.ext4 -qF {0} && mount {0} /mnt && echo mine > /mnt/file && umount /mnt",
        "ext4 filesystem",
    ),
    # One partition of 32 MiB from the first MiB on, as an MBR has it.
    "a partition table": (
        (
            "printf '\\0\\0\\2\\0\\203\\377\\377\\377\\0\\10\\0\\0\\0\\0\\1\\0' |"
            " dd of={0} bs=1 seek=446 conv=notrunc &&"
            " printf '\\125\\252' | dd of={0} bs=1 seek=510 conv=notrunc,fsync"
        ),
        "dos partition-table",
    ),
    "random bytes": ("dd if=/dev/urandom of={0} bs=4096 count=1 seek=40 conv=fsync", "data of an unknown form"),
    "random bytes at the end": (
        "dd if=/dev/urandom of={0} bs=512 count=1 seek=$(($(blockdev --getsz {0}) - 3)) conv=fsync",
        "data of an unknown form",
    ),
}


@pytest.mark.parametrize("case", FILLED)
def test_a_disk_that_holds_anything_is_refused_and_the_same_bit_for_bit(site: Site, case: str) -> None:
    command, text = FILLED[case]
    host = site.hosts["storage1"]
    host.check_output(f"blkdiscard --force --zeroout {SPARE}")
    host.run_expect([0], command.format(SPARE))
    before = host.check_output(f"sha256sum {SPARE}")
    refused(site, "[disk.holds_data]", text, f"wipe: {SPARE}", swift_disks=WITH_SPARE, swift_move_limit_percent=100)
    assert host.check_output(f"sha256sum {SPARE}") == before
    host.check_output(f"blkdiscard --force --zeroout {SPARE}")


def test_check_mode_shows_what_would_move_and_writes_nothing(site: Site) -> None:
    before = fingerprint(site)
    run = site.converge("--check", "--diff", swift_disks=WITH_SPARE, swift_move_limit_percent=100)
    assert run.rc == 0, run.output
    assert {"control1", *STORAGE} == set(changes(run))
    assert "% of the ring" in run.output
    assert "xfs labelled hf-" in run.output
    assert fingerprint(site) == before


# -- changes ----------------------------------------------------------------------------------------------------


def test_a_host_that_lost_its_rings_and_builders_gets_them_back(site: Site) -> None:
    before = fingerprint(site)
    site.hosts["control1"].check_output("rm /etc/swift/*.builder /etc/swift/*.ring.gz")
    run = site.converge()
    assert run.rc == 0, run.output
    assert fingerprint(site) == before


def test_a_run_cut_short_between_builder_and_ring_is_finished(site: Site) -> None:
    before = fingerprint(site)
    site.everywhere("rm /etc/swift/object.ring.gz")
    run = site.converge()
    assert run.rc == 0, run.output
    assert fingerprint(site) == before


def test_a_renumbered_storage_network_changes_addresses_and_moves_nothing(site: Site, tmp_path: Path) -> None:
    def renumber(content: Any) -> None:
        content["networks_bridges"]["storage"]["cidr"] = "172.30.244.0/22"

    inventory = another_inventory(tmp_path, "group_vars/all/main.yml", renumber)
    (inventory / "group_vars/all/addresses.yml").unlink()
    before = site.everywhere(ASSIGNMENT)
    run = site.converge(inventory=inventory)
    assert run.rc == 0, run.output
    shown = site.hosts["storage2"].check_output("swift-ring-builder /etc/swift/object.builder")
    assert shown.count("172.30.24") == 6
    assert "172.29.24" not in "".join(line.split()[3] for line in shown.splitlines() if "6200" in line)
    assert site.everywhere(ASSIGNMENT) == before
    assert site.converge().rc == 0
    assert site.everywhere(ASSIGNMENT) == before


def test_new_disks_are_added_as_far_as_it_was_allowed(site: Site) -> None:
    run = site.converge(swift_disks=WITH_SPARE, swift_move_limit_percent=50)
    assert run.rc == 0, run.output
    again = site.converge(swift_disks=WITH_SPARE)
    assert again.rc == 0, again.output
    assert not changes(again), "what min_part_hours holds back waits"
    shown = site.hosts["storage1"].check_output("swift-ring-builder /etc/swift/object.builder")
    assert "9 devices" in shown
    assert len({site.hosts[name].check_output("md5sum < /etc/swift/object.ring.gz") for name in SWIFT}) == 1


def test_what_min_part_hours_held_back_is_done_when_they_have_passed(site: Site) -> None:
    # Swift's own tool takes the hours for passed; so does our note of them when it lies in the past.
    pretend = (
        "import pickle, sys\n"
        "for name in ['account', 'container', 'object', 'object-1']:\n"
        "    path = f'/etc/swift/{name}.builder'\n"
        "    builder = pickle.load(open(path, 'rb'))\n"
        "    builder['_last_part_moves_epoch'] -= 7200\n"
        "    builder['holdfast']['not_before'] -= 7200\n"
        "    pickle.dump(builder, open(path, 'wb'), protocol=2)\n"
    )
    for host in site.hosts.values():
        host.check_output("python3 -c %s", pretend)
    run = site.converge(swift_disks=WITH_SPARE)
    assert run.rc == 0, run.output
    shown = site.hosts["storage1"].check_output("swift-ring-builder /etc/swift/object.builder")
    assert float(shown.split(" balance")[0].split()[-1]) < 100
    again = site.converge(swift_disks=WITH_SPARE)
    assert not changes(again)


def test_disks_leave_by_name_and_the_name_may_stay(site: Site) -> None:
    leaving = [f"{name}/spare" for name in STORAGE]
    run = site.converge(swift_disks=WITH_SPARE, swift_remove_devices=leaving, swift_move_limit_percent=100)
    assert run.rc == 0, run.output
    shown = site.hosts["storage1"].check_output("swift-ring-builder /etc/swift/object.builder")
    assert "6 devices" in shown
    again = site.converge(swift_remove_devices=leaving)
    assert again.rc == 0, again.output
    assert not changes(again)
