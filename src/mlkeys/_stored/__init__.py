# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What encrypted vars files hold, and their plaintexts: for commands and for programs."""
