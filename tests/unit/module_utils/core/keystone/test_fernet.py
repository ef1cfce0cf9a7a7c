# SPDX-License-Identifier: Apache-2.0
import base64
import itertools

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone import fernet


def numbered_random():
    counter = itertools.count()
    return lambda size: next(counter).to_bytes(size, "big")


def test_a_new_secret_has_a_staged_and_a_primary_key_of_32_bytes():
    keys = fernet.keys(fernet.generate(numbered_random(), 1000.7))
    assert list(keys) == ["0", "1"]
    assert all(len(base64.urlsafe_b64decode(key)) == 32 for key in keys.values())
    assert keys["0"] != keys["1"]


def test_age_counts_from_the_last_rotation():
    secret = fernet.generate(numbered_random(), 7200)
    assert fernet.age_hours(secret, 7200 + 5400) == 1.5
    later = fernet.rotate(secret, maximum=3, random=numbered_random(), now=20_000)
    assert fernet.age_hours(later, 20_000) == 0


@given(rotations=st.integers(1, 12), maximum=st.integers(3, 6))
def test_a_rotation_signs_with_what_every_host_has_and_keeps_what_tokens_need(rotations, maximum):
    random = numbered_random()
    before = fernet.generate(random, 0)
    for _ in range(rotations):
        after = fernet.rotate(before, maximum=maximum, random=random, now=0)
        old, new = fernet.keys(before), fernet.keys(after)
        primary = max(new, key=int)
        assert new[primary] == old["0"], "the primary is the key that was staged everywhere"
        assert new["0"] not in old.values()
        assert old[max(old, key=int)] in new.values(), "tokens of the former primary stay good"
        assert len(new) == min(len(old) + 1, max(len(old), maximum))
        assert list(new) == sorted(new, key=int)
        before = after
