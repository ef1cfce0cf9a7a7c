# SPDX-License-Identifier: Apache-2.0
"""What holds in every scenario: on converged hosts, check mode finds nothing to do."""

from __future__ import annotations

from lab_site import PROJECT, SCENARIO, play


def test_check_mode_finds_nothing_to_do() -> None:
    own = SCENARIO / "converge.yml"
    run = play(own if own.exists() else PROJECT / "playbooks/site.yml", "--check", "--diff")
    assert run.rc == 0, run.output
    assert run.recap(), run.output
    assert {host: changed for host, changed in run.recap().items() if changed} == {}, run.output
