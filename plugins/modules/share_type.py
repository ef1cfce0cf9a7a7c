#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Bring manila's share types, types of groups and default quotas to what is wanted, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: share_type
short_description: Manage share types, share group types and default quotas of manila in one batch
version_added: "1.1.0"
description:
  - Reads what is there with one token over one connection, and changes what differs.
  - Types that are not named are left alone; what is named with I(state=absent) is removed. Of a named type, extra specs
    that are not wanted are removed.
  - Manila does not change the share types of a share group type; that is refused before anything is changed.
  - Where all was there once (C(/var/lib/holdfast/share_types.made)) and nothing answers, the plan is to C(wait for) the
    service. The module waits, and then does what remains.
  - With I(backends), services of manila-share that are not among them are refused while they hold shares.
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
    default: /etc/holdfast/share.json
  share_types:
    description: Share types.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      description:
        description: What users read about it.
        type: str
        default: ""
      public:
        description: Whether every project may use it.
        type: bool
        default: true
      extra_specs:
        description: What the scheduler, the driver and users read. Manila wants C(driver_handles_share_servers).
        type: dict
        default: {}
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  share_group_types:
    description: Types of groups of shares.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      share_types:
        description: Names of the share types of which shares in such a group may be.
        type: list
        elements: str
        default: []
      public:
        description: Whether every project may use it. Of one that is there it is left as it is.
        type: bool
        default: true
      group_specs:
        description: What the scheduler reads.
        type: dict
        default: {}
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  quotas:
    description: Quotas of the class C(default) by name, such as C(gigabytes). Others are left alone.
    type: dict
    default: {}
  backends:
    description: All back ends of manila-share, as C(host@back end). Without it none is looked for.
    type: list
    elements: str
seealso:
  - module: holdfast.storage.volume_type
"""

EXAMPLES = r"""
- name: Offer shares by NFS
  holdfast.storage.share_type:
    share_types:
      - name: nfs
        extra_specs: {driver_handles_share_servers: "False", share_backend_name: cephfs}
    share_group_types:
      - {name: together, share_types: [nfs]}
    quotas: {gigabytes: 2000}
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["create share type nfs", "update quotas of shares"]
findings:
  description: What was refused and why, when the module fails for that.
  returned: failure
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.manila.kinds import share_type
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    name = {"type": "str", "required": True}
    values: dict[str, Any] = {"type": "dict", "default": {}}
    public = {"type": "bool", "default": True}
    state = {"type": "str", "choices": ["present", "absent"], "default": "present"}
    text = {"type": "str", "default": ""}
    types = {"name": name, "description": text, "public": public, "extra_specs": values, "state": state}
    groups = {
        "name": name,
        "share_types": {"type": "list", "elements": "str", "default": []},
        "public": public,
        "group_specs": values,
        "state": state,
    }
    options = {
        "credentials": {"type": "path", "default": share_type.CREDENTIALS},
        "share_types": {"type": "list", "elements": "dict", "default": [], "options": types},
        "share_group_types": {"type": "list", "elements": "dict", "default": [], "options": groups},
        "quotas": values,
        "backends": {"type": "list", "elements": "str"},
    }
    runner.run(share_type, options)


if __name__ == "__main__":
    main()
