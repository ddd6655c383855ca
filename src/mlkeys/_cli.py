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

    Store secrets in encrypted vars files, run programs with them, and rotate keys on all hosts. Or describe keys,
    policies and hosts in a Python program, and generate an Ansible project and Terraform configurations from it.

    \b
    Examples:
      mlkeys dev -- sh                  start a shell with a development server
      mlkeys set keys.transit.yml openai_api_key --key ml-api-key --create-key
      mlkeys run -f keys.transit.yml -- python app.py
      mlkeys rotate -i inventory.yml --key transit/ml-api-key
      mlkeys init gateway --template llm-gateway
      mlkeys COMMAND --help             show a command's options, with examples
    """
