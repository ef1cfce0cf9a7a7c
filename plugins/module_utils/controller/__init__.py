# SPDX-License-Identifier: Apache-2.0
"""What orchestrates a run, on the controller."""
