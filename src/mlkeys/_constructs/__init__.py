# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The constructs, one file for each kind. Users import them from `mlkeys` and `mlkeys.transit`."""
