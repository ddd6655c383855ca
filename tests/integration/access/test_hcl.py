# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies with any text in them, as a real server reads them."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import Rule, hcl

from tests.support.server import Bao
from tests.support.shapes import TEXTS, collected

ODD = ["${a}", "$${", "%{", "\u2028\u0085", "\ue123", "\ufeff", 'it\'s "quoted"', "back\\slash", "😀"]


def test_a_path_reaches_what_it_names_whatever_it_holds(bao: Bao, mint_token: Callable[[str], str]) -> None:
    # Double braces are the server's own templates.
    texts = [text.replace("{", "").replace("}", "") for text in collected(TEXTS, 200)]
    paths = [f"odd/{number}/{text}/end" for number, text in enumerate([*ODD, *texts])]
    rules = [Rule(path, ("read",), {"x": (path,)}) for path in paths]
    token = mint_token(hcl(rules))
    found = bao.done("POST", "sys/capabilities", {"paths": paths, "token": token})["data"]
    assert {path: found[path] for path in paths} == {path: ["read"] for path in paths}
