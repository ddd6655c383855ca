# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Keep the API keys of ML services encrypted with the Transit engine of OpenBao or HashiCorp Vault."""
