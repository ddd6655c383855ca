# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of programs::

    from mlkeys import testing

    def test_the_gateway_decrypts_its_key():
        app = testing.synth("app.py")
        assert app.has_key("ml", derived=True)
        assert app.grants("gateway", "openai")
        assert not app.grants("gateway", "hf")

pytest also gets the fixtures `mlkeys_server`, a throwaway server, and `mlkeys_snapshot`, which compares a whole project
with the one that was accepted before.
"""

from mlkeys._testing.project import Match, Project, Server, synth

__all__ = ["Match", "Project", "Server", "synth"]
