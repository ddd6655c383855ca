# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The command `mlkeys`."""

from __future__ import annotations

import click

from mlkeys._commands import EXIT_CODES, Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(package_name="mlkeys", message="%(package)s %(version)s")
def main() -> None:
    """Keep the API keys of ML services encrypted with the Transit engine of OpenBao or Vault.

    Describe keys, policies and hosts in a Python program, and generate an Ansible project and Terraform
    configurations from it.

    \b
    Examples:
      mlkeys init gateway --template llm-gateway
      cd gateway
      mlkeys dev -- mlkeys deploy       to a temporary development server
      mlkeys deploy                     to the server at BAO_ADDR
      mlkeys COMMAND --help             a command's options, with examples
    """
