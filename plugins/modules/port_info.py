# SPDX-License-Identifier: Apache-2.0
"""Module ``port_info``: which TCP ports can be reached from a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: port_info
short_description: Which TCP ports can be reached from a host
version_added: "1.0.0"
description:
  - Connects to every port of every address at once, and says what happened. Nothing is sent.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.reads
options:
  addresses:
    description: IP addresses.
    type: list
    elements: str
    required: true
  ports:
    description: TCP ports.
    type: list
    elements: int
    required: true
  timeout:
    description: Seconds after which a port counts as filtered.
    type: float
    default: 2.0
  user:
    description: User of the host that asks. The one of the module by default, and another only when that is root.
    type: str
    version_added: "1.1.0"
"""

EXAMPLES = r"""
- name: Ask for the object servers on the management network
  holdfast.storage.port_info:
    addresses: [172.29.236.21]
    ports: [6200, 6201, 6202, 873]
"""

RETURN = r"""
ports:
  description: What happened at each port. C(state) is C(open), C(refused), or C(filtered) when nothing answers.
  returned: success
  type: list
  elements: dict
  sample: [{address: 172.29.236.21, port: 6200, state: filtered}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.holdfast.storage.plugins.module_utils.host.ports import acting_as, states


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "addresses": {"type": "list", "elements": "str", "required": True},
            "ports": {"type": "list", "elements": "int", "required": True},
            "timeout": {"type": "float", "default": 2.0},
            "user": {"type": "str"},
        },
        supports_check_mode=True,
    )
    user = module.params.pop("user")
    try:
        with acting_as(user):
            ports = states(**module.params)
    except (KeyError, PermissionError) as error:
        module.fail_json(msg=f"This host can not be asked as the user {user}: {error}.")
    module.exit_json(changed=False, ports=ports)


if __name__ == "__main__":
    main()
