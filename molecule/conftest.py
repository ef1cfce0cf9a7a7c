# SPDX-License-Identifier: Apache-2.0
"""What pytest needs to know before the tests of any scenario: how hosts are spoken with."""

from __future__ import annotations

from testinfra.backend import BACKENDS

BACKENDS["paramiko"] = "lab_connection.LabBackend"
