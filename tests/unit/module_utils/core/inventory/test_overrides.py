# SPDX-License-Identifier: Apache-2.0
"""Overrides and options that are right: they are accepted, and whoever reads the files reads what was given."""

from __future__ import annotations

import collections
import configparser
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import Deployment
from ansible_collections.holdfast.storage.plugins.module_utils.core.config import holds_secret
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

KNOWN = cases.Remembering(cases.roles())
# What a password, a description and an option may be: all of it has a meaning somewhere.
HARD = [
    "ab$cd0123456789abcdef",
    "$state_path/x",
    "'quoted'",
    '"',
    " blanks ",
    "50% off",
    "a # b; c",
    "[x] = y",
    "ä§€",
    "a\\b",
]


def changed(base: str, places: dict[str, Any]) -> dict[str, Any]:
    return cases.changed({"base": base, "set": places})


def files(content: dict[str, Any], secrets: dict[str, str], host: str) -> dict[str, str]:
    """What the host gets of an inventory that has to be right."""
    model, findings = cases.build(cases.raw(content, **content.get("raw", {})), None, KNOWN)
    assert model, findings
    known = collections.defaultdict(lambda: "s3cret", {**content.get("raw", {}).get("secrets", {}), **secrets})
    services = Deployment.of(model, known).services
    return {
        entry["path"]: entry["content"]
        for component in services.components(model.hosts[host])
        for entry in component["files"]
        if entry.get("content")
    }


def read(paths: list[Path], section: str, option: str, *, multi: bool = False) -> Any:
    """An option as a service of OpenStack reads it from files, the last of which wins."""
    conf = cfg.ConfigOpts()
    conf.register_opt((cfg.MultiStrOpt if multi else cfg.StrOpt)(option), None if section == "DEFAULT" else section)
    if (section, option) != ("DEFAULT", "state_path"):
        conf.register_opt(cfg.StrOpt("state_path", default="/var/lib/other"))
    conf(args=[], default_config_files=[str(path) for path in paths], default_config_dirs=[])
    group = conf if section == "DEFAULT" else conf[section]
    return group[option]


def on_disk(folder: Path, written: dict[str, str], *paths: str) -> list[Path]:
    found = []
    for path in paths:
        file = folder / path.replace("/", "_")
        file.write_text(written[path], encoding="utf-8")
        found.append(file)
    return found


@pytest.mark.parametrize("value", HARD)
def test_a_service_reads_an_override_as_it_was_given(value: str, tmp_path: Path) -> None:
    for base, name, path, section in (
        ("block", "keystone", "/etc/keystone/keystone.conf", "ldap"),
        ("block", "glance", "/etc/glance/glance-api.conf", "task"),
        ("block", "cinder", "/etc/cinder/cinder.conf", "DEFAULT"),
        ("placement", "placement", "/etc/placement/placement.conf", "placement"),
    ):
        content = changed(base, {f"hosts/control1/{name}_conf_overrides": {section: {"x_y": value}}})
        (file,) = on_disk(tmp_path, files(content, {}, "control1"), path)
        assert read([file], section, "x_y") == value


@pytest.mark.parametrize("value", HARD)
def test_cinder_reads_options_and_secrets_of_a_driver_as_they_were_given(value: str, tmp_path: Path) -> None:
    array = "hosts/storage1/cinder_backends/1"
    content = changed("block", {f"{array}/options": {"san_login": value}})
    written = files(content, {"site_array_token": value}, "storage1")
    paths = on_disk(
        tmp_path, written, "/etc/cinder/cinder.conf", "/etc/cinder/backends.conf", "/etc/cinder/volume.conf"
    )
    assert read(paths, "array", "san_login") == value
    assert read(paths, "array", "pure_api_token") == value
    assert read(paths, "array", "volume_backend_name") == "array"
    assert read(paths, "DEFAULT", "enabled_backends") == "array"


@pytest.mark.parametrize("option", ["max-pool-size", "MAX_POOL_SIZE", "Max_pool_size"])
def test_a_service_passes_other_spellings_of_an_option_over(option: str, tmp_path: Path) -> None:
    file = tmp_path / "x.conf"
    file.write_text(f"[database]\n{option} = 9\n", encoding="utf-8")
    assert read([file], "database", "max_pool_size") is None
    content = changed("lab", {"hosts/control1/keystone_conf_overrides": {"database": {option: 9}}})
    assert [error.split()[0] for error in cases.errors(content)] == ["overrides.option"]


def test_an_option_that_repeats_has_a_line_for_each_value(tmp_path: Path) -> None:
    given = ["backend_id:b,san_ip:1.2.3.4", "backend_id:c,san_ip:1.2.3.5"]
    array = "hosts/storage1/cinder_backends/1"
    content = changed(
        "block", {f"{array}/options": {"replication_device": given, "nvme_ips": ["10.0.0.1", "10.0.0.2"]}}
    )
    paths = on_disk(tmp_path, files(content, {}, "storage1"), "/etc/cinder/backends.conf")
    assert read(paths, "array", "replication_device", multi=True) == given
    assert read(paths, "array", "nvme_ips") == "10.0.0.1,10.0.0.2"


def test_an_option_that_repeats_may_be_secrets(tmp_path: Path) -> None:
    array = "hosts/storage1/cinder_backends/1"
    tokens = {
        "site_array_token": "backend_id:b,api_token:1$a2b3c4d5e6f708192a3b4c",
        "site_other": "backend_id:c,api_token:x$9z8y7x6w5v",
    }
    named = {"pure_api_token": "site_array_token", "replication_device": ["site_array_token", "site_other"]}
    content = changed("block", {f"{array}/secret_options": named})
    content["raw"]["secrets"] |= tokens
    paths = on_disk(tmp_path, files(content, tokens, "storage1"), "/etc/cinder/backends.conf")
    assert read(paths, "array", "replication_device", multi=True) == list(tokens.values())


@pytest.mark.parametrize("value", ["$1 per GB", "'cheap'", " as it is ", "100 % $x", "# first"])
def test_users_read_of_a_store_what_was_said(value: str, tmp_path: Path) -> None:
    content = changed("lab", {"vars/glance_stores/0/description": value})
    written = files(content, {}, "control1")
    paths = on_disk(tmp_path, written, "/etc/glance/glance-api.conf", "/etc/glance/glance.conf.d/stores.conf")
    assert read(paths, "swift", "store_description") == value
    assert read(paths, "file", "store_description") == "file"
    assert read(paths, "DEFAULT", "enabled_backends") == "file:file,swift:swift"


def test_the_last_file_has_what_was_given_to_a_store(tmp_path: Path) -> None:
    given = {"swift": {"swift_store_large_object_size": 100}, "os_glance_tasks_store": {"x": "y"}}
    written = files(changed("lab", {"vars/glance_conf_overrides": given}), {}, "control1")
    paths = on_disk(tmp_path, written, "/etc/glance/glance-api.conf", "/etc/glance/glance.conf.d/stores.conf")
    assert read(paths, "swift", "swift_store_large_object_size") == "100"
    assert read(paths, "os_glance_tasks_store", "x") == "y"


def test_swift_reads_what_was_given() -> None:
    for file, option, value in (
        ("proxy-server.conf", "x", "50% of %(x)s"),
        ("proxy-server.conf", "x", "50%"),
        ("swift.conf", "x", "50% of %(x)s"),
        ("dispersion.conf", "x", "a%b"),
    ):
        content = changed("lab", {"vars/swift_conf_overrides": {file: {"filter:staticweb": {option: value}}}})
        plain = file != "proxy-server.conf"
        within = configparser.BasicInterpolation() if plain or "%(" in value else None
        parser = configparser.ConfigParser(interpolation=within)
        parser.read_string(files(content, {}, "control1")[f"/etc/swift/{file}"])
        assert parser.get("filter:staticweb", option) == value


def test_rabbitmq_and_mariadb_have_their_own_words() -> None:
    given = {
        "vars/rabbitmq_conf_overrides": {"log.console": True, "channel_max": 100, "cluster_tags.x": "a # b"},
        "vars/mariadb_conf_overrides": {
            "mariadbd": {"event_scheduler": True, "log_bin": False, "init_connect": "a'b#"}
        },
    }
    written = files(changed("lab", given), {}, "control1")
    queue = written["/etc/rabbitmq/rabbitmq.conf"].splitlines()
    assert [line for line in queue if line.startswith("log.console ")] == ["log.console = true"]
    assert {"channel_max = 100", "cluster_tags.x = 'a # b'"} <= set(queue)
    database = written["/etc/mysql/mariadb.conf.d/90-holdfast.cnf"].splitlines()
    assert {"event_scheduler = ON", "log_bin = OFF", 'init_connect = "a\'b#"'} <= set(database)


PROXY = "gatekeeper cache own authtoken keystoneauth slo keymaster encryption without_credentials proxy-server"
RIGHT = [
    {
        "vars/swift_conf_overrides": {
            "proxy-server.conf": {"filter:authtoken": {"insecure": False, "token_cache_time": 60}}
        }
    },
    {
        "vars/swift_conf_overrides": {
            "proxy-server.conf": {"app:proxy-server": {"set log_name": "p", "node_timeout": 5}}
        }
    },
    {
        "vars/swift_conf_overrides": {
            "proxy-server.conf": {"filter:s3api": {"auth_pipeline_check": True, "s3_acl": True}}
        }
    },
    {
        "vars/swift_conf_overrides": {
            "proxy-server.conf": {"pipeline:main": {"pipeline": PROXY}, "filter:own": {"use": "egg:own#filter"}}
        }
    },
    {"vars/swift_conf_overrides": {"object-server.conf": {"object-auditor": {"log_name": "x", "files_per_second": 5}}}},
    {"vars/swift_conf_overrides": {"object-server.conf": {"DEFAULT": {"mount_check": True, "servers_per_port": 0}}}},
    {"vars/glance_conf_overrides": {"paste_deploy": {"flavor": "keystone"}, "keystone_authtoken": {"insecure": False}}},
    {"vars/glance_conf_overrides": {"oslo_messaging_rabbit": {"ssl": True, "rabbit_retry_interval": 2}}},
    {"vars/glance_conf_overrides": {"keystone_authtoken": {"token_cache_time": 60, "http_connect_timeout": 5}}},
    {"vars/keystone_conf_overrides": {"oslo_policy": {"enforce_scope": True}, "DEFAULT": {"insecure_debug": False}}},
    {"vars/keystone_conf_overrides": {"database": {"max_pool_size": 9}, "ldap": {"url": "ldap://ldap.example"}}},
    {"vars/mariadb_conf_overrides": {"mariadbd": {"require_secure_transport": "ON", "sort_buffer_size": "4M"}}},
    {"vars/mariadb_conf_overrides": {"mariadbd": {"userstat": True, "socket_timeout": 3, "skip-slave-start": True}}},
    {"vars/rabbitmq_conf_overrides": {"proxy_protocol": False, "log.syslog.ssl_options.verify": "verify_peer"}},
    {
        "vars/glance_stores/1/name": "databases",
        "vars/glance_conf_overrides": {"databases": {"filesystem_store_file_perm": 600}},
    },
]


@pytest.mark.parametrize("given", RIGHT, ids=str)
def test_what_is_right_is_accepted(given: dict[str, Any]) -> None:
    assert cases.errors(cases.changed({"set": given})) == []


@pytest.mark.parametrize(
    "given",
    [{"service_user": {"send_service_user_token": True}}, {"backend_defaults": {"image_volume_cache_enabled": True}}],
)
def test_what_is_right_for_cinder_is_accepted(given: dict[str, Any]) -> None:
    content = cases.changed({"base": "block", "set": {"vars/cinder_conf_overrides": given}})
    assert cases.errors(content, **content["raw"]) == []


@pytest.mark.parametrize(
    ("option", "value", "secret"),
    [
        ("san_password", "x", True),
        ("san_password", "", False),
        ("san_private_key", "/etc/cinder/key", False),
        ("replication_device", "backend_id:b,san_ip:1.2.3.4", False),
        ("replication_device", "backend_id:b,api_token:abc", True),
        ("replication_device", ["backend_id:b", "password = abc"], True),
        ("replication_device", "backend_id:b,ssh_key:/etc/cinder/key", False),
        ("url", "https://a:b@c/", True),
        ("url", "https://c:443/", False),
        ("connection_string", "redis://:abc@c:6379/0", True),
        ("connection_string", "redis://c:6379/0?db=1&password=abc", True),
        ("connection_string", "redis://c:6379?password=abc", True),
        ("connection_string", "redis://c:6379?socket_timeout=5", False),
        ("root_token_id", "s.abc", True),
        ("approle_secret_id", "abc", True),
        ("hmac_keys", "abc", True),
        ("rbd_secret_uuid", "6d0c9f84", False),
        ("x", '{"secret": "y"}', True),
        ("use_token", True, False),
        ("user_filter", "(objectClass=person)", False),
    ],
)
def test_a_secret_within_a_value_is_seen(option: str, value: Any, secret: bool) -> None:
    assert holds_secret(option, value) is secret
