# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ansible-core that the tests run on, for what differs between its versions."""

from __future__ import annotations

from ansible.release import __version__

CORE = tuple(int(part) for part in __version__.split(".")[:2])
