# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Synthesis takes time in proportion to the size of a program, whatever it is made of."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import pytest

from mlkeys import App, Construct, EncryptedVars, HostConfig, Inventory, Secret, Stack, export
from mlkeys import transit as vault
from mlkeys._analysis.diagram import mermaid
from mlkeys._analysis.picture import picture
from mlkeys._analysis.view import View
from mlkeys._synthesis.synth import synthesize
from tests.cdk.apps import key_in

SMALL, FACTOR = 250, 4
#: What is linear takes `FACTOR` times the time, what is quadratic takes 16 times.
LIMIT = 8


def keys(s: Stack, size: int) -> None:
    engine = vault.TransitSecretBackend(s, "engine", path="transit")
    for number in range(size):
        vault.TransitSecretBackendKey(s, f"k{number}", backend=engine.path, name=f"k{number}")


def keys_with_secrets(s: Stack, size: int) -> None:
    for number in range(size // 2):
        key_in(s, f"k{number}").encrypt(Secret.env(f"A{number}"))


def engines(s: Stack, size: int) -> None:
    for number in range(size):
        vault.TransitSecretBackend(s, f"e{number}", path=f"e{number}")


def templates(s: Stack, size: int) -> None:
    web = Inventory(s, "i").group("web", ["h"])
    EncryptedVars(s, "v", key=key_in(s), secrets={"a": Secret.env("A")}, hosts=web)
    for number in range(size):
        HostConfig(s, f"c{number}", hosts=web, template="a.j2", dest=f"/etc/{number}")


def templates_and_files(s: Stack, size: int) -> None:
    web = Inventory(s, "i").group("web", ["h"])
    key = key_in(s)
    for number in range(size // 2):
        EncryptedVars(s, f"v{number}", key=key, secrets={f"a{number}": Secret.env("A")}, hosts=web)
        HostConfig(s, f"c{number}", hosts=web, template="a.j2", dest=f"/etc/{number}")


def grants(s: Stack, size: int) -> None:
    key, role = key_in(s, derived=True), vault.AppRole(s, "role")
    for number in range(size):
        key.grant_decrypt(role, secrets=[f"s{number}"])


def grants_of_keys(s: Stack, size: int) -> None:
    role = vault.AppRole(s, "role")
    for number in range(size):
        key_in(s, f"k{number}").grant_decrypt(role)


def decrypts(s: Stack, size: int) -> None:
    key = key_in(s)
    ciphertext = key.encrypt(Secret.env("A"))
    for _ in range(size):
        key.decrypt(ciphertext)


def generated(s: Stack, size: int) -> None:
    EncryptedVars(s, "v", key=key_in(s), secrets={f"a{number}": Secret.generated() for number in range(size)})


def outputs(s: Stack, size: int) -> None:
    key = key_in(s)
    for number in range(size):
        export(f"o{number}", key.name, scope=s)


def scopes_that_wait(s: Stack, size: int) -> None:
    first, second = Construct(s, "first"), Construct(s, "second")
    for number in range(size):
        key_in(first, f"a{number}")
        key_in(second, f"b{number}")
    second.node.add_dependency(first)


def scopes_that_wait_one_by_one(s: Stack, size: int) -> None:
    first, second = Construct(s, "first"), Construct(s, "second")
    made = [key_in(first, f"a{number}") for number in range(size)]
    for number in range(size):
        key_in(second, f"b{number}").node.add_dependency(first)
    for key in made:
        second.node.add_dependency(key)


PROGRAMS = [
    *(keys, keys_with_secrets, engines, templates, templates_and_files, grants, grants_of_keys, decrypts, generated),
    *(outputs, scopes_that_wait, scopes_that_wait_one_by_one),
]


def seconds(work: Callable[[], object]) -> float:
    # When garbage is collected depends on the tests before.
    gc.collect()
    gc.disable()
    try:
        started = time.process_time()
        work()
        return time.process_time() - started
    finally:
        gc.enable()


def synthesis_of(program: Callable[[Stack, int], None], size: int) -> float:
    def work() -> None:
        app = App()
        program(Stack(app, "s"), size)
        synthesize(app, sources={"a.j2": "{{ a }}"})

    return min(seconds(work) for _ in range(2))


@pytest.mark.parametrize("program", PROGRAMS)
def test_four_times_the_size_takes_about_four_times_the_time(program: Callable[[Stack, int], None]) -> None:
    synthesis_of(program, 10)
    assert synthesis_of(program, SMALL * FACTOR) < synthesis_of(program, SMALL) * LIMIT


def stacks_in_a_row(size: int) -> Callable[[], object]:
    app = App()
    stacks = [Stack(app, f"s{number}") for number in range(size)]
    for number, s in enumerate(stacks):
        key_in(s, f"k{number}")
        if number:
            # The last one comes first.
            stacks[number - 1].node.add_dependency(s)
    return lambda: View(app).stacks_in_order()


def test_many_stacks_are_ordered_in_linear_time() -> None:
    small, large = seconds(stacks_in_a_row(100)), seconds(stacks_in_a_row(400))
    assert large < small * LIMIT


def test_a_diagram_takes_linear_time() -> None:
    def drawing(size: int) -> Callable[[], object]:
        app = App()
        scopes_that_wait(Stack(app, "s"), size)
        return lambda: mermaid(picture(View(app), lambda _template: set()))

    large = SMALL * FACTOR
    assert seconds(drawing(large * FACTOR)) < seconds(drawing(large)) * LIMIT
