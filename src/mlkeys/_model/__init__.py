# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The tree of constructs and what it is made of: nodes, attributes, references, secrets, stacks."""
