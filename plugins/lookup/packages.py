# SPDX-License-Identifier: Apache-2.0
"""The packages that the services of all roles need."""

from __future__ import annotations

DOCUMENTATION = r"""
name: packages
short_description: The packages that the services of all roles need
version_added: "1.0.0"
description:
  - Reads every C(roles/*/service.yml) and C(roles/*/backends/*.yml) of the collection. Packages that an expression
    chooses are not among them.
author:
  - Holdfast contributors (@holdfast)
options: {}
"""

EXAMPLES = r"""
- name: Show what an image should hold
  ansible.builtin.debug:
    var: query('holdfast.storage.packages')
"""

RETURN = r"""
_raw:
  description: Names of Debian packages, sorted.
  type: list
  elements: str
"""

from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import descriptions
from ansible_collections.holdfast.storage.plugins.module_utils.core.lab.specs import packages


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        """Return the names of the packages; there are no terms."""
        found = descriptions()
        types = ({"components": description.backends.values()} for description in found)
        return packages([*(description.content for description in found), *types])
