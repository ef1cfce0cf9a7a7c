# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action certificate_request; the work is in plugins/action, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_request
short_description: Tell the role pki what to sign for a host, and with what
version_added: "1.0.0"
description:
  - Reads the model and the plan that M(holdfast.storage.model) and M(holdfast.storage.plan) left, and the secrets.
  - The result holds private keys. Use it with C(no_log) only.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.reads
"""

EXAMPLES = r"""
- name: Know what to sign
  holdfast.storage.certificate_request:
  register: pki_request
  no_log: true
"""

RETURN = r"""
serves:
  description: Whether the plan has a new certificate for the host.
  returned: success
  type: bool
names:
  description: What the host's certificate is for, empty when the host serves no TLS.
  returned: success
  type: list
  elements: str
  sample: ["DNS:control1", "IP:172.29.236.11"]
common_name:
  description: The host's name.
  returned: success
  type: str
  sample: control1
authority_name:
  description: Common name of the authority.
  returned: success
  type: str
  sample: Holdfast authority of lab
authority_key:
  description: The authority's private key, in PEM.
  returned: success
  type: str
authority_path:
  description: Where the authority's certificate is kept on the controller.
  returned: success
  type: str
authority_certificate:
  description: What is there, in PEM, or nothing.
  returned: success
  type: str
authority_days:
  description: Days that the authority's certificate must still be good for.
  returned: success
  type: int
  sample: 397
site_authority:
  description: Certificates of the site's own authority, in PEM, or nothing.
  returned: success
  type: str
site_certificate:
  description: The site's own certificate for the load balancer, in PEM, or nothing.
  returned: success
  type: str
site_key:
  description: Its private key, in PEM, or nothing.
  returned: success
  type: str
"""
