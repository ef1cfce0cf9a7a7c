# SPDX-License-Identifier: Apache-2.0
"""Stories of Ceph: who may do everything is where the inventory says, and nowhere else."""

from __future__ import annotations

from typing import Any

from ..description.services import Services
from ..model import Model
from ..verify.story import Cloud, Scene, Story, require

_DAEMONS = ("ceph_mon", "ceph_mgr", "ceph_osd", "ceph_mds", "ceph_rgw")


def facts(model: Model, services: Services) -> dict[str, Any]:
    """The hosts that have something of Ceph and not the administrator's keyring."""
    return {"hosts": [host.name for host in model.group(*_DAEMONS) if "ceph_admin" not in host.groups]}


def administrator(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Of what stands in /etc/ceph (module ``find``, by host), no file has the administrator's key."""
    looked = scene.fact("keyrings")
    for host, found in sorted(looked.items()):
        require(found.get("examined"), f"{host}: nothing was found in /etc/ceph: {found.get('msg') or 'no answer'}")
        paths = ", ".join(file["path"] for file in found["files"])
        require(not paths, f"{host} is not in ceph_admin, and has the administrator's key in {paths}.")
    return {host: f"{found['examined']} files of /etc/ceph, none with that key" for host, found in looked.items()}


STORIES = (
    Story("ceph.administrator", "The administrator's key of Ceph is on the hosts of ceph_admin alone", administrator),
)
