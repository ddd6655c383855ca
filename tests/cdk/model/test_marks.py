# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A reference stands for its value wherever a program writes it, also in names, and no file shows its mark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlkeys import (
    Annotations,
    AnsibleTask,
    AppInvalid,
    Construct,
    EncryptedVars,
    HostConfig,
    Inventory,
    MlkeysError,
    Secret,
    Stack,
    TerraformBlock,
    export,
)
from mlkeys import transit as vault
from mlkeys._synthesis.synth import synthesize
from tests.cdk.apps import app_of, files, key_in, problems, stack

Key = vault.TransitSecretBackendKey


def granted(s: Stack, key: Key) -> None:
    key.grant_decrypt(vault.AppRole(s, "r", name=f"{key.name}_role"), secrets=[f"{key.name}"])


def file(s: Stack, key: Key) -> None:
    web = Inventory(s, "i").group(f"web_{key.name}", [f"{key.name}.example.com"], variables={f"v_{key.name}": key.name})
    HostConfig(
        s, "f", hosts=web, dest=f"/etc/{key.name}/x", owner=f"{key.name}", json={f"{key.name}": [{f"{key.name}": 1}]}
    )


def messages(s: Stack, key: Key) -> None:
    Annotations.of(s).info(f"of {key.name}")
    Annotations.of(s).warning("w", f"of {key.name}")


def override(_: Stack, key: Key) -> None:
    key.add_override(f"x_{key.name}", {f"{key.name}": key.name})


#: Where a program may write a name, with what becomes of it.
PLACES: dict[str, tuple[Callable[[Stack, Key], object], str]] = {
    "id": (lambda s, key: Construct(s, f"{key.name}-part"), '"path": "s/abc-part"'),
    "policy": (lambda s, key: vault.Policy(s, "p", name=f"{key.name}-p").allow("a", "read"), "policies/abc-p.hcl"),
    "description": (lambda s, key: vault.Policy(s, "p", description=f"x {key.name}").allow("a", "read"), "# x abc"),
    "parameter": (lambda s, key: vault.Policy(s, "p").allow("a", "read", parameters={f"{key.name}": []}), '"abc" = []'),
    "grant": (granted, '"context" = ["YWJj"]'),
    "secret": (lambda _, key: key.encrypt(Secret.env("A"), name=f"a_{key.name}"), "a_abc"),
    "vars": (lambda s, key: EncryptedVars(s, "v", key=key, secrets={f"a_{key.name}": Secret.env("A")}), "a_abc"),
    "output": (lambda s, key: export(f"o-{key.name}", 1, scope=s, description=f"x {key.name}"), "x abc"),
    "file": (file, "abc.example.com"),
    "task": (lambda s, key: AnsibleTask(s, "t", task={"debug": {f"x_{key.name}": key.name}}), "x_abc: abc"),
    "block": (lambda s, key: TerraformBlock(s, "t", block={"locals": {f"x_{key.name}": 1}}), '"x_abc": 1'),
    "options": (
        lambda s, key: vault.TransitSecretBackend(s, "e", options={f"{key.name}": key.name}),
        '"abc": "${vault_',
    ),
    "override": (override, "x_abc"),
    "messages": (messages, "of abc"),
    "stack": (
        lambda s, key: key_in(Stack(app_of(s), "t", url=f"https://{key.name}", description=f"of {key.name}"), "other"),
        "https://abc",
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_name_has_the_value(place: str) -> None:
    plant, wanted = PLACES[place]
    s = stack("s")
    plant(s, key_in(s, "abc", derived=True))
    made = files(s)
    assert wanted in "\n".join(f"{name}\n{text}" for name, text in made.items())
    assert not [name for name, text in made.items() if "\ue000" in name + text or "ue000" in text]


def test_messages_of_a_program_are_readable() -> None:
    s = stack("s")
    key = key_in(s, "abc")
    Annotations.of(s).error(f"wrong: {key.name}")
    s.node.add_validation(lambda: [f"old: {key.latest_version}"])
    assert [one.partition(") ")[2] for one in problems(s)] == ["wrong: abc", "old: <s/abc.latest_version>"]


@pytest.mark.parametrize("place", ["policy", "grant", "secret", "output", "block"])
def test_a_name_that_is_only_known_after_deployment_is_refused(place: str) -> None:
    s = stack("s")
    key = key_in(s, "abc", derived=True)

    class Late:
        name = key.latest_version

        def __getattr__(self, name: str) -> Any:
            return getattr(key, name)

    late: Any = Late()
    with pytest.raises(MlkeysError, match=r"<s/abc.latest_version> has no value before deployment"):
        PLACES[place][0](s, late), synthesize(app_of(s))


def test_a_file_that_would_show_a_mark_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    s = stack("s")
    key = key_in(s, "abc")
    note = AnsibleTask(s, "t", task={"debug": {"msg": "x"}})
    monkeypatch.setitem(note.data, f"{key.name}", "x")
    with pytest.raises(AppInvalid, match=r"ansible/s/site\.yml: a reference is where only text can be"):
        synthesize(app_of(s))
