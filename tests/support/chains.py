# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which exceptions Python and Ansible print with an error."""

from __future__ import annotations


def printed_with(error: BaseException) -> list[BaseException]:
    """The exceptions whose texts a traceback of the error shows besides its own, the first cause first."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return [] if before is None else [*printed_with(before), before]
