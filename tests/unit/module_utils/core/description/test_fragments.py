# SPDX-License-Identifier: Apache-2.0
"""What services share: a component names it, and gets files and units as if it had written them itself."""

from __future__ import annotations

import collections

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import COLLECTION, descriptions
from ansible_collections.holdfast.storage.plugins.module_utils.core.base.wants import unit
from ansible_collections.holdfast.storage.plugins.module_utils.core.config import parse_ini
from ansible_collections.holdfast.storage.plugins.module_utils.core.description import load, schema
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model, Network
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import EXPRESSIONS, ORDER
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.inventory_cases import ROOT

EXAMPLE = ROOT / "tests/cases/descriptions/example.yml"
FRAGMENTS = {path.stem: load.read(path) for path in (COLLECTION / "roles" / load.FRAGMENTS).glob("*.yml")}


def deployed(**changes):
    variables = {
        "haproxy_address": "10.0.0.10",
        "holdfast_region": "RegionOne",
        "example_workers": 3,
        "example_threads": 1,
        "example_conf_overrides": {"database": {"max_pool_size": 9}, "late": {"x": 1}},
    }
    groups = frozenset({"glance_api", "mariadb", "rabbitmq", "memcached", "haproxy"})
    host = Host("control1", groups, {"mgmt": "10.0.0.11"}, {}, variables)
    model = Model("t", {"mgmt": Network("mgmt", "br-mgmt", "10.0.0.0/24")}, {"control1": host}, variables)
    content = load.read(EXAMPLE)
    content["components"][0] |= changes
    assert schema.problems(content, "example.yml", ORDER.applied) == []
    shared = descriptions()[0]
    example = load.Description("example", content, shared.templates, fragments=shared.fragments)
    services = Services([example], model, collections.defaultdict(lambda: "s3cret"), expressions=EXPRESSIONS)
    return host, services


def component(**changes):
    host, services = deployed(**changes)
    (found,) = services.components(host)
    return found


def files(**changes):
    return {entry["path"]: entry for entry in component(**changes)["files"]}


def test_an_ordinary_service_is_short_and_complete():
    assert len(EXAMPLE.read_text().splitlines()) <= 45
    assert list(files()) == [
        "/etc/example/example.conf",
        "/etc/example/holdfast-uwsgi.ini",
        "/etc/systemd/system/example-api.service",
        "/etc/systemd/system/example-api.service.d/holdfast-hardening.conf",
        "/etc/systemd/system/example-worker.service",
        "/etc/systemd/system/example-worker.service.d/holdfast-hardening.conf",
        "/etc/tmpfiles.d/holdfast-example.conf",
    ]


def test_the_order_is_that_of_the_component():
    found = load.read(EXAMPLE)["components"][0]
    first = {"owners": found.pop("owners"), **found}
    host, services = deployed()
    services.descriptions[0].content["components"][0] = first
    assert next(services.components(host))["files"][0]["path"] == "/etc/tmpfiles.d/holdfast-example.conf"


def test_the_configuration_has_the_named_sections_among_its_own():
    entry = files()["/etc/example/example.conf"]
    sections = parse_ini(entry["content"])
    assert (entry["group"], entry["mode"]) == ("example", "0640")
    assert list(sections) == [
        "DEFAULT", "api", "database", "keystone_authtoken", "oslo_messaging_rabbit", "oslo_policy", "zone", "late",
    ]  # fmt: skip
    assert list(sections["DEFAULT"]) == ["use_stderr", "transport_url"]
    assert sections["database"]["connection"].startswith("mysql+pymysql://example:s3cret@10.0.0.11:3306/example?")
    assert sections["database"]["max_pool_size"] == "9"
    assert sections["oslo_messaging_rabbit"]["rabbit_transient_quorum_queue"] == "true"
    assert sections["oslo_policy"] == {
        "enforce_new_defaults": "true",
        "enforce_scope": "true",
        "policy_dirs": "/etc/example/policy.d",
    }


def test_an_api_listens_at_its_flow_and_takes_further_options_in_their_place():
    ini = parse_ini(files()["/etc/example/holdfast-uwsgi.ini"]["content"])["uwsgi"]
    assert (ini["http-socket"], ini["name"], ini["processes"]) == ("10.0.0.11:9292", "example-api", "3")
    assert list(ini)[-5:] == ["socket-timeout", "add-header", "disable-logging", "log-4xx", "log-5xx"]
    assert "http-raw-body" not in ini


def test_a_unit_runs_as_the_service_and_hands_its_files_to_root_first():
    lines = files()["/etc/systemd/system/example-worker.service"]["content"].splitlines()
    assert lines == [
        "[Unit]",
        "Description=Holdfast: the example's work",
        "After=network-online.target",
        "Wants=network-online.target",
        "[Service]",
        "Type=exec",
        "User=example",
        "Group=example",
        "WorkingDirectory=/var/lib/example",
        "ExecStartPre=+/usr/bin/systemd-tmpfiles --create /etc/tmpfiles.d/holdfast-example.conf",
        "ExecStart=/usr/bin/example-worker \\",
        "  --config-file /etc/example/example.conf",
        "Restart=on-failure",
        "LimitNOFILE=65535",
        "TimeoutStopSec=15",
        "[Install]",
        "WantedBy=multi-user.target",
    ]


def test_what_is_said_of_a_unit_is_in_it():
    more = {"mounts": ["/srv/a"], "after": ["b.service"], "in_unit": ["C=1"], "in_service": ["D=2"], "groups": ["g"]}
    given = load.read(EXAMPLE)["components"][0]["api"] | more
    given |= {"owners": False, "stop_seconds": 2, "stop_reason": "It waits."}
    text = files(api=given)["/etc/systemd/system/example-api.service"]["content"]
    assert "After=network-online.target b.service\n" in text
    assert "RequiresMountsFor=/srv/a\nC=1\n[Service]\nType=notify\n" in text
    assert "SupplementaryGroups=g\nWorkingDirectory=/var/lib/example\nD=2\nExecStart=" in text
    assert "# It waits.\nTimeoutStopSec=2\n" in text


def test_units_are_restarted_for_what_they_read():
    host, services = deployed()
    api, worker = unit(services.model, host, services, {})["units"]
    assert api["name"] == "example-api.service"
    assert api["listens"] == ["10.0.0.11:9292/healthcheck"]
    assert [entry["path"] for entry in api["inputs"]] == sorted(files())
    assert [entry["path"] for entry in worker["inputs"]] == [
        "/etc/example/example.conf",
        "/etc/systemd/system/example-worker.service",
        "/etc/systemd/system/example-worker.service.d/holdfast-hardening.conf",
        "/etc/tmpfiles.d/holdfast-example.conf",
    ]


def switches(**given):
    hardened = [{"unit": "x.service", **given}]
    lines = files(hardened=hardened)["/etc/systemd/system/x.service.d/holdfast-hardening.conf"]["content"].splitlines()
    assert lines[0] == "[Service]"
    return [tuple(line.split("=", 1)) for line in lines[1:]]


def test_what_a_unit_says_of_its_switches_lies_over_the_usual():
    usual = dict(switches())
    assert usual["NoNewPrivileges"] == "yes"
    assert usual["CapabilityBoundingSet"] == ""
    found = switches(hardening={"PrivateTmp": None, "UMask": "0077", "SystemCallFilter": ["@a", "~@b"], "New": "yes"})
    assert "PrivateTmp" not in dict(found)
    assert dict(found)["UMask"] == "0077"
    assert [value for name, value in found if name == "SystemCallFilter"] == ["@a", "~@b"]
    assert found[-1] == ("New", "yes")


def test_who_has_helpers_of_roots_shares_the_hosts_file_systems_and_devices():
    found = dict(switches(root_helpers=True))
    own_mounts = {"ProtectSystem", "ProtectHome", "ProtectProc", "PrivateTmp", "PrivateDevices", "ProtectKernelLogs",
                  "ProtectKernelTunables", "ProtectKernelModules", "ProtectControlGroups"}  # fmt: skip
    assert not own_mounts & set(found)
    assert "NoNewPrivileges" not in found
    assert found["CapabilityBoundingSet"].startswith("~CAP_SYS_TIME ")
    assert [value for name, value in switches(root_helpers=True) if name == "DeviceAllow"] == [
        "block-* rwm",
        "char-* rwm",
    ]


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_fragment_is_of_the_form_and_takes_what_the_schema_says(name):
    fragment, defs = FRAGMENTS[name], schema.document()["$defs"]
    assert set(fragment) <= {"defaults", "protected", "sections", "files", "units"}
    own = {key: value for key, value in fragment.items() if key in ("files", "units")}
    content = {"service": "x", "title": "X", "components": [{"group": "x", **own}]}
    assert schema.problems(content, name, ORDER.applied) == []
    assert schema.protected_problems(fragment.get("protected", []), name) == []
    given = defs["component"]["properties"][name]
    given = given.get("items", given)
    known = defs[given["$ref"].rpartition("/")[2]]["properties"] if "$ref" in given else given["properties"]
    assert set(fragment["defaults"]) - {"type", "command"} <= set(known) | {"unit"}


def test_the_schema_has_the_sections_that_there_are():
    assert schema.document()["$defs"]["conf"]["properties"]["oslo"]["items"]["enum"] == list(
        FRAGMENTS["conf"]["sections"]
    )
