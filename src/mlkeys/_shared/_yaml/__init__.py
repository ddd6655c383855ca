# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What YAML reads as something else than text, and how much of it is read: links to files of the collection."""
