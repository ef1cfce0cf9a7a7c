# SPDX-License-Identifier: Apache-2.0
"""Shared file systems: back ends, share types, and the stories of shares."""
