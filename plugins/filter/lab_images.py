# SPDX-License-Identifier: Apache-2.0
"""Images of a lab's inventory as the module lab_cloud takes them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_images
short_description: Images of a lab's inventory as the module lab_cloud takes them
version_added: "1.1.0"
description:
  - Gives an entry without a file that of the lab's guest, in the entry's format.
author:
  - Holdfast contributors (@holdfast)
positional: guest
options:
  _input:
    description: The variable C(lab_images).
    type: list
    elements: dict
    required: true
  guest:
    description: What M(holdfast.storage.lab_guest) returned as C(files).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Leave images in the cloud
  holdfast.storage.lab_cloud:
    clouds_file: /srv/holdfast/.lab/clouds.yaml
    cloud: lab
    images: "{{ lab_images | holdfast.storage.lab_images(guest.files) }}"
"""

RETURN = r"""
_value:
  description: The option C(images) of M(holdfast.storage.lab_cloud).
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab.specs import images


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function, as Ansible asks for them."""
        return {"lab_images": images}
