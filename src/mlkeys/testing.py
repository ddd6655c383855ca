# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of programs::

    from mlkeys import testing

    def test_the_gateway_can_decrypt_its_own_key_only():
        project = testing.synth("app.py")
        assert project.has_key("ml-api-key", derived=True)
        assert project.grants("gateway", "openai_api_key")
        assert not project.grants("gateway", "hf_token")

pytest also gets the fixtures `mlkeys_server`, a throwaway server, and `mlkeys_snapshot`, which compares a whole project
with the one that was accepted before.
"""

from mlkeys._testing.project import Match, Project, Server, synth

__all__ = ["Match", "Project", "Server", "synth"]
