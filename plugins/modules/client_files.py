# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action client_files; the work is in plugins/action/client_files.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: client_files
short_description: Give a client on the controller what it needs
version_added: "1.0.0"
description:
  - >-
    Writes C(clouds.yaml) and C(openrc), readable by their owner only, and C(ca.pem) into C(holdfast_artifacts_dir),
    else into the run directory. The cloud has the name of the deployment, and the user is its administrator.
  - >-
    Runs for a host that has the deployment's authority, such as a member of C(haproxy), after
    M(holdfast.storage.model).
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.writes
"""

EXAMPLES = r"""
- name: Write clouds.yaml
  holdfast.storage.client_files:
"""

RETURN = r"""
actions:
  description: What was written.
  returned: always
  type: list
  elements: str
  sample: [write /srv/holdfast/clouds.yaml]
"""
