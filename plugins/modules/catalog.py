#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Bring keystone's domains, projects, users, roles, services and endpoints to what is wanted, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: catalog
short_description: Manage domains, projects, users, roles, services and endpoints of keystone in one batch
version_added: "1.0.0"
description:
  - Reads what is named with one token over one connection, and changes what differs.
  - What is not named is left alone; what is named with I(state=absent) is removed.
  - A password is set when the user is made, and when it is another than the one that was last set from this host.
    A salted digest is kept in C(/var/lib/holdfast/catalog.json) for that.
  - Where that file is and the identity service gives no token, the plan is to C(wait for) it. The module waits, and
    then does what remains.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  credentials:
    description:
      - File on the host with C(auth_url), C(username), C(password), C(user_domain_name), C(project_name),
        C(project_domain_name) and C(cafile) of an administrator, as JSON.
    type: path
    default: /etc/holdfast/admin.json
  regions:
    description: Regions.
    type: list
    elements: dict
    default: []
    suboptions: &named
      name:
        description: Its name.
        type: str
        required: true
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  roles:
    description: Roles.
    type: list
    elements: dict
    default: []
    suboptions: *named
  domains:
    description: Domains.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      description:
        description: What it is for.
        type: str
      enabled:
        description: Whether it may be used. A domain must be disabled before it can be removed.
        type: bool
        default: true
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  projects:
    description: Projects.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      domain:
        description: Name of its domain.
        type: str
        default: Default
      description:
        description: What it is for.
        type: str
      enabled:
        description: Whether it may be used.
        type: bool
        default: true
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  users:
    description: Users.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      domain:
        description: Name of its domain.
        type: str
        default: Default
      description:
        description: What it is for.
        type: str
      email:
        description: Its address for mail.
        type: str
      password:
        description: Its password.
        type: str
      enabled:
        description: Whether it may sign in.
        type: bool
        default: true
      lockable:
        description: Whether wrong passwords lock it for a while. Left as it is when not told.
        type: bool
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  services:
    description: Services.
    type: list
    elements: dict
    default: []
    suboptions:
      type:
        description: What it offers, such as C(image).
        type: str
        required: true
      name:
        description: Its name, such as C(glance).
        type: str
        required: true
      description:
        description: What it is for.
        type: str
      enabled:
        description: Whether it is in the catalog.
        type: bool
        default: true
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  endpoints:
    description: Where services are found.
    type: list
    elements: dict
    default: []
    suboptions:
      type:
        description: Type of the service.
        type: str
        required: true
      service:
        description: Name of the service.
        type: str
        required: true
      region:
        description: Name of the region.
        type: str
        required: true
      interface:
        description: For whom it is.
        type: str
        choices: [public, internal, admin]
        required: true
      url:
        description: Where it is. Needed unless I(state=absent).
        type: str
      enabled:
        description: Whether it is in the catalog.
        type: bool
        default: true
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  assignments:
    description: Roles that users have, on a project, else on a domain, else on the whole system.
    type: list
    elements: dict
    default: []
    suboptions:
      user:
        description: Name of the user.
        type: str
        required: true
      user_domain:
        description: Name of the user's domain.
        type: str
        default: Default
      role:
        description: Name of the role.
        type: str
        required: true
      project:
        description: Name of the project.
        type: str
      project_domain:
        description: Name of the project's domain.
        type: str
        default: Default
      domain:
        description: Name of the domain, without I(project).
        type: str
      state:
        description: Whether it is given.
        type: str
        choices: [present, absent]
        default: present
"""

EXAMPLES = r"""
- name: Enter the image service
  holdfast.storage.catalog:
    regions: [{name: RegionOne}]
    projects: [{name: service}]
    users: [{name: glance, password: "{{ glance_identity_password }}"}]
    assignments: [{user: glance, role: service, project: service}]
    services: [{type: image, name: glance}]
    endpoints:
      - type: image
        service: glance
        region: RegionOne
        interface: public
        url: https://cloud.example.com:9292
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["create user Default/glance", "create role service of Default/glance on project Default/service"]
"""

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone.kinds import catalog
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def entries(**options: dict[str, Any]) -> dict[str, Any]:
    """The option of one collection: a list of entries of these options, each with its state."""
    state = {"type": "str", "choices": ["present", "absent"], "default": "present"}
    return {"type": "list", "elements": "dict", "default": [], "options": {**options, "state": state}}


def main() -> None:
    text: dict[str, Any] = {"type": "str"}
    name = {"type": "str", "required": True}
    domain = {"type": "str", "default": catalog.DEFAULT_DOMAIN}
    enabled = {"type": "bool", "default": True}
    interface = {"type": "str", "required": True, "choices": list(catalog.INTERFACES)}
    options = {
        "credentials": {"type": "path", "default": catalog.CREDENTIALS},
        "regions": entries(name=name),
        "roles": entries(name=name),
        "domains": entries(name=name, description=text, enabled=enabled),
        "projects": entries(name=name, domain=domain, description=text, enabled=enabled),
        "users": entries(
            name=name,
            domain=domain,
            description=text,
            email=text,
            password={"type": "str", "no_log": True},
            enabled=enabled,
            lockable={"type": "bool"},
        ),
        "services": entries(type=name, name=name, description=text, enabled=enabled),
        "endpoints": entries(type=name, service=name, region=name, interface=interface, url=text, enabled=enabled),
        "assignments": entries(
            user=name, user_domain=domain, role=name, project=text, project_domain=domain, domain=text
        ),
    }
    runner.run(catalog, options)


if __name__ == "__main__":
    main()
