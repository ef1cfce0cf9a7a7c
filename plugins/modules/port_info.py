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
attributes:
  check_mode:
    description: Works the same in check mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
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

import selectors
import socket
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule


def states(targets: list[tuple[str, int]], timeout: float) -> list[dict[str, Any]]:
    """Connect to all targets at once. ``timeout`` in seconds is for all of them together."""
    found = dict.fromkeys(targets, "filtered")
    end = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for target in targets:
            probe = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET)
            probe.setblocking(False)
            probe.connect_ex(target)
            selector.register(probe, selectors.EVENT_WRITE, target)
        while selector.get_map() and (left := end - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                failure = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # type: ignore[union-attr]
                found[key.data] = "open" if failure == 0 else "refused" if failure == 111 else "filtered"
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
        for key in list(selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
    return [{"address": address, "port": port, "state": state} for (address, port), state in found.items()]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "addresses": {"type": "list", "elements": "str", "required": True},
            "ports": {"type": "list", "elements": "int", "required": True},
            "timeout": {"type": "float", "default": 2.0},
        },
        supports_check_mode=True,
    )
    targets = [(address, port) for address in module.params["addresses"] for port in module.params["ports"]]
    module.exit_json(changed=False, ports=states(targets, module.params["timeout"]))


if __name__ == "__main__":
    main()
