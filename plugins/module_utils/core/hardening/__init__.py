# SPDX-License-Identifier: Apache-2.0
"""What a host's system is kept from, beside its services."""
