# SPDX-License-Identifier: Apache-2.0
"""What acts on the host that it runs on, and the body of modules."""
