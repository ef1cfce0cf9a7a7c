# SPDX-License-Identifier: Apache-2.0
"""What stories send: contents that can be made again from their names, disk images, and signatures.

Nothing here is kept between two steps of a verification: a reader makes the expected content again and compares.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import struct
from collections.abc import Mapping
from urllib.parse import quote

MIB = 1024 * 1024
CLUSTER = 64 * 1024


def content(seed: str, size: int) -> bytes:
    """``size`` bytes that do not compress, the same for the same seed."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - has to be repeatable, not secret


def sha256(data: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def md5(data: bytes) -> str:
    """The checksum that the object store and the image service give as ETag."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def qcow2(data: bytes, backing_file: str = "") -> bytes:
    """A qcow2 (version 3) image that holds ``data``, whose size is a multiple of 64 KiB and under 32 MiB.

    The layout is the plainest one: header, reference count table and block, L1 table, L2 table, data, one cluster each
    but for the data. ``backing_file`` names another image, which a safe image service refuses.
    """
    clusters = len(data) // CLUSTER
    if len(data) % CLUSTER or not 0 < clusters <= 500:
        raise ValueError("the size must be a multiple of 64 KiB and under 32 MiB")
    header = struct.pack(
        ">4sIQIIQIIQQIIQQQQII",
        b"QFI\xfb",
        3,
        104 if backing_file else 0,
        len(backing_file),
        16,  # cluster_bits
        len(data),
        0,  # no encryption
        1,  # entries of the L1 table
        3 * CLUSTER,
        1 * CLUSTER,
        1,  # clusters of the reference count table
        0,  # no snapshots
        0,
        0,  # incompatible features
        0,  # compatible features
        0,  # autoclear features
        4,  # reference counts of 2^4 bits
        104,  # length of this header
    )
    copied = 1 << 63
    tables = (
        header + backing_file.encode(),
        struct.pack(">Q", 2 * CLUSTER),
        struct.pack(">H", 1) * (5 + clusters),
        struct.pack(">Q", 4 * CLUSTER | copied),
        b"".join(struct.pack(">Q", (5 + number) * CLUSTER | copied) for number in range(clusters)),
    )
    return b"".join(table.ljust(CLUSTER, b"\0") for table in tables) + data


def vmdk_of_another_file(path: str) -> bytes:
    """A VMDK descriptor whose extent is a file of the server: the attack of which CVE-2022-47951 and others warn."""
    return (
        "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
        f'createType="monolithicFlat"\n\n# Extent description\nRW 2048 FLAT "{path}" 0\n\n'
        'ddb.adapterType = "ide"\n'
    ).encode()


def sign_s3(
    *, method: str, host: str, path: str, body: bytes, access: str, secret: str, region: str, when: str
) -> Mapping[str, str]:
    """Headers of a request to the S3 API, signed by version 4. ``when`` is UTC, as ``20250102T030405Z``."""
    digest = sha256(body)
    signed = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": when}
    names = ";".join(signed)
    headers = [f"{name}:{value}" for name, value in signed.items()]
    lines = [method, quote(path, safe="/~"), "", *headers, "", names, digest]
    scope = f"{when[:8]}/{region}/s3/aws4_request"
    to_sign = "\n".join(("AWS4-HMAC-SHA256", when, scope, sha256("\n".join(lines).encode())))
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return {
        "x-amz-content-sha256": digest,
        "x-amz-date": when,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}",
    }
