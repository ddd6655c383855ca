# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""From what people have to encrypted vars files: what sources hold, and what becomes of each value.

Plaintext passes through memory and pipes only.
"""
