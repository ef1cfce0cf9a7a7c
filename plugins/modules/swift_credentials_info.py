# SPDX-License-Identifier: Apache-2.0
"""Module ``swift_credentials_info``: what of a request's credentials Swift's proxy tells the storage servers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swift_credentials_info
short_description: What of a request's credentials Swift's proxy tells the storage servers
version_added: "1.1.0"
description:
  - Writes, reads and asks for an object by signed URLs, with made-up credentials in every header that may hold some.
  - Meanwhile it looks at all that crosses the network between the proxy and the storage servers.
  - Runs on a member of C(swift_proxy), as root.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.reads
options:
  url:
    description: URL of the object at the proxy itself, by HTTP. What it holds is replaced.
    type: str
    required: true
  key:
    description: The container's key for temporary URLs.
    type: str
    required: true
  ports:
    description: Ports of the storage servers.
    type: list
    elements: int
    required: true
"""

EXAMPLES = r"""
- name: Look for credentials on the storage network
  holdfast.storage.swift_credentials_info:
    url: http://172.29.236.11:8080/v1/AUTH_0123456789abcdef0123456789abcdef/photos/summer.jpg
    key: "{{ temp_url_key }}"
    ports: [6200, 6201, 6202]
"""

RETURN = r"""
bytes:
  description: How much crossed the network.
  returned: success
  type: int
named:
  description: Whether the object's path was among it, without which nothing was seen.
  returned: success
  type: bool
statuses:
  description: The proxy's answers, by method.
  returned: success
  type: dict
  sample: {PUT: 201, GET: 200, HEAD: 200}
sent:
  description: Headers that held credentials, and C(signature), the one of the URL.
  returned: success
  type: list
  elements: str
seen:
  description: Those of them whose values the storage servers were told.
  returned: success
  type: list
  elements: str
"""

import http.client
import time
import uuid
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.holdfast.storage.plugins.module_utils.core.swift.signed_url import temporary_url
from ansible_collections.holdfast.storage.plugins.module_utils.host.capture import carried

# An Authorization is judged as one of S3, and the request refused.
HEADERS = (
    "X-Auth-Token",
    "X-Storage-Token",
    "X-Service-Token",
    "X-Subject-Token",
    "X-Auth-Key",
    "X-Storage-Pass",
    "X-Amz-Security-Token",
    "Proxy-Authorization",
    "Cookie",
)
METHODS = ("PUT", "GET", "HEAD")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "key": {"type": "str", "required": True, "no_log": True},
            "ports": {"type": "list", "elements": "int", "required": True},
        },
        supports_check_mode=True,
    )
    given, parts = module.params, urlsplit(module.params["url"])
    values = {name: uuid.uuid4().hex for name in HEADERS}
    links = {method: temporary_url(parts.path, given["key"], method, int(time.time()) + 300) for method in METHODS}
    signatures = {link.partition("temp_url_sig=")[2].partition("&")[0] for link in links.values()}
    statuses: dict[str, int] = {}

    def ask() -> None:
        for method, link in links.items():
            proxy = http.client.HTTPConnection(parts.netloc, timeout=60)
            proxy.request(method, link, b"holdfast" if method == "PUT" else None, values)
            statuses[method] = proxy.getresponse().status
            proxy.close()

    try:
        size, found = carried(given["ports"], [*values.values(), *signatures, parts.path.removeprefix("/v1")], ask)
    except (OSError, http.client.HTTPException) as error:
        module.fail_json(msg=f"{given['url']} could not be asked and looked at: {error}.")
    seen = [name for name, value in values.items() if value in found]
    module.exit_json(
        changed=False,
        bytes=size,
        named=parts.path.removeprefix("/v1") in found,
        statuses=statuses,
        sent=[*values, "signature"],
        seen=seen + (["signature"] if signatures & found else []),
    )


if __name__ == "__main__":
    main()
