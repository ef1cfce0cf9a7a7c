# SPDX-License-Identifier: Apache-2.0
"""The hosts of an inventory as the module lab_host takes them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_hosts
short_description: The hosts of an inventory as the module lab_host takes them
version_added: "1.0.0"
description:
  - Takes each host's C(ansible_host), C(networks_bridges) and C(lab_*) variables.
author:
  - Holdfast contributors (@holdfast)
positional: layers
options:
  _input:
    description: The variables of each host.
    type: list
    elements: dict
    required: true
  layers:
    description: What M(holdfast.storage.lab_image) returned as C(layers).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Have the hosts run
  holdfast.storage.lab_host:
    state_dir: "{{ lab_dir | realpath }}"
    hosts: "{{ groups['all'] | map('extract', hostvars) | holdfast.storage.lab_hosts(image.layers) }}"
"""

RETURN = r"""
_value:
  description: The option C(hosts) of M(holdfast.storage.lab_host).
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.lab.specs import specs


def lab_hosts(hosts: list[Mapping[str, Any]], layers: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """Make the filter's answer; a refusal is an error of the task."""
    try:
        return specs(hosts, layers)
    except HoldfastError as error:
        raise AnsibleFilterError(error.message) from error


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function, as Ansible asks for them."""
        return {"lab_hosts": lab_hosts}
