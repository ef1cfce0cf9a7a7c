# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action verify_story; the work is in plugins/action/verify_story.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_story
short_description: Tell a story of the domain against the real APIs
version_added: "1.0.0"
description:
  - Tells one story on the controller, by the cloud that M(holdfast.storage.client_files) wrote.
  - A story that does not hold is a finding; M(holdfast.storage.verify_end) fails.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.verifies
options:
  story:
    description: Id of the story. docs/verify.md lists them.
    type: str
    required: true
  facts:
    description: What only hosts can tell, by name.
    type: dict
"""

EXAMPLES = r"""
- name: Tell that an object is on three devices
  holdfast.storage.verify_story:
    story: object.replicated
    facts:
      replicas: "{{ verify_replicas }}"
"""

RETURN = r"""
evidence:
  description: What was seen, such as checksums and places.
  returned: always
  type: dict
seconds:
  description: How long the story took.
  returned: always
  type: float
"""
