# SPDX-License-Identifier: Apache-2.0
"""Stories of the domain, and their proof."""
