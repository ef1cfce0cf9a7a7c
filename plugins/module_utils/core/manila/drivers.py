# SPDX-License-Identifier: Apache-2.0
"""Whether drivers of manila make file servers themselves (driver_handles_share_servers), as their classes say.

Of manila 20, as Debian 13 has it: what each hands to ``ShareDriver.__init__``.
"""

from __future__ import annotations

import fnmatch

PREFIX = "manila.share.drivers."
_NEVER = (
    "cephfs.driver.*", "glusterfs.*", "hdfs.*", "hitachi.*", "ibm.gpfs.*", "infinidat.*", "infortrend.*", "inspur.*",
    "lvm.*", "macrosan.*", "maprfs.*", "nexenta.*", "purestorage.*", "qnap.*", "quobyte.*", "tegile.*", "vastdata.*",
    "veritas.*", "zadara.*", "zfsonlinux.*", "zfssa.*", "*.drv_single_svm.*",
)  # fmt: skip
_ALWAYS = ("container.*", "*.drv_multi_svm.*")


def handles_share_servers(driver: str) -> bool | None:
    """Whether a driver makes file servers: always, never, or None where it may be told either, or is not known."""
    name = driver.removeprefix(PREFIX)
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in _ALWAYS):
        return True
    return False if any(fnmatch.fnmatchcase(name, pattern) for pattern in _NEVER) else None
