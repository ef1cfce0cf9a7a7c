# SPDX-License-Identifier: Apache-2.0
"""Input and output, injected into the core: the host, the controller's files, API clients."""
