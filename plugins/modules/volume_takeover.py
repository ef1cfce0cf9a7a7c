#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Give the volumes of a dead cinder-volume to another."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volume_takeover
short_description: Give the volumes of a cinder-volume that is dead for good to another
version_added: "1.0.0"
description:
  - Enters another service as the manager of volumes, pool by pool. The volumes' data stays where it is, so the other
    service must reach it by a back end of the same device.
  - Refused while the former service is up, and when the other is not.
  - Volumes of a cluster are left alone, as its members manage each other's.
  - Runs on a host of the volume API.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
attributes:
  check_mode:
    description: Says which volumes would move and changes nothing.
    support: full
options:
  source:
    description: The service that is dead, as C(host@back end).
    type: str
    required: true
  target:
    description: The service that takes over, as C(host@back end).
    type: str
    required: true
  credentials:
    description: File on the host that says how an administrator signs in; see M(holdfast.storage.volume_type).
    type: path
    default: /etc/holdfast/volume.json
"""

EXAMPLES = r"""
- name: Let storage2 manage what storage1 did
  holdfast.storage.volume_takeover:
    source: storage1@array
    target: storage2@array
"""

RETURN = r"""
volumes:
  description: The volumes that moved, or would in check mode.
  returned: success
  type: list
  elements: dict
  sample:
    - {id: 2941de3e-1bcc-42ee-87fa-627fe7d2e4e3, name: db, size: 20, status: available, from: storage1@array#array}
clustered:
  description: How many volumes are a cluster's and were left alone.
  returned: success
  type: int
  sample: 0
cluster:
  description: Cluster of the target, or empty.
  returned: success
  type: str
  sample: lab@ceph
enter:
  description:
    - Whether the target has to enter its cluster anew. A member manages its cluster's volumes only, and takes in those
      that bear its own name when it enters.
  returned: success
  type: bool
  sample: true
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["move volume 2941de3e-1bcc-42ee-87fa-627fe7d2e4e3"]
findings:
  description: What was refused and why, when the module fails for that.
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder.kinds import (
    volume_takeover,
    volume_type,
)
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    service = {"type": "str", "required": True}
    options = {
        "source": service,
        "target": service,
        "credentials": {"type": "path", "default": volume_type.CREDENTIALS},
    }
    runner.run(volume_takeover, options)


if __name__ == "__main__":
    main()
