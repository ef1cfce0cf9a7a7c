# SPDX-License-Identifier: Apache-2.0
"""Action ``verify_begin``: a new verification, after the leftovers of others. See plugins/modules/verify_begin.py."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.controller.cloud import Client
from ansible_collections.holdfast.storage.plugins.module_utils.core import flows
from ansible_collections.holdfast.storage.plugins.module_utils.core.attach import stories as attached
from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import site as ceph_site
from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder import backends as block
from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder import stories as volume
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.glance import stories as image
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.nfs import shares as nfs
from ansible_collections.holdfast.storage.plugins.module_utils.core.swift import stories as object_store
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Scene, expect
from ansible_collections.holdfast.storage.plugins.plugin_utils.verify_action import VerifyAction


class ActionModule(VerifyAction):
    """Sets the scene: what stories and the tasks between them need to know."""

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        if self.check_mode:
            raise HoldfastError(
                "verify.yml writes objects and images, so it has no check mode. Run it without --check."
            )
        model = self.run_directory().model()
        absent = sorted(set(model.hosts) - set(self.variables["ansible_play_hosts"]))
        if absent:
            raise HoldfastError(
                f"The bytes on the networks prove nothing without {', '.join(absent)}: run verify.yml without --limit, "
                "when every host can be reached."
            )
        cloud = self.client()
        scene = Scene(run=time.strftime("%Y%m%d%H%M%S", time.gmtime()))
        said = {
            "run": scene.run,
            "container": scene.container,
            "coded_container": f"{scene.container}-coded",
            "coded_object": object_store.CODED,
            "missed_object": object_store.MISSED,
            "replicated_object": object_store.REPLICATED,
            "storage_hosts": {host.addresses["storage"]: host.name for host in model.group("swift_storage")},
            "storage_ports": sorted(
                {port for row in flows.FLOWS if row.servers == "swift_storage" for port in row.ports}
            ),
            "mgmt_addresses": [host.addresses["mgmt"] for host in model.group("swift_storage")],
            "facts": self._facts(model),
        }
        if model.group("swift_proxy"):
            object_store.sweep(cloud)
            said["account"] = cloud.endpoint("object-store").rpartition("/")[2]
            said["image_account"] = f"AUTH_{self._service_project(cloud)}"
        # Images from which there are volumes stay until those are gone.
        if model.group("cinder_api"):
            volume.sweep(cloud)
        if model.group("glance_api"):
            image.sweep(cloud)
        self.notes.clear("counters", "stories")
        self.notes.write("scene.json", said)
        return {"changed": False, **said}

    @staticmethod
    def _facts(model: Model) -> dict[str, Any]:
        """What the model tells a story."""
        coded = [
            {"name": row["name"], "data": row["ec_data_fragments"], "parity": row["ec_parity_fragments"]}
            for row in model.variables.get("swift_policies") or ()
            if row.get("type") == "erasure_coding" and not row.get("deprecated")
        ]
        stores = {store["name"]: store for store in model.variables.get("glance_stores") or ()}
        store = stores.get(model.variables.get("glance_default_store") or next(iter(stores), ""), {})
        chosen = store.get("type")
        types = {
            "keystone": "identity",
            "swift_proxy": "object-store",
            "glance_api": "image",
            "cinder_api": "block-storage",
        }
        return {
            "policy": coded[0] if coded else None,
            # Files that another host keeps leave their bytes on br-storage.
            "image_store": "nfs" if nfs.crosses(model, store.get("nfs"), "glance_api") else chosen,
            "image_container": "glance" if chosen == "swift" else None,
            "image_cache": (model.variables.get("glance_image_cache") or {}).get("enabled", False),
            "servers": len(model.group("glance_api")),
            "services": [name for group, name in types.items() if model.group(group)],
            "s3_region": model.variables["holdfast_region"],
            "rbd_store": next((name for name, store in stores.items() if store["type"] == "rbd"), None),
            "internal_image_api": {
                "address": model.variables["haproxy_address"],
                "port": flows.port("glance_api_internal"),
            },
            **ActionModule._volume_facts(model),
        }

    @staticmethod
    def _volume_facts(model: Model) -> dict[str, Any]:
        """The type that volumes get, another of the same back end, and where a client of its pool is."""
        types = block.volume_types(model)
        default = next((entry for entry in types if entry.get("default")), None)
        host, backend = next(
            (
                (host, backend)
                for host, backend in block.backends(model)
                if backend["type"] == "rbd" and default and default["backend"] in (None, backend["name"])
            ),
            (None, {}),
        )
        others = [
            entry["name"]
            for entry in types
            if default and entry is not default and entry["backend"] == default["backend"] is not None
        ]
        rbd = {"pool": backend.get("pool"), "user": backend.get("ceph_user") or "cinder", "size": volume.VOLUME_SIZE}
        lost = ceph_site.dispensable_osd_host(model)
        return {
            "osd_host": lost.name if lost and lost is not host else None,
            "ceph_admin_host": next((mon.name for mon in model.group("ceph_mon") if mon is not lost), None),
            "volume_type": default["name"] if default else None,
            "volume_other_type": others[0] if others else None,
            "rbd": {**rbd, "host": host.name} if host else None,
            "volume_bytes": volume.VOLUME_SIZE,
            "attached": attached.facts(model),
        }

    @staticmethod
    def _service_project(cloud: Client) -> str:
        answer = cloud.request("GET", f"{cloud.endpoint('identity')}/projects?name=service")
        found = expect(answer, 200, doing="Looking for the project service").json()["projects"]
        if not found:
            raise HoldfastError("The identity service has no project `service`.")
        return str(found[0]["id"])
