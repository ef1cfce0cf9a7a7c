# SPDX-License-Identifier: Apache-2.0
"""From what hosts have to what changes."""
