# SPDX-License-Identifier: Apache-2.0
"""What services stand on: database, message queue, certificates."""
