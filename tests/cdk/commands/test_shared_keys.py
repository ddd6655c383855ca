# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A key that several stacks use: rotated once, rewrapped in all of them, and its floor raised at the end."""

from __future__ import annotations

from pathlib import Path

from mlkeys._commands.fleet.account import Account, Wanted, finished
from mlkeys._commands.fleet.rotation import Options, Proof, Rotation, chosen, follows, proof_of, variables_of
from mlkeys._commands.fleet.targets import Fleet, Key

KEY, OWN = Key("transit", "shared"), Key("transit", "own")
OPTIONS: Options = {
    "older_than": 90,
    "now": True,
    "replaced": (),
    "contexts": (),
    "limit": None,
    "at_most": None,
    "serial": None,
    "restart": False,
    "keep_floor": False,
    "accept_unknown": (),
    "accept_unread": (),
    "strict": False,
    "trim": True,
    "trim_anyway": False,
    "yes": False,
    "recover": False,
    "backup_dir": None,
    "backup_recipients": (),
    "dry_run": False,
}


def fleet(name: str, *keys: Key, owned: Key | None = None, server: str = "", selected: bool = True) -> Fleet:
    return Fleet(
        name,
        Path(name),
        keys={key: frozenset({f"secret_of_{name}"}) for key in keys},
        generated=True,
        server=(server, ""),
        owned=frozenset({owned} if owned else ()),
        selected=selected,
    )


def variables(rotation: Rotation, proofs: dict[str, Proof], options: Options = OPTIONS) -> dict[str, object]:
    prefix = "vault_transit_rotate_"
    return {name.removeprefix(prefix): value for name, value in variables_of(rotation, options, proofs).items()}


def test_stacks_that_are_not_selected_are_looked_at_if_they_use_the_key() -> None:
    """Who manages the key comes last, and notes the floor."""
    fleets = [
        fleet("one", KEY, OWN, owned=KEY),
        fleet("two", KEY, selected=False),
        fleet("three", KEY, server="https://elsewhere", selected=False),
        fleet("four", selected=False),
    ]
    found = chosen(fleets, (), ())
    assert [str(one) for one in found] == ["transit/shared of two", "transit/shared of one", "transit/own of one"]
    assert [(one.is_first, one.is_last, one.others) for one in found] == [
        (True, False, ("one",)),
        (False, True, ("two",)),
        (True, True, ()),
    ]
    assert [one.replaced for one in chosen(fleets, (), ("secret_of_one",)) if one.key == KEY] == [
        (),
        ("secret_of_one",),
    ]


def test_the_first_rotates_and_the_last_raises_the_floor_and_trims() -> None:
    first, last = chosen([fleet("one", KEY, owned=KEY), fleet("two", KEY)], (), ())
    given = variables(first, {})
    assert (given["older_than"], given["follow"], "elsewhere" in given) == (0, True, False)
    given = variables(last, {"two": Proof(2, clean=True)})
    assert given["older_than"] == "36500d"
    assert (given.get("follow"), given["elsewhere"], given["trim"]) == (None, {"two": 2}, True)
    # What is open elsewhere keeps the floor, or the versions.
    given = variables(last, {"two": Proof()})
    assert (given["elsewhere"], "trim" in given) == ({"two": 0}, False)
    assert variables(last, {})["elsewhere"] == {"two": 0}
    assert "trim" not in variables(last, {"two": Proof(2)})
    assert follows(last, {"two": Proof(left=True)})
    [urgent, _] = chosen([fleet("one", KEY, owned=KEY), fleet("two", KEY)], (), ("secret_of_one",))
    assert variables(urgent, {}, {**OPTIONS, "now": False})["older_than"] == 0
    alone = variables(Rotation(fleet("one", KEY), KEY), {})
    assert not {"follow", "elsewhere"} & set(alone)


def test_what_a_stack_shows_of_its_ciphertexts() -> None:
    document = {"key": "transit/shared", "target": 2, "files": 1, "clean": True, "floor": {"before": 1, "after": 1}}
    assert proof_of(None) == Proof()
    assert proof_of(Account(document)) == Proof(2, clean=True)
    blocked = Account({**document, "clean": False, "blocking": ["a host is unreachable"]})
    assert proof_of(blocked) == Proof(0)
    assert proof_of(Account({**document, "clean": False, "left": 3})) == Proof(0, left=True)
    assert finished(Account(document), Wanted(trim=True, follow=True))
    assert not finished(blocked, Wanted(follow=True))
    open_points = Account({**document, "clean": False})
    assert finished(open_points, Wanted(follow=True))
    assert not finished(open_points, Wanted(trim=True, follow=True))
    assert finished(open_points, Wanted(trim=True, follow=True, anyway=True))
