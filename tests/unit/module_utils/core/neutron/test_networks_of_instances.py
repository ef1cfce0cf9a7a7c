# SPDX-License-Identifier: Apache-2.0
"""Neutron, OVN and the switch as their descriptions make them, and what hosts should have of the subject's kinds."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core import flows
from ansible_collections.holdfast.storage.plugins.module_utils.core.config import parse_ini
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.neutron import chassis, wants
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

OVERLAY = "172.29.240."


@cache
def deployed() -> Services:
    content = cases.good("neutron")
    addresses = {"compute1": 31, "compute2": 32, "gateway1": 41}
    for name, last in addresses.items():
        content["hosts"][name]["networks_addresses"] = {"overlay": f"{OVERLAY}{last}"}
    return cases.deployed(content)


@cache
def on_storage() -> Services:
    """The same with tunnels on the storage network, which the kernel switches."""
    content = cases.good("neutron")
    del content["vars"]["networks_bridges"]["overlay"]
    content["vars"]["openvswitch_datapath"] = "kernel"
    for host in content["hosts"].values():
        host["networks_ports"].pop("overlay", None)
    return cases.deployed(content)


def components(host: str, service: str) -> list[dict[str, Any]]:
    services = deployed()
    return [found for found in services.components(services.model.hosts[host]) if found["service"] == service]


def files(host: str, service: str) -> dict[str, str]:
    return {entry["path"]: entry["content"] for found in components(host, service) for entry in found["files"]}


def units(host: str, service: str) -> set[str]:
    return {unit["name"] for found in components(host, service) for unit in found["units"]}


def wanted(host: str, kind: str, services: Services | None = None) -> dict[str, Any]:
    services = services or deployed()
    found: dict[str, Any] = getattr(wants, kind)(services.model, services.model.hosts[host], services, {})
    return found


# -- services -----------------------------------------------------------------------------------------------------


def test_the_network_service_has_a_process_for_each_duty_on_its_host_alone() -> None:
    assert units("control1", "neutron") >= {
        "neutron-api.service",
        "neutron-rpc-server.service",
        "neutron-periodic-workers.service",
        "neutron-ovn-maintenance-worker.service",
    }
    for host in ("compute1", "gateway1"):
        assert units(host, "neutron") == {"neutron-ovn-metadata-agent.service"}


def test_the_network_service_reaches_both_databases_by_tls_with_a_certificate() -> None:
    conf = parse_ini(files("control1", "neutron")["/etc/neutron/neutron.conf"])
    assert conf["ovn"]["ovn_nb_connection"] == "ssl:172.29.236.11:6641"
    assert conf["ovn"]["ovn_sb_connection"] == "ssl:172.29.236.11:6642"
    for side in ("nb", "sb"):
        assert conf["ovn"][f"ovn_{side}_certificate"] == "/etc/holdfast/tls/host.pem"
        assert conf["ovn"][f"ovn_{side}_ca_cert"] == "/etc/holdfast/tls/ca.pem"
    assert conf["ml2"]["mechanism_drivers"] == "ovn"
    assert conf["securitygroup"]["enable_security_group"] == "true"
    assert conf["DEFAULT"]["max_subnet_host_routes"] == "30"


def test_packets_fit_into_tunnels_and_wires() -> None:
    conf = parse_ini(files("control1", "neutron")["/etc/neutron/neutron.conf"])
    assert conf["ml2"]["path_mtu"] == conf["DEFAULT"]["global_physnet_mtu"] == "1600"
    assert conf["ml2"]["physical_network_mtus"] == "external:1500"
    assert conf["ml2_type_vlan"]["network_vlan_ranges"] == conf["ml2_type_flat"]["flat_networks"] == "external"


def test_quotas_are_what_the_inventory_says_and_the_others_stay() -> None:
    conf = parse_ini(files("control1", "neutron")["/etc/neutron/neutron.conf"])
    assert conf["quotas"] == {"quota_floatingip": "20", "quota_port": "-1"}


def test_agents_answer_instances_by_the_secret_and_no_host_without_instances_has_one() -> None:
    for host in ("compute1", "compute2", "gateway1"):
        conf = parse_ini(files(host, "neutron")["/etc/neutron/holdfast-metadata-agent.conf"])
        assert conf["DEFAULT"]["metadata_proxy_shared_secret"] == "s3cret"
        assert conf["DEFAULT"]["nova_metadata_protocol"] == "https"
        assert conf["DEFAULT"]["nova_metadata_insecure"] == "false"
        assert conf["ovn"]["ovn_sb_connection"].startswith("ssl:")
        # Who takes a compute host also takes what is here: no account, no password of the network service.
        assert not {"database", "keystone_authtoken", "nova"} & set(conf)
        assert "transport_url" not in conf["DEFAULT"]
    assert "/etc/neutron/holdfast-metadata-agent.conf" not in files("control1", "neutron")


def test_databases_of_ovn_listen_by_tls_on_their_own_address() -> None:
    for side, port in (("nb", 6641), ("sb", 6642)):
        remotes = json.loads(files("control1", "ovn")[f"/etc/ovn/holdfast-{side}.json"])["remotes"]
        assert sorted(remotes) == [f"pssl:{port}:172.29.236.11", f"punix:/run/ovn/ovn{side}_db.sock"]
    assert files("compute1", "ovn").keys().isdisjoint(files("control1", "ovn"))
    assert {"ovn-northd.service", "ovn-ovsdb-server-nb.service"} <= units("control1", "ovn")
    assert units("compute1", "ovn") == units("gateway1", "ovn") == {"ovn-controller.service", "ovn-host.service"}


def test_a_switch_that_is_a_process_needs_no_module_and_the_other_one_does() -> None:
    process, kernel = files("compute1", "openvswitch"), files("gateway1", "openvswitch")
    module, own_start = "/etc/modules-load.d/holdfast-openvswitch.conf", "ovs-vswitchd.service.d/holdfast.conf"
    assert module in kernel
    assert module not in process
    assert any(path.endswith(own_start) for path in process)
    assert not any(path.endswith(own_start) for path in kernel)
    assert kernel["/etc/openvswitch/system-id.conf"].strip() == "gateway-1"
    assert "systemd-modules-load.service" in units("gateway1", "openvswitch")
    assert "systemd-modules-load.service" not in units("compute1", "openvswitch")


def test_who_switches_follows_from_who_has_instances_and_who_leads_out() -> None:
    groups = {name: host.groups for name, host in deployed().model.hosts.items()}
    assert {name for name, of in groups.items() if chassis.GROUP in of} == {"compute1", "compute2", "gateway1"}
    assert deployed().model.hosts["compute1"].switched == ("overlay",)
    assert deployed().model.hosts["gateway1"].switched == ()


def test_nobody_switches_where_there_is_no_network_service() -> None:
    content = cases.good("neutron")
    for group in ("neutron_api", "ovn_central", "neutron_gateway"):
        del content["groups"][group]
    content["vars"] = {name: value for name, value in content["vars"].items() if not name.startswith("neutron_")}
    for host in content["hosts"].values():
        for name in ("neutron_provider_networks", "neutron_conf_overrides"):
            host.pop(name, None)
    services = cases.deployed(content)
    assert services.model.group(chassis.GROUP) == ()
    assert not {part["service"] for part in services.components(services.model.hosts["compute1"])} & {
        "openvswitch",
        "ovn",
        "neutron",
    }


# -- flows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("services", "network"), [(deployed, "overlay"), (on_storage, "storage")])
def test_tunnels_are_a_flow_of_the_network_that_carries_them(services: Any, network: str) -> None:
    model = services().model
    (row,) = (row for row in flows.table(model) if row.id == chassis.TUNNELS)
    assert row.network == network
    assert [host.name for host in flows.servers(model, row)] == ["compute1", "compute2", "gateway1"]
    assert flows.servers(model, row) == flows.clients(model, row)


def test_only_who_needs_the_databases_of_ovn_may_ask_them() -> None:
    model = deployed().model
    rows = {row.id: row for row in flows.table(model)}
    asking = {name: [host.name for host in flows.clients(model, rows[name])] for name in rows}
    assert asking["ovn_northbound"] == ["control1"]
    assert asking["ovn_southbound"] == ["compute1", "compute2", "control1", "gateway1"]


# -- kinds --------------------------------------------------------------------------------------------------------


def test_a_switch_that_is_a_process_makes_the_bridge_of_tunnels_and_those_of_physical_networks() -> None:
    found = wanted("compute1", "virtual_switch")
    assert found["bridges"] == [
        {"name": "br-overlay", "datapath": "netdev", "port": "eth3", "addresses": [f"{OVERLAY}31/22"]},
        {"name": "br-external", "datapath": "netdev", "port": "eth4", "addresses": []},
    ]
    ids = found["external_ids"]
    assert ids["ovn-encap-ip"] == f"{OVERLAY}31"
    assert ids["ovn-remote"] == "ssl:172.29.236.11:6642"
    assert ids["ovn-bridge-datapath-type"] == "netdev"
    assert ids["ovn-bridge-mappings"] == "external:br-external"
    assert ids["ovn-cms-options"] == "enable-chassis-as-gw"
    assert ids["hostname"] == "compute1"


def test_the_kernel_has_the_bridge_of_tunnels_where_it_switches() -> None:
    found = wanted("gateway1", "virtual_switch")
    assert found["bridges"] == [
        {"name": "br-external", "datapath": "system", "port": "eno2.52", "addresses": []},
    ]
    assert found["external_ids"]["system-id"] == "gateway-1"
    assert found["external_ids"]["ovn-encap-ip"] == f"{OVERLAY}41"


def test_a_host_with_instances_alone_leads_nobody_out() -> None:
    ids = wanted("compute2", "virtual_switch")["external_ids"]
    assert ids["ovn-cms-options"] == ids["ovn-bridge-mappings"] == ""
    assert wanted("control1", "virtual_switch") == {}


def test_tunnels_end_on_the_storage_network_where_there_is_no_overlay() -> None:
    services = on_storage()
    address = services.model.hosts["compute1"].addresses["storage"]
    assert wanted("compute1", "virtual_switch", services)["external_ids"]["ovn-encap-ip"] == address
    names = [bridge["name"] for bridge in wanted("compute1", "virtual_switch", services)["bridges"]]
    assert names == ["br-external"]


def test_links_of_physical_networks_are_brought_up() -> None:
    assert wanted("gateway1", "network") == {"ports": [{"interface": "eno2", "vlan": 52, "mtu": 1500}]}
    assert wanted("compute2", "network") == wanted("control1", "network") == {}


def test_one_host_makes_the_networks_of_the_cloud() -> None:
    found = wanted("control1", "cloud_network")
    assert [entry["name"] for entry in found["networks"]] == ["public", "private", "wide"]
    public, private, wide = found["networks"]
    assert (public["external"], public["physical_network"], public["subnets"][0]["dhcp"]) == (True, "external", False)
    assert (private["subnets"][0]["dhcp"], private["subnets"][0]["dns"]) == (True, ["172.29.236.1"])
    assert (wide["vlan"], wide["shared"], wide["mtu"]) == (300, True, 1500)
    assert found["routers"] == [
        {"name": "main", "project": "admin", "external_network": "public", "subnets": ["private"]}
    ]
    assert wanted("compute1", "cloud_network") == {}
    assert json.loads(files("control1", "neutron")["/etc/holdfast/network.json"])["username"] == "admin"


def test_a_deployment_without_networks_of_its_own_asks_nobody() -> None:
    content = cases.good("neutron")
    del content["vars"]["neutron_networks"], content["vars"]["neutron_routers"]
    assert wanted("control1", "cloud_network", cases.deployed(content)) == {}
