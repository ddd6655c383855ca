# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The attributes of mounted engines, and when each may change.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

from .attribute import ANY_TIME, AT_CREATION, Attribute

MOUNT_ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("description", "str", ANY_TIME, "What the mount is for.", default=""),
    Attribute("default_lease_ttl", "duration", ANY_TIME, "Default lease. 0 means the server's default.", default=0),
    Attribute("max_lease_ttl", "duration", ANY_TIME, "Longest lease. 0 means the server's default.", default=0),
    Attribute(
        "listing_visibility", "str", ANY_TIME, "Whether the user interface lists the mount without a token.", default=""
    ),
    Attribute(
        "audit_non_hmac_request_keys",
        "list",
        ANY_TIME,
        "Request fields that the audit log shows in the clear.",
        default=(),
    ),
    Attribute(
        "audit_non_hmac_response_keys",
        "list",
        ANY_TIME,
        "Response fields that the audit log shows in the clear.",
        default=(),
    ),
    Attribute(
        "passthrough_request_headers", "list", ANY_TIME, "Request headers handed through to the engine.", default=()
    ),
    Attribute("allowed_response_headers", "list", ANY_TIME, "Response headers that the engine may set.", default=()),
    Attribute("plugin_version", "str", ANY_TIME, "Version of the engine's plugin.", default=""),
    Attribute("options", "dict", AT_CREATION, "Options of the mount.", default=()),
    Attribute("local", "bool", AT_CREATION, "Keep the mount out of replication.", default=False),
    Attribute("seal_wrap", "bool", AT_CREATION, "Wrap the mount's storage with the seal.", default=False),
    Attribute(
        "external_entropy_access",
        "bool",
        AT_CREATION,
        "Let the mount use the server's external entropy source.",
        default=False,
    ),
    Attribute("force_no_cache", "bool", AT_CREATION, "Turn off caching for the mount.", default=False),
)
