# SPDX-License-Identifier: Apache-2.0
"""The actions that begin with the inventory: what ``model`` keeps and what it must not, and where ``render`` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store

from .conftest import secrets_of


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_a_first_run_makes_secrets_and_leaves_questions(controller: Any) -> None:
    controller.inventory()
    result = controller.act("model")
    assert not result.get("failed"), result["msg"]
    assert result["summary"]["hosts"] == 4
    run = controller.run_directory
    assert run.model().deployment == "lab"
    lock = run.read("lock.json")
    assert (lock["host"], lock["holder"]["command"]) == ("control1", "ansible")
    questions = run.read("questions/control1.json")
    assert "services/file" in questions["asked"]
    assert run.read(questions["bundle"])
    written = controller.directory / secret_store.FILE
    assert written.read_bytes().startswith(b"$ANSIBLE_VAULT")
    assert written.stat().st_mode & 0o777 == 0o600
    made = secret_store.read(controller.loader, controller.directory)
    assert made.keys() >= {"keystone_admin_password", "pki_ca_key"}
    assert not [name for name, value in made.items() if value in str(questions)]


def test_a_second_run_keeps_the_secrets(controller: Any) -> None:
    controller.inventory()
    controller.act("model")
    first = secret_store.read(controller.loader, controller.directory)
    controller.act("model")
    assert secret_store.read(controller.loader, controller.directory) == first


def test_addresses_that_nobody_gave_are_remembered(controller: Any) -> None:
    controller.inventory()
    controller.act("model")
    kept = yaml.safe_load((controller.directory / "group_vars/all/addresses.yml").read_text())["holdfast_addresses"]
    model = controller.run_directory.model()
    assert {name: set(own) for name, own in kept.items()}["storage1"] == {"storage", "repl"}
    assert kept["storage1"]["repl"] == model.hosts["storage1"].addresses["repl"]


def assigned(controller: Any) -> dict[str, Any]:
    return dict(yaml.safe_load((controller.directory / "group_vars/all/addresses.yml").read_text()))


def test_a_deployment_that_begins_now_has_the_present_defaults_and_keeps_them(controller: Any) -> None:
    controller.inventory()
    controller.act("model")
    assert controller.run_directory.model().variables["swift_encryption"] is True
    assert assigned(controller)["holdfast_begun_with"] == ["swift_encryption"]
    controller.inventory(**assigned(controller))
    controller.act("model")
    assert controller.run_directory.model().variables["swift_encryption"] is True
    controller.inventory(**assigned(controller), swift_encryption=False)
    controller.act("model")
    assert controller.run_directory.model().variables["swift_encryption"] is False
    assert assigned(controller)["holdfast_begun_with"] == ["swift_encryption"]


@pytest.mark.parametrize("given", [{}, {"swift_encryption": True}, {"swift_encryption": False}])
def test_a_deployment_that_is_older_than_a_default_keeps_what_it_had(controller: Any, given: dict[str, bool]) -> None:
    controller.inventory()
    controller.act("model")
    older = {"holdfast_addresses": assigned(controller)["holdfast_addresses"]}
    (controller.directory / "group_vars/all/addresses.yml").unlink()
    for _ in range(2):
        controller.inventory(**older, **given)
        controller.act("model")
        assert controller.run_directory.model().variables["swift_encryption"] is given.get("swift_encryption", False)


def test_a_service_that_comes_later_begins_with_the_present_default(controller: Any) -> None:
    controller.inventory()
    controller.act("model")
    made = secret_store.read(controller.loader, controller.directory)
    others = {name: value for name, value in made.items() if not name.startswith("swift_")}
    secret_store.save(controller.loader, controller.directory, others)
    (controller.directory / "group_vars/all/addresses.yml").unlink()
    controller.inventory()
    controller.act("model")
    assert controller.run_directory.model().variables["swift_encryption"] is True
    assert assigned(controller)["holdfast_begun_with"] == ["swift_encryption"]


def test_offline_nothing_is_written(controller: Any) -> None:
    controller.inventory()
    result = controller.act("model", offline=True)
    assert result["summary"]["networks"] == ["mgmt", "repl", "storage"]
    assert files(controller.directory) == []


def test_check_mode_makes_no_secret_and_takes_no_lock(controller: Any) -> None:
    controller.inventory()
    controller.act("model", check=True)
    assert controller.run_directory.read("lock.json")["holder"] is None
    assert [name for name in files(controller.directory) if not name.startswith(".holdfast/")] == []


def test_while_another_run_works_here_its_questions_stay(controller: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # The other run is process 1, and so is the parent of whatever was left running.
    monkeypatch.setattr("os.getppid", lambda: 4)
    controller.begin()
    controller.inventory()
    controller.run_directory.write("questions/control1.json", {"bundle": "the other run's"})
    result = controller.act("model")
    assert result["msg"].startswith("Another run is under way: anna on desk (process 1, site.yml, ")
    assert controller.run_directory.read("questions/control1.json") == {"bundle": "the other run's"}


def test_what_is_wrong_is_told_and_nothing_is_written(controller: Any) -> None:
    controller.inventory()
    for host in controller.variables["hostvars"]._inventory.get_hosts():
        host.set_variable("networks_bridges", {"mgmt": {"cidr": "172.29.236.0/33"}})
    result = controller.act("model")
    assert result["failed"]
    assert "nothing was changed." in result["msg"].splitlines()[0]
    assert "172.29.236.0/33" in result["msg"]
    assert files(controller.directory) == []


def test_a_secret_that_is_renewed_is_another_and_the_others_stay(controller: Any) -> None:
    controller.begin()
    controller.run_directory.write("lock.json", {"host": "control1", "holder": None})
    controller.inventory()
    before = secrets_of("lab")
    result = controller.act("model", renew=["glance_database_password"])
    assert not result.get("failed"), result["msg"]
    after = secret_store.read(controller.loader, controller.directory)
    assert [name for name, value in before.items() if after[name] != value] == ["glance_database_password"]


def test_a_secret_that_there_is_not_is_refused_with_the_nearest_name(controller: Any) -> None:
    controller.begin()
    controller.inventory()
    before = (controller.directory / secret_store.FILE).read_bytes()
    result = controller.act("model", renew=["glance_databse_password"])
    assert result["failed"]
    assert "glance_databse_password (did you mean glance_database_password?)" in result["msg"]
    assert (controller.directory / secret_store.FILE).read_bytes() == before


# -- render


def test_rendering_writes_every_host_and_no_secret_of_the_site(controller: Any) -> None:
    secrets = controller.begin().secrets
    controller.inventory()
    target = controller.directory / "out"
    result = controller.act("render", directory=str(target))
    assert result == {"changed": False, "msg": f"{len(files(target)) - 1} files in {target}"}
    text = (target / "control1/files/etc/glance/glance-api.conf").read_text()
    assert "(glance_database_password)" in text
    assert secrets["glance_database_password"] not in text


def test_rendering_again_leaves_nothing_of_the_last_time(controller: Any) -> None:
    controller.inventory()
    target = controller.directory / "out"
    controller.act("render", directory=str(target))
    (target / "gone/files").mkdir(parents=True)
    (target / "gone/files/old").touch()
    assert not controller.act("render", directory=str(target)).get("failed")
    assert not (target / "gone").exists()


def test_a_directory_with_other_files_is_left_alone(controller: Any) -> None:
    controller.inventory()
    target = controller.directory / "out"
    target.mkdir()
    (target / "thesis.tex").write_text("years of work")
    result = controller.act("render", directory=str(target))
    assert result["failed"]
    assert f"{target} holds other files" in result["msg"]
    assert files(target) == ["thesis.tex"]
