# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Attributes of keys, mounts and roles: links to files of the collection."""
