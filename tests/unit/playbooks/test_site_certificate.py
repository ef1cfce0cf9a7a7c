# SPDX-License-Identifier: Apache-2.0
"""The site's own certificate, as validate.yml finds it: where its files may stand, and what is told of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.holdfast.storage.plugins.plugin_utils.yaml_files import short
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.certificates import VARIABLES, Site

from .conftest import MAIN

ROOT = cases.ROOT


def bring(directory, site, places):
    """Have an inventory name the files of a site, which stand at places beside it."""
    with (directory / MAIN).open("a") as stream:
        for (which, variable), place in zip(VARIABLES.items(), places, strict=True):
            path = directory / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(site.file(which))
            stream.write(f"{variable}: {place}\n")


def encrypt(path, password):
    vault = Path(sys.executable).parent / "ansible-vault"
    command = [vault, "encrypt", path, "--vault-password-file", password]
    subprocess.run(command, check=True, capture_output=True, cwd=path.parent)


@pytest.mark.parametrize(
    "places",
    [
        ("tls/site.pem", "tls/site.key", "tls/ca.pem"),
        ("tls/certificate", "tls/key", "tls/authority.txt"),
        ("files/site.pem", "files/site.key", "files/ca.pem"),
        ("site.pem", "site.key", "ca.crt"),
        ("certificates/api/chain", "certificates/api/private", "certificates/ca"),
        ("group_vars/all/site.pem", "group_vars/all/site.key", "host_vars/ca.cer"),
        (".tls/site", ".tls/site.key", ".tls/ca"),
        ("../tls/site.pem", "../tls/site.key", "../tls/ca.pem"),
    ],
)
def test_certificates_stand_anywhere_beside_the_inventory(tmp_path, validate, places):
    directory = tmp_path / "mine"
    shutil.copytree(ROOT / "inventory/sample", directory, ignore=shutil.ignore_patterns(".holdfast"))
    main = directory / MAIN
    kept = [line for line in main.read_text().splitlines() if not line.startswith(tuple(VARIABLES.values()))]
    main.write_text("\n".join([*kept, ""]))
    bring(directory, Site({"leaf": {"names": ["cloud.example.org"]}}), places)
    encrypt(directory / places[1], validate.password)
    status, output = validate("-i", directory)
    assert status == 0, output
    assert "WARNING" not in output
    listed = subprocess.run(
        [Path(sys.executable).parent / "ansible-inventory", "-i", directory, "--list", "--limit", "control1"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_VAULT_PASSWORD_FILE": str(validate.password)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert list(yaml.safe_load(listed.stdout)["_meta"]["hostvars"]) == ["control1"]
    assert "WARNING" not in listed.stderr


def test_what_is_wrong_with_a_certificate_is_told_with_its_line(inventory, validate):
    directory = inventory(cases.good("lab"))
    places = ("tls/site.pem", "tls/site.key", "tls/ca.pem")
    bring(directory, Site({"leaf": {"days": [-9, -1]}, "ca": ["root.der"], "key": ["=hello"]}), places)
    (directory / "tls/site.pem").unlink()
    (directory / "tls/site.pem").mkdir()
    lines = (directory / MAIN).read_text().splitlines()
    status, output = validate("-i", directory)
    assert status != 0
    for variable, said in (
        ("haproxy_certificate_file", "is 'tls/site.pem', which can not be read: "),
        ("haproxy_key_file", "is 'tls/site.key', which is neither a certificate nor a key."),
        ("haproxy_ca_file", "is 'tls/ca.pem', which is a certificate in DER."),
    ):
        line = next(number for number, text in enumerate(lines, 1) if text.startswith(variable))
        assert f"main.yml:{line}: {variable}: {said}" in output
    assert f"-in {short(f'{directory}/tls/ca.pem')} -out NEW`" in output
    assert "Traceback" not in output


def test_a_key_in_a_vault_that_no_password_opens(inventory, validate, tmp_path_factory):
    directory = inventory(cases.good("lab"))
    bring(directory, Site({}), ("tls/site.pem", "tls/site.key", "tls/ca.pem"))
    other = tmp_path_factory.mktemp("other") / "password"
    other.write_text("another password")
    encrypt(directory / "tls/site.key", other)
    status, output = validate("-i", directory)
    assert status != 0
    assert "haproxy_key_file: is 'tls/site.key', which can not be read: " in output
    assert "site.key can not be decrypted" in output


@pytest.mark.parametrize("form", ["leaf", "leaf.key", "leaf.der", "leaf.shown"])
def test_a_certificate_among_variables_is_told(inventory, validate, form):
    directory = inventory(cases.good("lab"))
    (directory / "group_vars/all/site").write_bytes(Site({"key": [form]}).file("key"))
    status, output = validate("-i", directory)
    assert status != 0
    assert "group_vars/all/site: This is a file of certificates or keys, and Ansible reads it as variables" in output
    assert "Move it into the directory tls" in output


@pytest.mark.parametrize("name", ["hosts.yml", "hosts"])
def test_hosts_in_a_vault(inventory, validate, name):
    content = cases.good("networks-only")
    directory = inventory(content)
    if name == "hosts":
        (directory / "hosts.yml").unlink()
        lines = [f"{name} ansible_host={own['ansible_host']}" for name, own in content["hosts"].items()]
        (directory / "hosts").write_text("\n".join([*lines, "[rack]", *content["hosts"], ""]))
        ports = {"networks_ports": next(iter(content["hosts"].values()))["networks_ports"]}
        (directory / "group_vars/rack.yml").write_text(yaml.safe_dump(ports))
    encrypt(directory / name, validate.password)
    status, output = validate("-i", directory)
    assert status == 0, output
    assert "WARNING" not in output


def test_hosts_whose_variables_hold_a_certificate(inventory, validate):
    content = cases.good("lab")
    content["hosts"]["storage1"]["site_certificate"] = Site({}).file("certificate").decode()
    directory = inventory(content)
    hosts = yaml.safe_load((directory / "hosts.yml").read_text())
    (directory / "hosts.yml").write_text(yaml.dump(hosts, default_style="|"))
    assert "  -----BEGIN CERTIFICATE-----\n" in (directory / "hosts.yml").read_text()
    (directory / "hosts.yml").write_text(yaml.safe_dump(hosts))
    status, output = validate("-i", directory)
    assert status == 0, output
