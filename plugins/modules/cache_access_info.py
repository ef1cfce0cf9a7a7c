# SPDX-License-Identifier: Apache-2.0
"""Module ``cache_access_info``: who can write an entry of a cache."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cache_access_info
short_description: Who can write an entry of a cache
version_added: "1.1.0"
description:
  - Tries to write an entry of a memcached, as users of the host, with a certificate or without one, and says what it
    answered. The entry ends after a second, and no service asks for it.
  - Needs to be root, to be another user.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.reads
options:
  attempts:
    description: What is tried.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the attempt is called in the answer.
        type: str
        required: true
      user:
        description: The user of the host that tries. One that is not there is told as absent.
        type: str
        required: true
      place:
        description: Where the cache listens, C(unix:PATH) or C(ADDRESS:PORT).
        type: str
        required: true
      tls:
        description: Whether to speak TLS.
        type: bool
        default: false
      authority:
        description: File of the certificates that the cache's own is verified with.
        type: path
      certificate:
        description: File of the certificate to show, in PEM. It is read as root.
        type: path
      key:
        description: File of its key, if it is another one.
        type: path
"""

EXAMPLES = r"""
- name: Try as a user that is nobody's
  holdfast.storage.cache_access_info:
    attempts:
      - {name: nobody, user: nobody, place: "unix:/run/holdfast-keystone-cache/socket"}
"""

RETURN = r"""
attempts:
  description: What came of each. C(written) says whether the cache took the entry, C(said) what it answered.
  returned: success
  type: list
  elements: dict
  sample: [{name: nobody, written: false, said: "PermissionError: [Errno 13] Permission denied"}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.holdfast.storage.plugins.module_utils.host.cache import attempt


def main() -> None:
    text = {"type": "str", "required": True}
    options = {
        "name": text,
        "user": text,
        "place": text,
        "tls": {"type": "bool", "default": False},
        "authority": {"type": "path"},
        "certificate": {"type": "path"},
        "key": {"type": "path", "no_log": False},
    }
    module = AnsibleModule(
        argument_spec={"attempts": {"type": "list", "elements": "dict", "required": True, "options": options}},
        supports_check_mode=True,
    )
    module.exit_json(changed=False, attempts=[attempt(asked) for asked in module.params["attempts"]])


if __name__ == "__main__":
    main()
