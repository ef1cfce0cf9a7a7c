# SPDX-License-Identifier: Apache-2.0
"""The kinds of things that Holdfast manages on a host, one file each, all of one form.

A kind is a Python module with these functions, all on JSON values, keyword-free and without globals:

``desired(model, host, services, secrets) -> wanted``
    On the controller. What this host should have of this kind; an empty value when nothing.
``question(wanted) -> asked``
    On the controller. What ``read`` has to look at: names and paths, never contents or secrets.
``read(io, asked) -> current``
    On the host, standard library only, in the probe and in the module. Digests rather than contents.
    It answers on a bare host too: a missing tool or daemon means that nothing is there. One that is silent and was
    filled before is no empty one: see ``change.wait_for``.
``plan(current, wanted) -> Plan``
    Anywhere. Pure. The changes in order, and findings for what must be refused (a disk that holds data).
``apply(io, plan) -> None``
    On the host, in the module. Does each change; may be killed at any point and run again.

Some have more:

``join(host, answers) -> current``
    On the controller. What ``plan`` gets, from the answers of all hosts by host and step; for what no host can decide
    by itself.
``NEEDS``
    Further sources that ``read`` imports, such as ``core/rings``; the probe sends them too.
``rendered(wanted) -> {path: text}``
    Anywhere. The files that will stand on the host, as far as they can be told without it.
``result(current, wanted) -> dict``
    On the host. What the module returns beyond the plan.

The module of a kind has the same name, takes ``wanted`` as its arguments and does read, plan, diff, apply, read
again (see ``runner.run``). ``registry.STEPS`` gives the phases of each.
"""
