# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The record of what a stack deployed, which is committed beside the program, and what follows from it."""
