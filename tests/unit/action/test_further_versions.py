# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that may add a version to the same key have the same name for it, however they are written."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.importing import further_versions

SECOND = {"content": "x", "version": 2}
ALSO = {"import": SECOND}


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"name": "a", "import": SECOND}, ["import transit/a"]),
        ({"name": "a", "engine_mount_point": "/own/", "import": {"version": "2"}}, ["import own/a"]),
        ({"name": "a", "import": {"content": "x"}}, []),
        ({"name": "a", "import": {"content": "x", "version": "1"}}, []),
        ({"name": "a"}, []),
        ({"name": "a", "import": "text"}, []),
        (
            {
                "backend": "b",
                "keys": [{"name": "a", "import": SECOND}, {"name": "c", "backend": "d", "import": SECOND}],
            },
            ["import b/a", "import d/c"],
        ),
        ({"keys": ["name=a", {"name": "b", "import": SECOND}]}, ["import transit/b"]),
        ({"keys": "name=a"}, []),
    ],
)
def test_names_of_keys_that_may_get_a_version(arguments: dict[str, Any], names: list[str]) -> None:
    assert further_versions(arguments) == names
