# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The decisions of `mlkeys lint`: findings in texts, modes and ciphertexts, and their reports."""
