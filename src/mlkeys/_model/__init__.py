# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The construct tree: nodes, attributes, references, secrets, stacks."""
