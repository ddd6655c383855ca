# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The picture of a program: its boxes, the lines between them, and how they are drawn."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Set as AbstractSet
from typing import Any

import igraph
import pytest

from mlkeys import Agent, EncryptedVars, HostConfig, Inventory, Secret, export
from mlkeys import transit as vault
from mlkeys._analysis.diagram import mermaid, svg
from mlkeys._analysis.folding import folded
from mlkeys._analysis.picture import COLUMNS, Picture, picture
from mlkeys._analysis.view import View
from mlkeys._commands.program.template_names import names_of
from mlkeys._model.stack import Stack
from tests.cdk.apps import stack


def drawn(s: Stack, templates: dict[str, str] | None = None) -> Picture:
    def names_in(template: str) -> AbstractSet[str]:
        return names_of((templates or {})[template])

    root: Any = s.node.root
    return picture(View(root), names_in)


def lines(found: Picture) -> set[tuple[str, str, str]]:
    return {(found.boxes[start].name, meaning, found.boxes[end].name) for (start, end), meaning in found.lines.items()}


@pytest.fixture
def gateway() -> Stack:
    s = stack()
    engine = vault.TransitSecretBackend(s, "e", path="ml")
    key = vault.TransitSecretBackendKey(s, "k", backend=engine.path, name="keys", derived=True)
    web = Inventory(s, "i").group("web", ["h1", "h2", "h3", "h4"])
    other = Inventory(s, "j").group("db", ["h9"])
    names = ("openai", "mistral", "unused")
    vars_file = EncryptedVars(s, "v", key=key, hosts=web, secrets={name: Secret.env(name.upper()) for name in names})
    EncryptedVars(s, "w", key=key, hosts=other, secrets={"elsewhere": Secret.generated()})
    HostConfig(s, "conf", hosts=web, template="t.j2", dest="/etc/conf")
    HostConfig(s, "data", hosts=web, json={"a": [vars_file["mistral"], vars_file["mistral"]]}, dest="/etc/data")
    role = vault.AppRole(s, "reader")
    key.grant_decrypt(role, secrets=["openai"])
    agent = Agent(command=["/bin/app"], env={"K": vars_file["openai"]}, role=role)
    HostConfig(s, "service", hosts=web, agent=agent, dest="/etc/systemd/system/service.service")
    export("shown", vars_file["openai"], scope=s)
    export("key", key.name, scope=s)
    return s


TEMPLATE = "{% for x in y %}{{ openai | to_json }}{% endfor %} elsewhere {{ lookup('vars', 'unused') }}"


def test_lines_lead_from_the_engine_to_the_hosts(gateway: Stack) -> None:
    found = drawn(gateway, {"t.j2": TEMPLATE})
    assert lines(found) >= {
        ("ml", "holds", "keys"),
        ("keys", "encrypts", "openai"),
        ("openai", "decrypt", "reader"),
        ("openai", "is in", "v"),
        ("v", "are variables of", "web"),
        ("mistral", "is used in", "data"),
        ("data", "is on", "web"),
        ("reader", "logs in for", "service"),
        ("openai", "is used in", "service"),
        ("openai", "is used in", "shown"),
        ("elsewhere", "is in", "w"),
    }
    assert "key" not in {box.name for box in found.boxes.values()}, "an output without a secret is not part of it"
    assert next(box for box in found.boxes.values() if box.name == "web").detail == "4 hosts: h1, h2, h3 …"
    order = list(COLUMNS)
    assert all(order.index(found.boxes[a].kind) < order.index(found.boxes[b].kind) for a, b in found.lines)


def test_a_template_uses_the_secrets_that_it_names_of_hosts_that_have_it(gateway: Stack) -> None:
    found = lines(drawn(gateway, {"t.j2": TEMPLATE}))
    assert {start for start, _, end in found if end == "conf"} == {"openai", "unused"}
    # These delimiters are not those of Jinja.
    own = "#jinja2: variable_start_string:'[%'\n[% mistral %] {% nothing"
    assert {start for start, _, end in lines(drawn(gateway, {"t.j2": own})) if end == "conf"} == {"mistral"}


def test_a_grant_for_the_whole_key_is_one_line_with_all_rights(gateway: Stack) -> None:
    key: Any = gateway.node.child("k")
    policy = vault.Policy(gateway, "ops")
    for grant in (key.grant_encrypt, key.grant_rotate, key.grant_rotate):
        grant(policy)
    (meaning,) = {
        meaning for start, meaning, end in lines(drawn(gateway, {"t.j2": ""})) if (start, end) == ("keys", "ops")
    }
    assert meaning.split(", ")[0] == "encrypt"
    assert {"encrypt", "rewrap"} <= {*meaning.split(", ")}
    assert len(meaning.split(", ")) == len({*meaning.split(", ")})


def test_the_focus_keeps_what_leads_to_a_name_and_what_follows(gateway: Stack) -> None:
    whole = drawn(gateway, {"t.j2": TEMPLATE})
    near = whole.around(["mistral"])
    assert {box.name for box in near.boxes.values()} == {"ml", "keys", "mistral", "v", "data", "web"}
    assert lines(near) < lines(whole)
    assert "reader" not in {box.name for box in near.boxes.values()}, "it may use another secret"
    both = whole.around(["mistral", "elsewhere"])
    assert {"w", "db"} <= {box.name for box in both.boxes.values()}
    with pytest.raises(KeyError, match="mistrall"):
        whole.around(["mistrall"])


def test_the_focus_on_a_secret_shows_who_may_use_its_key(gateway: Stack) -> None:
    key = gateway.node.find("k")
    assert isinstance(key, vault.TransitSecretBackendKey)
    key.grant_decrypt(vault.Policy(gateway, "all-of-it"))
    whole = drawn(gateway, {"t.j2": ""})
    found = whole.around(["mistral"])
    assert ("keys", "decrypt", "all-of-it") in lines(found)
    assert "reader" not in {box.name for box in found.boxes.values()}
    assert "all-of-it" not in {box.name for box in whole.around(["reader"]).boxes.values()}


def test_the_drawings_have_every_box_and_line_once_and_no_text_of_its_own_markup(gateway: Stack) -> None:
    HostConfig(gateway, "x", hosts=Inventory(gateway, "q").group("q", ["h"]), json={}, dest='/etc/<b>"&#x/]')
    found = drawn(gateway, {"t.j2": TEMPLATE})
    image = svg(found, igraph)
    assert svg(found, igraph) == image
    tree = ET.fromstring(image)  # noqa: S314  our own
    of_class = [element.get("class", "") for element in tree.iter()]
    assert sum("box" in name.split() for name in of_class) == len(found.boxes)
    assert sum(name == "line" for name in of_class) == len(found.lines)
    text = mermaid(found)
    assert text.count("]:::") == len(found.boxes)
    assert text.count("-->|") == len(found.lines)
    assert "<b>" not in text
    assert not re.search(r"#(?!35;)", "".join(row for row in text.splitlines() if "classDef" not in row))


@pytest.fixture
def teams() -> Stack:
    """Three engines with four keys each, and twelve secrets of each key in two files on its own hosts."""
    s = stack()
    inventory = Inventory(s, "i")
    for team, number in itertools.product((10, 2, 1), (10, 2, 1, 3)):
        name = f"t{team}-k{number}"
        key = vault.TransitSecretBackendKey(s, name, backend=f"team-{team}", name=f"key-{number}", derived=True)
        web = inventory.group(f"t{team}_h{number}", [f"t{team}-h{number}"])
        given = {f"t{team}k{number}_{one}": Secret.env(f"S{one}") for one in range(12)}
        entries = EncryptedVars(s, f"{name}-v", key=key, secrets=given)
        for part in (0, 6):
            chosen = [entries[f"t{team}k{number}_{one}"] for one in range(part, part + 6)]
            HostConfig(s, f"{name}-f{part}", hosts=web, dest=f"/etc/{part}", json=chosen)
    return s


def test_many_secrets_of_a_key_are_one_box_with_all_their_lines(teams: Stack) -> None:
    whole = drawn(teams)
    few = folded(whole)
    boxes = [box for box in few.boxes.values() if box.kind == "secret"]
    assert len(boxes) == 12
    assert {box.name for box in boxes} == {"12 secrets"}
    one = few.boxes["secrets of s/t2-k10"]
    assert one.detail == "of team-2/key-10"
    assert [*one.names.values()] == [f"t2k10_{number}" for number in range(12)]
    assert few.place_of("s/t2-k10-v/t2k10_3") == "secrets of s/t2-k10"
    assert few.place_of("s/t2-k10") == "s/t2-k10"
    ends = {end: meaning for (start, end), meaning in few.lines.items() if start == "secrets of s/t2-k10"}
    assert ends == {"s/t2-k10-v": "is in", "like s/t2-k10-f0": "is used in"}
    assert few.boxes["like s/t2-k10-f0"].name == "2 json files"
    # Variables of all hosts would have a line to each of them.
    assert few.boxes["s/t2-k10-v"].detail == "variables of 12 groups"
    assert sum(meaning == "are variables of" for meaning in whole.lines.values()) == 144
    assert "are variables of" not in few.lines.values()
    assert "s/t2-k10-v/t2k10_3" in folded(whole.around(["t2k10_3"])).boxes, "one secret stays as it is"
    assert "t2k10_3</text>" not in svg(few, igraph)
    assert "t2k10_3" in svg(few, igraph)


def test_parts_are_in_the_order_of_names_and_no_lines_cross(teams: Stack) -> None:
    found = folded(drawn(teams))
    image = ET.fromstring(svg(found, igraph))  # noqa: S314  our own
    tops = {
        box.get("data-id", ""): float(rect.get("y", ""))
        for box in image.iter("{http://www.w3.org/2000/svg}g")
        for rect in box.iter("{http://www.w3.org/2000/svg}rect")
    }
    for kind in COLUMNS:
        ones = sorted((one for one, box in found.boxes.items() if box.kind == kind), key=lambda one: tops[one])
        for one, other in itertools.pairwise(ones):
            assert tops[other] - tops[one] >= 54
    engines = sorted((one for one, box in found.boxes.items() if box.kind == "engine"), key=lambda one: tops[one])
    assert engines == ["engine team-1", "engine team-2", "engine team-10"]
    keys = sorted((one for one, box in found.boxes.items() if box.kind == "key"), key=lambda one: tops[one])
    assert [key.partition("-")[0] for key in keys] == [f"s/t{team}" for team in (1, 2, 10) for _ in range(4)]
    for kind in ("key", "secret", "hosts"):
        beside = [ends for ends in found.lines if found.boxes[ends[1]].kind == kind]
        for first, second in itertools.combinations(beside, 2):
            assert (tops[first[0]] - tops[second[0]]) * (tops[first[1]] - tops[second[1]]) >= 0, (first, second)
    # A key stands beside its secrets, and these beside the files that have them.
    for start, end in found.lines:
        if found.boxes[end].kind == "secret":
            assert abs(tops[start] - tops[end]) < 200


def test_what_fills_a_column_is_one_box_of_each_sort() -> None:
    s = stack()
    inventory = Inventory(s, "i")
    for team in range(25):
        web = inventory.group(f"team-{team}", [f"h{team}"])
        key = vault.TransitSecretBackendKey(s, f"k{team}", backend="transit", name=f"key-{team}", derived=True)
        given = {f"secret_{team}_{one}": Secret.env(f"S{one}") for one in range(4)}
        entries = EncryptedVars(s, f"v{team}", key=key, secrets=given, hosts=web)
        HostConfig(s, f"c{team}", hosts=web, dest=f"/etc/{team}", json=[entries[name] for name in given])
        export(f"out_{team}", entries[f"secret_{team}_0"], scope=s)
    whole = drawn(s)
    few = folded(whole)
    assert {(box.kind, box.name, box.detail) for box in few.boxes.values()} == {
        ("engine", "transit", "Transit engine"),
        ("key", "25 keys", "of transit"),
        ("secret", "100 secrets", "of 25 keys"),
        ("file", "25 vars files", "v0 … v24"),
        ("file", "25 json files", "c0 … c24"),
        ("file", "25 outputs", "out_0 … out_24"),
        ("hosts", "25 groups of hosts", "team-0 … team-24"),
    }
    places = {one: few.place_of(one) for one in whole.boxes}
    assert {*places.values()} == {*few.boxes}
    # No line is lost, and no other is there.
    assert {(places[start], places[end]) for start, end in whole.lines} == {*few.lines}
    assert {box.name for box in folded(whole.around(["secret_7_1"])).boxes.values()} == {
        *("transit", "key-7", "secret_7_1", "v7", "c7", "team-7")
    }


def test_files_of_teams_become_one_box_for_each_team_where_that_is_enough() -> None:
    s = stack()
    inventory = Inventory(s, "i")
    groups = [inventory.group(f"t{team}", [f"h{team}"]) for team in range(5)]
    for (team, web), number in itertools.product(enumerate(groups), range(3)):
        name = f"t{team}-k{number}"
        key = vault.TransitSecretBackendKey(s, name, backend=f"team-{team}", name=name, derived=True)
        entries = EncryptedVars(s, f"{name}-v", key=key, secrets={f"{name}-s": Secret.env("S")}, hosts=web)
        HostConfig(s, f"{name}-f", hosts=web, dest="/etc/f", json=[entries[f"{name}-s"]])
    few = folded(drawn(s))
    assert {f"t{team}-k0-v … t{team}-k2-v" for team in range(5)} <= {box.detail for box in few.boxes.values()}


def test_boxes_do_not_overlap_and_stand_in_their_columns_with_200_secrets() -> None:
    s = stack()
    key = vault.TransitSecretBackendKey(s, "k", backend="transit", name="keys")
    web = Inventory(s, "i").group("web", ["h"])
    entries = EncryptedVars(
        s, "v", key=key, secrets={f"secret_{number}": Secret.env(f"S{number}") for number in range(200)}
    )
    for number in range(0, 200, 10):
        HostConfig(
            *(s, f"c{number}"),
            hosts=web,
            dest=f"/etc/{number}",
            json=[entries[f"secret_{number + more}"] for more in range(10)],
        )
    found = drawn(s)
    image = svg(found, igraph)
    tree = ET.fromstring(image)  # noqa: S314  our own
    boxes: dict[str, list[tuple[float, float]]] = {}
    for rect in tree.iter("{http://www.w3.org/2000/svg}rect"):
        top = float(rect.get("y", ""))
        boxes.setdefault(rect.get("x", ""), []).append((top, top + float(rect.get("height", ""))))
    assert len(boxes) == len({box.kind for box in found.boxes.values()})
    for column in boxes.values():
        assert all(one[1] < other[0] for one, other in itertools.pairwise(sorted(column)))
        assert min(column)[0] < 400, "each column begins on the first screen"
    headings = [text for text in tree.iter("{http://www.w3.org/2000/svg}text") if text.get("class") == "heading"]
    rights = [float(heading.get("x", "")) + 7 * len(heading.text or "") for heading in headings]
    assert max(rights) < float(tree.get("width", ""))
    assert svg(Picture(), igraph).startswith("<svg ")


@pytest.mark.parametrize("more", [0, 6, 40])
def test_a_picture_of_long_names_fits_on_a_small_screen_and_keeps_them_in_titles(more: int) -> None:
    s, long = stack(), "x" * more
    key = vault.TransitSecretBackendKey(s, "k", backend=f"transit{long}", name=f"keys{long}", derived=True)
    web = Inventory(s, "i").group(f"web{long}", ["gateway-a.example.com", "gateway-b.example.com"])
    entries = EncryptedVars(s, "v", key=key, hosts=web, secrets={f"openai_{long}": Secret.env("OPENAI")})
    key.grant_decrypt(vault.AppRole(s, f"role{long}"), secrets=[f"openai_{long}"])
    HostConfig(s, f"settings{long}", hosts=web, json=[entries[f"openai_{long}"]], dest="/etc/application/settings.json")
    image = ET.fromstring(svg(drawn(s), igraph))  # noqa: S314  our own
    assert float(image.get("width", "")) <= 1280
    titles = [title.text or "" for title in image.iter("{http://www.w3.org/2000/svg}title")]
    assert any(f"openai_{long}" in title for title in titles)
    shown = [text.text or "" for text in image.iter("{http://www.w3.org/2000/svg}text")]
    assert (f"openai_{long}" in shown) is (more < 40)


def test_control_characters_in_names_are_shown_as_escapes() -> None:
    s = stack()
    key = vault.TransitSecretBackendKey(s, "k", backend="transit", name="keys", derived=True)
    web = Inventory(s, "i").group("web", ["h1"])
    EncryptedVars(s, "v\x01\n\ufffe", key=key, hosts=web, secrets={"openai": Secret.env("OPENAI")})
    HostConfig(s, "c\x1b", hosts=web, template="t.j2", dest="/etc/\x07conf\n")
    found = drawn(s, {"t.j2": "{{ openai }}"})
    text = svg(found, igraph)
    boxes = ET.fromstring(text).iter()  # noqa: S314  it is ours
    assert {box.get("data-id") for box in boxes if box.get("data-id")} == set(found.boxes)
    assert ("v\\x01\\n\\ufffe", "is on", "c\\x1b") not in lines(found)
    assert ("c\\x1b", "is on", "web") in lines(found)
    assert "\x1b" not in mermaid(found)
