# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of programs. Users import `mlkeys.testing`, and pytest finds the fixtures by itself."""
