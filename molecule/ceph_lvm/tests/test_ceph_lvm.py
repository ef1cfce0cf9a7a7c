# SPDX-License-Identifier: Apache-2.0
"""OSDs on logical volumes, judged by LVM, the device mapper and Ceph. The order matters."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest
import yaml
from lab_site import INVENTORY, LAB, Site

OSDS = yaml.safe_load((INVENTORY / "group_vars/all/main.yml").read_text())["ceph_osds"]
SPARE = "/dev/disk/by-id/holdfast-spare"


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Site:
    return Site(request.config.getoption("--ssh-config"))


def wait_clean(host: Any, osds: int, seconds: float = 600) -> None:
    """Until so many OSDs are up with every placement group clean. An emulated machine takes its time."""
    deadline = time.monotonic() + seconds
    said = ""
    while time.monotonic() < deadline:
        done = host.run("ceph --connect-timeout 20 status --format json")
        if done.rc == 0:
            status = json.loads(done.stdout)
            states = {state["state_name"] for state in status["pgmap"].get("pgs_by_state", ())}
            said = f"{status['osdmap']}, {states}"
            if status["osdmap"]["num_up_osds"] == osds and states == {"active+clean"}:
                return
        time.sleep(3)
    pytest.fail(f"Not clean with {osds} OSDs within {seconds:g} s: {said}")


def volumes(host: Any) -> dict[str, dict[str, Any]]:
    """The parts of OSDs by the disk that they are on, as ceph-volume lists them."""
    listing = json.loads(host.check_output("ceph-volume lvm list --format json 2>/dev/null"))
    return {
        device: {"number": number, **volume} for number, parts in listing.items() for volume in parts
        for device in volume["devices"]
    }  # fmt: skip


def real(host: Any, path: str) -> str:
    return str(host.check_output(f"readlink -f {path}"))


def test_each_disk_has_its_part(host: Any) -> None:
    wait_clean(host, len(OSDS))
    found = volumes(host)
    first, second = (found[real(host, osd["device"])] for osd in OSDS)
    database = found[real(host, OSDS[0]["db_device"])]
    assert (first["type"], second["type"], database["type"]) == ("block", "block", "db")
    assert database["tags"]["ceph.osd_fsid"] == first["tags"]["ceph.osd_fsid"]
    assert (first["tags"]["ceph.encrypted"], second["tags"]["ceph.encrypted"]) == ("1", "0")


def test_what_is_encrypted_is_so_for_the_kernel_and_on_the_disk(host: Any) -> None:
    part = volumes(host)[real(host, OSDS[0]["device"])]
    mapped = host.check_output(f"readlink -f /var/lib/ceph/osd/ceph-{part['number']}/block")
    assert host.check_output(f"lsblk --noheadings --nodeps --output TYPE {mapped}") == "crypt"
    assert host.check_output(f"blkid --output value --match-tag TYPE {part['lv_path']}") == "crypto_LUKS"


def test_its_key_is_with_the_monitors_and_not_on_the_host(host: Any) -> None:
    part = volumes(host)[real(host, OSDS[0]["device"])]
    uuid = part["tags"]["ceph.osd_fsid"]
    keys = json.loads(host.check_output("ceph config-key ls --format json"))
    assert f"dm-crypt/osd/{uuid}/luks" in keys
    secret = host.check_output(f"ceph config-key get dm-crypt/osd/{uuid}/luks")
    assert host.run(f"grep -rlF -- '{secret}' /etc /var/lib/holdfast /var/log").rc == 1


def test_again_nothing_changes(host: Any, site: Site) -> None:
    run = site.converge()
    assert (run.rc, run.changes()) == (0, []), run.output


@pytest.mark.parametrize("how", ["restarted", "cycled"])
def test_osds_are_open_and_up_after_a_reboot_and_after_a_power_cut(host: Any, site: Site, how: str) -> None:
    """All that Ceph has acknowledged until then is there."""
    wait_clean(host, len(OSDS))
    # Each number comes when the object is written, until the host is gone.
    script = f"n=0; while echo {how} $n | rados --pool volumes put {how}-$n -; do n=$((n+1)); echo $n; done"
    alive = ("-o", "ServerAliveInterval=5")
    command = ["ssh", "-F", str(LAB / "ssh/config"), *alive, "storage1", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        acknowledged = [writer.stdout.readline()]
        site.power(how, "storage1")
        acknowledged += writer.communicate(timeout=600)[0].split()
    wait_clean(host, len(OSDS))
    objects = range(int(acknowledged[-1]))
    read = f"for n in {' '.join(map(str, objects))}; do rados --pool volumes get {how}-$n -; done"
    assert host.check_output(read).splitlines() == [f"{how} {number}" for number in objects]
    run = site.converge()
    assert (run.rc, run.changes()) == (0, []), run.output


def test_volumes_of_others_are_refused_and_stay(host: Any, site: Site) -> None:
    host.check_output(f"vgcreate others {SPARE} && lvcreate --yes --name kept --extents 10 others")
    before = site.content_of("storage1", "spare")
    run = site.converge(ceph_osds=[*OSDS, {"device": SPARE, "mode": "lvm", "class": "hdd"}])
    assert (run.rc != 0, run.changes()) == (True, []), run.output
    assert "[disk.in_use]" in run.output
    assert "[disk.holds_data]" in run.output
    assert site.content_of("storage1", "spare") == before
    host.check_output(f"vgremove --force --yes others && pvremove --yes {SPARE}")


def test_one_that_was_begun_and_cut_short_is_made_anew(host: Any, site: Site) -> None:
    """As a kill leaves it: a note, a number from the monitors, and a volume that is no OSD yet."""
    wanted = [*OSDS, {"device": SPARE, "mode": "lvm", "class": "hdd"}]
    host.check_output(f"wipefs --all {SPARE}")
    fsid = host.check_output("ceph fsid")
    uuid = host.check_output(f'python3 -c \'import uuid; print(uuid.uuid5(uuid.UUID("{fsid}"), "storage1:{SPARE}"))\'')
    size = host.check_output(f"blockdev --getsize64 {SPARE}")
    note = json.dumps({"device": SPARE, "size": int(size)})
    host.check_output(f"printf '%s' '{note}' > /var/lib/holdfast/ceph/osd-{uuid}.json")
    group = "ceph-0a0b0c0d-0000-4000-8000-000000000000"
    host.check_output(f"vgcreate {group} {SPARE} && lvcreate --yes --name osd-block-{uuid} --extents 100%FREE {group}")
    host.check_output(f"ceph osd new {uuid}")
    run = site.converge(ceph_osds=wanted)
    assert run.rc == 0, run.output
    wait_clean(host, len(wanted))
    assert len(json.loads(host.check_output("ceph osd ls --format json"))) == len(wanted)
    assert host.run(f"vgs {group}").rc != 0


def test_one_that_leaves_is_closed_and_nothing_opens_it_at_boot(host: Any, site: Site) -> None:
    number = volumes(host)[real(host, SPARE)]["number"]
    for _ in range(10):
        run = site.converge(ceph_remove_osds=[f"storage1:{SPARE}"])
        assert run.rc == 0, run.output
        if not run.changes() and len(json.loads(host.check_output("ceph osd ls --format json"))) == len(OSDS):
            break
        wait_clean(host, host.check_output("ceph osd ls").count("\n") + 1)
    assert not host.file(f"/var/lib/ceph/osd/ceph-{number}").exists
    enabled = host.check_output("systemctl list-unit-files --state=enabled --no-legend")
    assert f"ceph-volume@lvm-{number}-" not in enabled
