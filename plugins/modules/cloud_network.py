#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Bring networks, subnets and routers of the cloud to what is wanted, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cloud_network
short_description: Manage networks, subnets and routers of neutron in one batch
version_added: "1.1.0"
description:
  - Reads what is there with one token over one connection, and changes what differs.
  - What is not named is left alone, also subnets of a named network and interfaces of a named router. Nothing is
    deleted.
  - What a network is on, and the addresses of a subnet, do not change. That is refused before anything is changed, and
    so are two networks of the same name in the project.
  - Where all was there once (C(/var/lib/holdfast/cloud_network.made)) and nothing answers, the plan is to C(wait for)
    the network service. The module waits, and then does what remains.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  credentials:
    description:
      - File on the host with C(auth_url), C(username), C(password), C(user_domain_name), C(project_name),
        C(project_domain_name), C(cafile) and C(region) of an administrator, as JSON.
    type: path
    default: /etc/holdfast/network.json
  networks:
    description: Networks.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      project:
        description: Whose it is, a project of the domain Default.
        type: str
        default: admin
      external:
        description: Whether routers lead out over it.
        type: bool
        default: false
      shared:
        description: Whether every project may use it.
        type: bool
        default: false
      physical_network:
        description: The physical network that it is; empty for one in tunnels.
        type: str
        default: ""
      vlan:
        description: VLAN id on the physical network.
        type: int
      mtu:
        description: Largest packet in bytes, when it is less than the way allows.
        type: int
      subnets:
        description: Its subnets.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Its name.
            type: str
            required: true
          cidr:
            description: Its addresses in CIDR form.
            type: str
            required: true
          gateway:
            description: Address of the router. The first when it is not given.
            type: str
          pool:
            description: First and last address that may be taken. All when it is empty.
            type: list
            elements: str
            default: []
          dhcp:
            description: Whether instances are told their addresses.
            type: bool
            default: true
          dns:
            description: Name servers that instances are told.
            type: list
            elements: str
            default: []
  routers:
    description: Routers.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      project:
        description: Whose it is, a project of the domain Default.
        type: str
        default: admin
      external_network:
        description: Name of one of the networks, over which it leads out; empty for none.
        type: str
        default: ""
      subnets:
        description: Names of subnets of the networks in which it is.
        type: list
        elements: str
        default: []
"""

EXAMPLES = r"""
- name: A network for instances, and a way out
  holdfast.storage.cloud_network:
    networks:
      - name: public
        external: true
        physical_network: external
        subnets: [{name: public, cidr: 203.0.113.0/24, gateway: 203.0.113.1, dhcp: false}]
      - name: private
        subnets: [{name: private, cidr: 10.100.0.0/24}]
    routers:
      - {name: main, external_network: public, subnets: [private]}
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["create network public", "create subnet public", "create router main"]
findings:
  description: What was refused and why, when the module fails for that.
  returned: failure
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.neutron.kinds import cloud_network
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    name = {"type": "str", "required": True}
    project = {"type": "str", "default": "admin"}
    texts: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
    no = {"type": "bool", "default": False}
    subnet = {
        "name": name,
        "cidr": name,
        "gateway": {"type": "str"},
        "pool": texts,
        "dhcp": {"type": "bool", "default": True},
        "dns": texts,
    }
    network = {
        "name": name,
        "project": project,
        "external": no,
        "shared": no,
        "physical_network": {"type": "str", "default": ""},
        "vlan": {"type": "int"},
        "mtu": {"type": "int"},
        "subnets": {"type": "list", "elements": "dict", "default": [], "options": subnet},
    }
    router = {"name": name, "project": project, "external_network": {"type": "str", "default": ""}, "subnets": texts}
    runner.run(
        cloud_network,
        {
            "credentials": {"type": "path", "default": cloud_network.CREDENTIALS},
            "networks": {"type": "list", "elements": "dict", "default": [], "options": network},
            "routers": {"type": "list", "elements": "dict", "default": [], "options": router},
        },
    )


if __name__ == "__main__":
    main()
