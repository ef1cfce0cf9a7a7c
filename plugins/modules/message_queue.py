#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Make RabbitMQ virtual hosts and the users that own them, any number in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: message_queue
short_description: Make RabbitMQ virtual hosts and the users that own them
version_added: "1.0.0"
description:
  - Runs on a member's own host, and speaks to the management API there.
  - Queues of the virtual hosts are quorum queues unless their maker asks for another type.
  - A user has full rights in its virtual host and none elsewhere. The user C(guest) is removed.
  - Other users and virtual hosts are left alone.
  - Where all was there once (C(/var/lib/holdfast/message_queue.made)) and nothing answers, the plan is to C(wait for)
    the message queue. The module waits, and then does what remains.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  virtual_hosts:
    description: Names of the virtual hosts.
    type: list
    elements: str
    required: true
  users:
    description: The users.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the user.
        type: str
        required: true
      password:
        description: Its password.
        type: str
        required: true
      virtual_host:
        description: Where it has its rights.
        type: str
        required: true
  credentials:
    description: File on the host with the C(url), C(username) and C(password) of an administrator, as JSON.
    type: path
    default: /etc/holdfast/message_queue.json
"""

EXAMPLES = r"""
- name: Give the image service its virtual host
  holdfast.storage.message_queue:
    virtual_hosts: [glance]
    users:
      - name: glance
        password: "{{ glance_message_queue_password }}"
        virtual_host: glance
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["create virtual host glance", "create user glance", "create rights of glance in glance"]
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations.kinds import message_queue
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    user = {
        "name": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "virtual_host": {"type": "str", "required": True},
    }
    options = {
        "virtual_hosts": {"type": "list", "elements": "str", "required": True},
        "users": {"type": "list", "elements": "dict", "required": True, "options": user},
        "credentials": {"type": "path", "default": message_queue.CREDENTIALS},
    }
    runner.run(message_queue, options)


if __name__ == "__main__":
    main()
