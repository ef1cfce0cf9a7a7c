#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ask many addresses at once whether they answer, with packets of full size."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reachability_info
short_description: Ask many addresses at once whether they answer, with packets of full size
version_added: "1.0.0"
description:
  - Sends each target a small echo and one that fills the MTU and may not be fragmented, and tries TCP connections.
  - All at once, by one process, in six seconds at most.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.reads
options:
  targets:
    description: Addresses for echoes.
    type: list
    elements: dict
    default: []
    suboptions:
      network:
        description: Name of the network, returned as it is.
        type: str
      bridge:
        description: The interface that it goes out by.
        type: str
        required: true
      source:
        description: The host's address there.
        type: str
        required: true
      peer:
        description: Name of the other host, returned as it is.
        type: str
      address:
        description: Its address.
        type: str
        required: true
      size:
        description: Content of the large echo in bytes, 28 less than the MTU.
        type: int
        default: 1472
  ports:
    description: Addresses and TCP ports for connections, which are closed at once.
    type: list
    elements: dict
    default: []
    suboptions:
      flow:
        description: Name of the flow, returned as it is.
        type: str
      network:
        description: Name of the network, returned as it is.
        type: str
      source:
        description: The host's address there.
        type: str
        required: true
      peer:
        description: Name of the other host, returned as it is.
        type: str
      address:
        description: Its address.
        type: str
        required: true
      port:
        description: Its TCP port.
        type: int
        required: true
"""

EXAMPLES = r"""
- name: See that jumbo frames cross
  holdfast.storage.reachability_info:
    targets:
      - {bridge: br-storage, source: 172.29.244.21, address: 172.29.244.22, size: 8972}
"""

RETURN = r"""
targets:
  description: Each target, with C(small) and C(full), the milliseconds to the answer, and C(error).
  returned: success
  type: list
  elements: dict
  sample: [{"address": "172.29.244.22", "small": 0.31, "full": null, "error": ""}]
ports:
  description: Each port, with C(state), which is open, closed or filtered.
  returned: success
  type: list
  elements: dict
  sample: [{"address": "172.29.244.22", "port": 6200, "state": "open"}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.holdfast.storage.plugins.module_utils.host import reach


def main() -> None:
    text = {"type": "str"}
    needed = {"type": "str", "required": True}
    target = {"network": text, "bridge": needed, "source": needed, "peer": text, "address": needed}
    target["size"] = {"type": "int", "default": 1472}
    port = {"flow": text, "network": text, "source": needed, "peer": text, "address": needed}
    port["port"] = {"type": "int", "required": True}
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "default": [], "options": target},
            "ports": {"type": "list", "elements": "dict", "default": [], "options": port},
        },
        supports_check_mode=True,
    )
    module.exit_json(
        changed=False, targets=reach.echo(module.params["targets"]), ports=reach.connect(module.params["ports"])
    )


if __name__ == "__main__":
    main()
