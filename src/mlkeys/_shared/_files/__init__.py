# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Folders and files that are opened and replaced safely: links to files of the collection."""
