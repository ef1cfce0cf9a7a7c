# SPDX-License-Identifier: Apache-2.0
"""What is given up by name."""
