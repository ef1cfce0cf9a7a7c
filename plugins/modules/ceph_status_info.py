# SPDX-License-Identifier: Apache-2.0
"""Module ``ceph_status_info``: what a Ceph cluster says of its health, OSDs and placement groups."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ceph_status_info
short_description: What a Ceph cluster says of its health, OSDs and placement groups
version_added: "1.0.0"
description:
  - Asks the cluster for its status, as C(ceph status) does.
  - A manager hears of a change some seconds late. What it calls clean is taken for clean only when it heard that of
    each placement group after the group's OSDs came up.
  - Runs where a monitor is, or a keyring of the administrator, and needs python3-rados.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.reads
options:
  timeout:
    description: Seconds after which monitors that do not answer are an error.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: Wait until the cluster is whole
  holdfast.storage.ceph_status_info:
  register: status
  until: status.clean | default(false)
  retries: 180
  delay: 2
"""

RETURN = r"""
health:
  description: C(HEALTH_OK), C(HEALTH_WARN) or C(HEALTH_ERR).
  returned: success
  type: str
osds:
  description: How many OSDs there are, how many of them are up, and how many hold data.
  returned: success
  type: dict
  sample: {total: 3, up: 3, in: 3}
placement_groups:
  description: How many placement groups are in which state.
  returned: success
  type: dict
  sample: {active+clean: 97}
clean:
  description: Whether all OSDs are up and every placement group is active and clean since; scrubbing is clean.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import admin
from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.values import status_summary, told_since_return
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Host


def main() -> None:
    module = AnsibleModule(
        argument_spec={"timeout": {"type": "int", "default": 10}},
        supports_check_mode=True,
    )
    io = Host()
    if not admin.can_ask(io):
        module.fail_json(msg="Neither a monitor nor a keyring of the administrator is on this host.")
    timeout = module.params["timeout"]
    try:
        with admin.opened(io, timeout) as cluster:
            told = status_summary(cluster.tell("status"))
            if told["clean"]:
                osds = cluster.tell("osd dump")["osds"]
                with admin.with_manager(io, cluster, timeout) as administrator:
                    groups = administrator.tell("pg dump", manager=True, dumpcontents=["pgs"])["pg_stats"]
                told["clean"] = told_since_return(osds, groups)
    except HoldfastError as error:
        module.fail_json(msg=f"The cluster does not tell its status: {error.message}")
    module.exit_json(changed=False, **told)


if __name__ == "__main__":
    main()
