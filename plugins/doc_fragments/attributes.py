# SPDX-License-Identifier: Apache-2.0
"""What modules say alike about check mode and diff. A module's own ``attributes`` go before these."""

from __future__ import annotations


class ModuleDocFragment:
    """The plain name is for modules of a kind; the others are C(attributes.reads) and so on."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Says what it would do and changes nothing, on a bare host too.
    support: full
  diff_mode:
    description: The diff is the plan, without secrets.
    support: full
"""

    # Parts of a run of site.yml, on the controller.
    RUN = r"""
attributes:
  check_mode:
    description: Works the same in check mode and changes nothing on a host.
    support: full
  diff_mode:
    description: Shows what differs, without secrets.
    support: full
"""

    READS = r"""
attributes:
  check_mode:
    description: It changes nothing, so it works the same in check mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

    # Writes files on the controller that no diff is made of.
    WRITES = r"""
attributes:
  check_mode:
    description: Changes nothing in check mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

    VERIFIES = r"""
attributes:
  check_mode:
    description: Needs a real run.
    support: none
  diff_mode:
    description: There is nothing to compare.
    support: none
"""
