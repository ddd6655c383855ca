# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a tree becomes. Each target is a pure function from a stack to texts of files."""
