# SPDX-License-Identifier: Apache-2.0
"""What the controller's plugins share."""
