# SPDX-License-Identifier: Apache-2.0
"""The lab: a deployment's hosts on one machine, made of one cached image, three switches and loop devices.

Each part has the form of a kind (see ``core.kind``), on the controller: ``read``, ``plan`` and ``apply``.
All that the lab makes carries a name that says so (``RUN``, ``TABLE``, the prefixes in ``names``), so that it can be
found and removed after a crash with nothing written down.
"""
