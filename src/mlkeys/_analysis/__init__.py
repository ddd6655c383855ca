# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Analysis of a complete tree: dependencies, problems, diagrams."""
