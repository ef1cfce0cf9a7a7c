# SPDX-License-Identifier: Apache-2.0
"""The domain in plain Python: no Ansible, no input or output."""
