# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What `mlkeys lint` decides: what is wrong with texts, modes and ciphertexts, and how that is told."""
