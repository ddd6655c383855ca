# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The API keys of ML providers: what they look like, and how they are kept out of messages."""
