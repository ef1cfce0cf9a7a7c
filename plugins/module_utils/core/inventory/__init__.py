# SPDX-License-Identifier: Apache-2.0
"""From the inventory's variables to the model."""
