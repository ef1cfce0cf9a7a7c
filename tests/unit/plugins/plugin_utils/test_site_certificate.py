# SPDX-License-Identifier: Apache-2.0
"""Files of the controller that the inventory names: read, or refused with what to do; what of them goes to hosts."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.plugin_utils import site_certificate
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.certificates import Site


@pytest.fixture
def loader() -> DataLoader:
    made = DataLoader()
    secret: Any = VaultSecret(b"a password of this test")
    made.set_vault_secrets([("default", secret)])
    return made


def read(loader: DataLoader, directory: Path, path: str = "x") -> bytes:
    return site_certificate.read(loader, str(directory), path).content


@pytest.mark.parametrize("path", ["tls/x", "./tls/x", "~/tls/x", "{}/tls/x"])
def test_a_relative_path_starts_at_the_inventory(
    loader: DataLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/x").write_bytes(b"\xe9")
    found = site_certificate.read(loader, str(tmp_path), path.format(tmp_path))
    assert (found.content, found.is_encrypted) == (b"\xe9", False)
    assert Path(found.path).samefile(tmp_path / "tls/x")


def test_a_file_in_a_vault_is_opened_and_leaves_nothing_in_clear(loader: DataLoader, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(loader._vault.encrypt(b"a key"))
    found = site_certificate.read(loader, str(tmp_path), "x")
    assert (found.content, found.is_encrypted) == (b"a key", True)
    assert loader._tempfiles == set()


def test_a_vault_that_no_password_opens(loader: DataLoader, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(loader._vault.encrypt(b"a key"))
    with pytest.raises(HoldfastError, match=r"can not be decrypted: .*Fix: Give a vault password"):
        read(DataLoader(), tmp_path)


def directory(place: Path) -> None:
    place.mkdir()


def pipe(place: Path) -> None:
    os.mkfifo(place)


def endless(place: Path) -> None:
    place.symlink_to("/dev/zero")


def nowhere(place: Path) -> None:
    place.symlink_to("/nowhere/at/all")


def circle(place: Path) -> None:
    place.symlink_to(place)


def long(place: Path) -> None:
    place.write_bytes(b"x" * ((1 << 20) + 1))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (directory, "x is a directory. Fix: Give the path of the file itself."),
        (pipe, "x is no plain file."),
        (endless, "x is no plain file."),
        (nowhere, "there is no file "),
        (circle, "Too many levels of symbolic links"),
        (long, "x has more than 1048576 bytes."),
    ],
)
def test_what_is_no_file_that_can_be_read(loader: DataLoader, tmp_path: Path, make: Any, told: str) -> None:
    make(tmp_path / "x")
    with pytest.raises(HoldfastError) as caught:
        read(loader, tmp_path)
    assert told in caught.value.message
    assert " Fix: " in caught.value.message


@pytest.mark.parametrize("path", ["y", "x/y", "a\0b", "a" * 300])
def test_a_path_that_leads_nowhere(loader: DataLoader, tmp_path: Path, path: str) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(HoldfastError, match=r"\. Fix: "):
        read(loader, tmp_path, path)


def test_a_file_that_one_may_not_read(loader: DataLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x").touch()
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(HoldfastError, match=r"may not read .*x\. Fix: Let the user who runs Ansible read it\."):
        read(loader, tmp_path)


def test_hosts_get_certificates_and_key_each_from_its_file_alone(loader: DataLoader, tmp_path: Path) -> None:
    made = Site({"key": ["leaf.key", "leaf"], "certificate": ["leaf.shown", "intermediate.windows"]})
    (tmp_path / "tls").mkdir()
    for path, content in made.files().items():
        (tmp_path / path).write_bytes(content)
    model: Any = SimpleNamespace(variables=made.variables())
    found = site_certificate.load(loader, model, str(tmp_path))
    pems = {
        name: made.certificate(name).public_bytes(Encoding.PEM).decode() for name in ("leaf", "intermediate", "root")
    }
    assert found["haproxy.certificate"] == pems["leaf"] + pems["intermediate"]
    assert found["haproxy.key"] == made.file("key").decode().replace(pems["leaf"], "")
    assert found["haproxy.ca"] == pems["root"]


def test_a_file_that_is_gone_since_is_told_with_its_variable(loader: DataLoader, tmp_path: Path) -> None:
    model: Any = SimpleNamespace(variables={"haproxy_ca_file": "gone.pem"})
    with pytest.raises(HoldfastError, match=r"haproxy_ca_file: gone.pem can not be read: there is no file .*gone.pem"):
        site_certificate.load(loader, model, str(tmp_path))
