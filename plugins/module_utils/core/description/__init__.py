# SPDX-License-Identifier: Apache-2.0
"""Service descriptions: what roles/<service>/service.yml says."""
