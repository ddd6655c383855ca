# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Sources of `mlkeys import`: their values, and the decision about each of them.

Plaintext passes through memory and pipes only.
"""
