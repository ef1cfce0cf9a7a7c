# SPDX-License-Identifier: Apache-2.0
import shutil
import struct
import subprocess

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.swift.signed_url import temporary_url
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import payload


def test_content_is_made_again_from_its_name():
    assert payload.content("a", 1000) == payload.content("a", 1000)
    assert payload.content("a", 1000) != payload.content("b", 1000)
    assert len(payload.content("a", 12345)) == 12345


def test_a_qcow2_image_says_what_it_holds():
    data = payload.content("x", 3 * payload.CLUSTER)
    image = payload.qcow2(data)
    magic, version, backing, _, bits, size = struct.unpack(">4sIQIIQ", image[:32])
    assert (magic, version, backing, 1 << bits, size) == (b"QFI\xfb", 3, 0, payload.CLUSTER, len(data))
    assert image.endswith(data)


def test_a_backing_file_stands_in_the_header():
    image = payload.qcow2(bytes(payload.CLUSTER), backing_file="/etc/passwd")
    offset, length = struct.unpack(">QI", image[8:20])
    assert image[offset : offset + length] == b"/etc/passwd"


@pytest.mark.parametrize("size", [0, 1, 600 * payload.CLUSTER])
def test_an_image_of_another_size_is_refused(size):
    with pytest.raises(ValueError, match="multiple of 64 KiB"):
        payload.qcow2(bytes(size))


def test_qemu_reads_the_image(tmp_path):
    tool = shutil.which("qemu-img")
    if not tool:
        pytest.skip("qemu-img is not on this machine")
    data = payload.content("x", 5 * payload.CLUSTER)
    (tmp_path / "a.qcow2").write_bytes(payload.qcow2(data))
    subprocess.run([tool, "check", "-q", tmp_path / "a.qcow2"], check=True)
    subprocess.run([tool, "convert", "-O", "raw", tmp_path / "a.qcow2", tmp_path / "a.raw"], check=True)
    assert (tmp_path / "a.raw").read_bytes() == data


def test_the_s3_signature_is_that_of_the_published_form():
    """The account and request of the form's own documentation, without its header range."""
    headers = payload.sign_s3(
        method="GET",
        host="examplebucket.s3.amazonaws.com",
        path="/test.txt",
        body=b"",
        access="AKIAIOSFODNN7EXAMPLE",
        secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        region="us-east-1",
        when="20130524T000000Z",
    )
    assert headers["x-amz-content-sha256"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert headers["Authorization"].endswith(
        "Signature=df548e2ce037944d03f3e68682813b093763996d597cf890ca3d9037fd231eb4"
    )


def test_a_temporary_url_depends_on_method_path_time_and_key():
    made = {
        temporary_url(*arguments)
        for arguments in (
            ("/v1/a/c/o", "key", "GET", 10),
            ("/v1/a/c/o", "key", "PUT", 10),
            ("/v1/a/c/p", "key", "GET", 10),
            ("/v1/a/c/o", "key", "GET", 11),
            ("/v1/a/c/o", "kez", "GET", 10),
        )
    }
    assert len(made) == 5
    assert len({url.partition("temp_url_sig=")[2][:64] for url in made}) == 5
