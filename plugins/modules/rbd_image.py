#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Write to an RBD image, and read it, as a client of the cluster does."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_image
short_description: Write to an RBD image, and read it, as a client of the cluster
version_added: "1.0.0"
description:
  - Opens an image with the keyring of a user, writes content at its start that is made from a name when I(seed) is
    given, and reads as much back.
  - For verification. What the image held at its start is lost when I(seed) is given.
  - Needs the library C(rbd) (C(python3-rbd)).
author:
  - Holdfast contributors (@holdfast)
attributes:
  check_mode:
    description: Reads and does not write.
    support: full
  diff_mode:
    description: Content is never shown.
    support: none
options:
  pool:
    description: Name of the pool.
    type: str
    required: true
  image:
    description: Name of the image.
    type: str
    required: true
  user:
    description: Name of the user, without C(client.).
    type: str
    default: cinder
  seed:
    description: Name from which the content is made that is written. Without it nothing is written.
    type: str
    default: ""
  size:
    description: How many bytes at the start of the image are written and read.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Write a volume as a hypervisor would
  holdfast.storage.rbd_image:
    pool: volumes
    image: volume-2941de3e-1bcc-42ee-87fa-627fe7d2e4e3
    seed: 20260101000000/disk
    size: 16777216
"""

RETURN = r"""
sha256:
  description: SHA-256 of what was read, in hexadecimal.
  returned: success
  type: str
image:
  description: The image, as pool/name.
  returned: success
  type: str
  sample: volumes/volume-2941de3e-1bcc-42ee-87fa-627fe7d2e4e3
parent:
  description: What the image is a clone of, as pool/image@snapshot; empty when it is none.
  returned: success
  type: str
  sample: images/af06d68c-75cd-4e84-9a27-ebdeb7f81c29@snap
bytes:
  description: Size of the image.
  returned: success
  type: int
  sample: 1073741824
host:
  description: Name of the host that read it.
  returned: success
  type: str
  sample: storage1
"""

import hashlib
import os
import random

from ansible.module_utils.basic import AnsibleModule

CHUNK = 4 * 1024 * 1024


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "pool": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "user": {"type": "str", "default": "cinder"},
            "seed": {"type": "str", "default": ""},
            "size": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        import rados
        import rbd
    except ImportError as error:
        module.fail_json(msg=f"A library of Ceph is missing: {error}. Run this on a member of cinder_volume.")
    writes = bool(given["seed"]) and not module.check_mode
    try:
        with (
            rados.Rados(conffile="/etc/ceph/ceph.conf", rados_id=given["user"]) as cluster,
            cluster.open_ioctx(given["pool"]) as pool,
            rbd.Image(pool, given["image"], read_only=not writes) as image,
        ):
            if writes:
                content = random.Random(given["seed"]).randbytes(given["size"])  # noqa: S311 - repeatable, not secret
                for place in range(0, len(content), CHUNK):
                    image.write(content[place : place + CHUNK], place)
                image.flush()
            read = hashlib.sha256()
            for place in range(0, given["size"], CHUNK):
                read.update(image.read(place, min(CHUNK, given["size"] - place)))
            size = image.size()
            try:
                parent = "{}/{}@{}".format(*image.parent_info())
            except rbd.ImageNotFound:
                parent = ""
    except (rados.Error, rbd.Error) as error:
        module.fail_json(msg=f"{given['pool']}/{given['image']}: {error}")
    module.exit_json(
        changed=writes,
        sha256=read.hexdigest(),
        image=f"{given['pool']}/{given['image']}",
        parent=parent,
        bytes=size,
        host=os.uname().nodename,
    )


if __name__ == "__main__":
    main()
