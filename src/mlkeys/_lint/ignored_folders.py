# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Folders that the linter skips where git cannot list files. In a git work tree, `.gitignore` decides."""

from __future__ import annotations

IGNORED_FOLDERS = frozenset({".git", ".hg", ".svn", ".nox", ".tox", ".venv", "__pycache__", "node_modules"})
