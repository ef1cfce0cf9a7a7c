# SPDX-License-Identifier: Apache-2.0
"""Rules about the deployment as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import Finding
from ..draft import Draft, rule

SCHEMA_VERSION = 1
"""The form of inventories that this Holdfast understands."""


@rule
def schema_version(draft: Draft) -> Iterator[Finding]:
    """The inventory is not of a form that is newer than Holdfast."""
    version = draft.variables.get("holdfast_schema_version", SCHEMA_VERSION)
    if version > SCHEMA_VERSION:
        yield draft.error(
            "deployment.schema-version",
            ("holdfast_schema_version",),
            f"is {version}, newer than {SCHEMA_VERSION}, which this Holdfast understands: its variables may mean "
            "something else.",
            "Use a newer Holdfast, or write the inventory in the older form.",
        )
