# SPDX-License-Identifier: Apache-2.0
"""The core, its input and output, and the body that modules share."""
