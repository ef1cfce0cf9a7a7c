# SPDX-License-Identifier: Apache-2.0
"""NFS servers of CephFS: a server for each host of the group, under an address that moves with it."""
