# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A key that several stacks use: rotated once, rewrapped in all of them, and its floor raised at the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlkeys._commands.fleet.account import Account, Wanted, finished
from mlkeys._commands.fleet.rotation import Options, Proof, Rotation, chosen, follows, proof_of, variables_of
from mlkeys._commands.fleet.servers import same_servers, server_of
from mlkeys._commands.fleet.targets import Fleet, Key, with_one_name_each
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Root, Stack

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
    "also": (),
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


def test_the_last_knows_what_the_others_found_in_their_repositories() -> None:
    """And which patterns match there. No run looks at what is another one's."""
    one, two = fleet("one", KEY, owned=KEY), replace(fleet("two", KEY), sources=("/p/app.py",))
    other = Fleet("three", Path("/q"), ["/q/hosts.yml"], also="/q/hosts.yml")
    one, two = replace(one, held=("/p/out", "/p/state/one")), replace(two, held=("/p/out", "/p/state/two"))
    last = chosen([one, two, other], (), ())[-1]
    assert (last.fleet.name, last.is_last) == ("one", True)
    assert last.besides == ("/p/out", "/p/state/two", "/p/app.py", "/q/hosts.yml")
    rows = ({"path": "/q/a"}, {"path": "/p/b"})
    unused = {"unknown": [], "unread": ["/y"]}
    proofs = {"two": Proof(2, read=("/p/b",), undeclared=rows, unused=unused), "three": Proof(2, unused={})}
    given = variables(last, proofs, {**OPTIONS, "accept_unread": ("/x", "/y")})
    assert (given["read"], given["undeclared"]) == (["/p/b"], [{"path": "/q/a"}])
    assert given["used"] == {"unknown": [], "unread": ["/x"]}
    first = chosen([one, two, other], (), ())[0]
    assert not {"read", "undeclared", "used"} & set(variables(first, {}))


def test_what_a_stack_shows_of_its_ciphertexts() -> None:
    document = {"key": "transit/shared", "target": 2, "files": 1, "clean": True, "floor": {"before": 1, "after": 1}}
    assert proof_of(None) == Proof()
    assert proof_of(Account(document)) == Proof(2, clean=True)
    assert proof_of(Account({**document, "created": "2026-01-01"})).created == "2026-01-01"
    blocked = Account({**document, "clean": False, "blocking": ["a host is unreachable"]})
    assert proof_of(blocked) == Proof(0)
    assert proof_of(Account({**document, "clean": False, "left": 3})) == Proof(0, left=True)
    assert finished(Account(document), Wanted(trim=True, follow=True))
    assert not finished(blocked, Wanted(follow=True))
    open_points = Account({**document, "clean": False})
    assert finished(open_points, Wanted(follow=True))
    assert not finished(open_points, Wanted(trim=True, follow=True))
    assert finished(open_points, Wanted(trim=True, follow=True, anyway=True))


@pytest.mark.parametrize(
    ("url", "namespace", "environ"),
    [
        ("https://bao.example:8200/", "ml", {"VAULT_ADDR": "https://other"}),
        (
            None,
            None,
            {"BAO_ADDR": "https://BAO.example:8200", "VAULT_NAMESPACE": "/ml/", "VAULT_ADDR": "https://other"},
        ),
        (None, "ml/", {"ANSIBLE_HASHI_VAULT_ADDR": "https://bao.example:8200", "BAO_ADDR": "https://other"}),
    ],
)
def test_a_server_of_the_program_is_that_of_the_environment(
    url: str | None, namespace: str | None, environ: dict[str, str]
) -> None:
    stack = Stack(Root(), "one", url=url, namespace=namespace)
    assert server_of(stack, environ) == ("https://bao.example:8200", "ml")


def test_ports_that_an_address_implies_are_the_same() -> None:
    for url in ("https://bao.example", "https://bao.example:443/"):
        assert server_of(Stack(Root(), "one", url=url), {}) == ("https://bao.example:443", "")
    for odd in ("unix:///run/bao.sock", "https://[", "https://a:b"):
        assert server_of(Stack(Root(), "one", url=odd), {}) == (odd, "")


def test_two_addresses_of_a_cluster_are_one_server() -> None:
    clusters = {"https://a": "c1", "https://b": "c1", "https://other": "c2", "https://down": ""}
    found = same_servers(
        {name: (f"https://{name}", "") for name in ("a", "b", "other", "down")}, lambda at: clusters[at[0]]
    )
    assert found == {"a": ("c1", ""), "b": ("c1", ""), "other": ("c2", ""), "down": ("https://down", "")}
    # Namespaces of a cluster are apart.
    found = same_servers({"a": ("https://a", "x"), "b": ("https://b", "y")}, lambda at: clusters[at[0]])
    assert found["a"] != found["b"]


def test_no_server_is_asked_where_no_key_is_shared() -> None:
    fleets = [fleet("one", KEY, server="https://a"), fleet("two", OWN, server="https://b")]
    assert with_one_name_each(fleets) == fleets
    same = [fleet("one", KEY, server="https://a"), fleet("two", KEY, server="https://a")]
    assert with_one_name_each(same) == same


def also(name: str, *keys: Key, generated: bool = True) -> Fleet:
    return replace(fleet(name, *keys, selected=False, server="https://b"), also=f"../{name}", generated=generated)


def test_what_the_user_names_is_rewrapped_before_the_floor_is_raised() -> None:
    """The fleet that is named first rotates the key, and the project of the command raises its floor."""
    fleets = [fleet("one", KEY, OWN, owned=KEY), also("inventory", generated=False), also("program", KEY)]
    found = chosen(fleets, ["transit/shared"], ())
    assert [one.fleet.name for one in found] == ["inventory", "program", "one"]
    assert [(one.is_first, one.is_last, one.may_hold_none) for one in found] == [
        (True, False, False),
        (False, False, False),
        (False, True, False),
    ]
    assert len({one.group for one in found}) == 1
    assert found[-1].places == ["inventory", "program", "one"]
    # With several keys, an inventory need not use all.
    assert [(one.fleet.name, one.may_hold_none) for one in chosen(fleets, (), ()) if one.key == OWN] == [
        ("inventory", True),
        ("one", False),
    ]


def test_an_inventory_is_rotated_with_what_the_user_names() -> None:
    own = replace(fleet("inventory.yml"), generated=False)
    found = chosen([own, also("program", KEY)], ["transit/shared", "transit/shared"], ())
    assert [one.fleet.name for one in found] == ["program", "inventory.yml"]
    proved = {"program": Proof(2, clean=True, created="2026-01-01T00:00:00Z")}
    given = variables(found[-1], proved)
    assert (given["elsewhere"], given["created"]) == ({"program": 2}, "2026-01-01T00:00:00Z")
    assert "created" not in variables(found[0], {})
    with pytest.raises(MlkeysError, match=r"--also \.\./program: this program encrypts nothing with transit/other"):
        chosen([own, also("program", KEY)], ["transit/other"], ())
