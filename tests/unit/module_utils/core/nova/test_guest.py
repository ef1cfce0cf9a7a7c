# SPDX-License-Identifier: Apache-2.0
"""What is read from the console of a guest."""

from __future__ import annotations

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.nova import guest

CONSOLE = """\
[    0.1] booting\r
<<boot begins>>\r
<<boot>> kernel 6.12\r
<<boot>> disk vda bytes=1073741824 serial= holds=ext4 label=\r
<<boot>> disk vdb bytes=67108864 serial= holds=swap label=\r
<<boot ends 0>>\r
<<r-1 begins>>\r
<<boot>> never said by r-1\r
<<r-1>> sha256 abc\r
"""


def test_what_was_said_under_a_name():
    lines, status = guest.spoken(CONSOLE, "boot")
    assert status == 0
    assert guest.value(lines, "kernel") == "6.12"
    assert [disk["holds"] for disk in guest.disks(lines)] == ["ext4", "swap"]


def test_a_command_that_has_not_ended():
    assert guest.spoken(CONSOLE, "r-1") == (["sha256 abc"], None)


def test_a_guest_that_booted_twice_is_read_from_its_last_boot():
    lines, status = guest.spoken(CONSOLE + "<<boot begins>>\n<<boot>> kernel 7\n<<boot ends 3>>\n", "boot")
    assert (lines, status) == (["kernel 7"], 3)


def test_what_it_did_not_say_is_an_error():
    with pytest.raises(HoldfastError, match="did not say its sha256"):
        guest.value(["kernel 6"], "sha256")


def test_patterns_of_two_seeds_differ_and_one_is_always_the_same():
    assert guest.pattern_digest("a", 1) == guest.pattern_digest("a", 1)
    assert len({guest.pattern_digest("a", 1), guest.pattern_digest("b", 1), guest.pattern_digest("a", 2)}) == 3
