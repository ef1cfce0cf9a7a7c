# SPDX-License-Identifier: Apache-2.0
"""What hosts have to give, and what of it is taken."""
