# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The kinds of files by the programs that read them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlkeys._lint.fixing.inventories import is_inventory

ANSIBLE, TEMPLATE, LITELLM, COMPOSE, DOTENV = "Ansible", "template", "LiteLLM", "Compose", "dotenv"
INVENTORY = "inventory"
# How variables begin to which Ansible refers: as its own documentation names them.
OF_ANSIBLE = "vault_"
#: What LiteLLM sets in its own environment.
ENVIRONMENT = "environment_variables"
_FOLDERS = {"group_vars", "host_vars", "playbooks", "roles", "tasks", "handlers", "defaults", "vars", "inventory"}
# Files that Ansible reads or copies as they are, by a folder or by their names.
_AS_THEY_ARE = {"files", "meta", "requirements.yml", "requirements.yaml", "galaxy.yml"}
_PLAY = re.compile(r"^[ \t-]*hosts[ \t]*:", re.MULTILINE)
_MODELS = re.compile(r"^model_list[ \t]*:", re.MULTILINE)
_PLUGIN = re.compile(r"^plugin[ \t]*:[ \t]*[\w.]+[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_DOTENV_NAME = re.compile(r"\.env(?:\..+)?|.+\.env")
_COMPOSE_NAME = re.compile(r"(?:docker-)?compose[\w.-]*\.ya?ml")


def is_of_ansible(kind: str) -> bool:
    return kind in (ANSIBLE, TEMPLATE, INVENTORY)


def kind_of(text: str, path: str) -> str:
    """The kind of a file by what its program replaces in it; empty if that is not known."""
    *folders, name = path.split("/")
    if name.endswith(".j2"):
        return TEMPLATE
    if is_as_it_is(folders, name):
        return ""
    if "roles" in folders and "templates" in folders:
        return TEMPLATE
    if _DOTENV_NAME.fullmatch(name):
        return DOTENV
    if not name.endswith((".yml", ".yaml")):
        return INVENTORY if is_inventory(text, folders, name) else ""
    if _COMPOSE_NAME.fullmatch(name):
        return COMPOSE
    if _MODELS.search(text):
        return LITELLM
    if _PLUGIN.search(text):
        # The configuration of an inventory, which Ansible reads before it has variables.
        return ""
    return ANSIBLE if _FOLDERS & {*folders} or _PLAY.search(text) else ""


def is_as_it_is(folders: Sequence[str], name: str) -> bool:
    """Whether Ansible replaces nothing in a file of a role, or of its dependencies."""
    in_role = bool(_FOLDERS & {*folders}) and bool(_AS_THEY_ARE & {*folders})
    return in_role or name in _AS_THEY_ARE
