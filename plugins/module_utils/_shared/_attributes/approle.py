# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The attributes of roles of the auth method AppRole, and when each may change.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

from .attribute import ANY_TIME, AT_CREATION, Attribute

APPROLE_ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("token_policies", "list", ANY_TIME, "Names of policies.", default=()),
    Attribute("token_ttl", "duration", ANY_TIME, "How long a token lives. 0 means the server's default.", default=0),
    Attribute("token_max_ttl", "duration", ANY_TIME, "How long a token can be renewed.", default=0),
    Attribute("token_explicit_max_ttl", "duration", ANY_TIME, "How long a token can live at most.", default=0),
    Attribute("token_period", "duration", ANY_TIME, "Period of a token that can be renewed forever.", default=0),
    Attribute("token_num_uses", "int", ANY_TIME, "How often a token can be used. 0 means any number.", default=0),
    Attribute("token_bound_cidrs", "list", ANY_TIME, "Networks that a token works from.", default=()),
    Attribute("token_no_default_policy", "bool", ANY_TIME, "Leave the policy default out.", default=False),
    Attribute("token_type", "str", ANY_TIME, "Kind of token: default, service or batch.", default="default"),
    Attribute("bind_secret_id", "bool", ANY_TIME, "A login needs a secret ID.", default=True),
    Attribute("secret_id_ttl", "duration", ANY_TIME, "How long a secret ID lives. 0 means forever.", default=0),
    Attribute("secret_id_num_uses", "int", ANY_TIME, "How often a secret ID can be used. 0: any number.", default=0),
    Attribute("secret_id_bound_cidrs", "list", ANY_TIME, "Networks that a login works from.", default=()),
    Attribute("local_secret_ids", "bool", AT_CREATION, "Keep secret IDs out of replication.", default=False),
)
