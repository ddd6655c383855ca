# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys lint --fix` on a real server: secrets move, references stay, and what reads them gets the same as before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mlkeys._lint.fixing.loading import is_apart, loading
from mlkeys._lint.fixing.moving import moves_in
from mlkeys._lint.fixing.used_names import used_names
from mlkeys._providers.key_patterns import built_in
from tests.cdk import keys
from tests.cdk.lint.linting import lint, listed, written
from tests.cdk.stores import KEY, decrypted, make_key, token_for
from tests.support.server import Bao

OPENAI, ANTHROPIC, MISTRAL = keys.openai(), keys.anthropic(), keys.some(keys.ALNUM, 32)
TARGET = Path("group_vars/all/keys.transit.yml")
FIX = ("--fix", "--to", str(TARGET))


@pytest.fixture
def login(bao: Bao, mount: str, mint_token: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A key, and a token that may encrypt with it but not decrypt."""
    make_key(bao, mount)
    monkeypatch.setenv("BAO_ADDR", bao.addr)
    monkeypatch.setenv("BAO_TOKEN", token_for(mint_token, mount, "encrypt", "hmac", "verify"))
    TARGET.parent.mkdir(parents=True)
    return mount


def new(mount: str) -> tuple[str, ...]:
    return (*FIX, "--key", KEY, "--backend", mount)


def test_secrets_move_and_references_stay(bao: Bao, login: str) -> None:
    play = f"""\
- hosts: all
  vars:
    openai_api_key: {OPENAI}   # whose
    header: "Bearer {ANTHROPIC}"
  tasks:
    - ansible.builtin.debug: {{msg: '{OPENAI}'}}
"""
    litellm = f"model_list:\n  - litellm_params:\n      model: mistral/x\n      api_key: {MISTRAL} # paid\n"
    compose = f"services:\n  a:\n    environment:\n      - OPENAI_API_KEY={OPENAI}\n"
    written("site.yml", play)
    written("config.yaml", litellm)
    written("compose.yaml", compose)
    written("roles/app/templates/app.j2", f"key = {ANTHROPIC}\r\n")
    written("ansible.cfg", "[defaults]\nvars_plugins_enabled = host_group_vars,mlkeys.transit.vault_transit\n")
    done = lint(*new(login))
    assert decrypted(bao, TARGET) == {
        "openai_api_key": OPENAI,
        "vault_header": ANTHROPIC,
        "vault_openai_api_key": OPENAI,
        "mistral_api_key": MISTRAL,
    }
    assert Path("site.yml").read_text() == play.replace(f"{OPENAI} ", '"{{ vault_openai_api_key }}" ').replace(
        OPENAI, "{{ vault_openai_api_key }}"
    ).replace(ANTHROPIC, "{{ vault_header }}")
    assert Path("config.yaml").read_text() == litellm.replace(MISTRAL, "os.environ/MISTRAL_API_KEY")
    assert Path("compose.yaml").read_text() == compose.replace(OPENAI, "${OPENAI_API_KEY}")
    assert Path("roles/app/templates/app.j2").read_bytes() == b"key = {{ vault_header }}\r\n"
    assert f"site.yml:3: moved to {TARGET} as vault_openai_api_key." in done.stderr
    for secret in (OPENAI, ANTHROPIC, MISTRAL):
        assert secret not in done.output
    assert listed() == []


def test_a_play_shows_the_same_before_and_after(bao: Bao, login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = f"localhost ansible_connection=local of_host={OPENAI} of_host_too='a {OPENAI}'"
    written("inventory", f"{hosts}\n[all:vars]\nof_group = {OPENAI}\n")
    key = keys.private_key(line_end="\n  ")
    values = f"openai_api_key: {OPENAI}\nall_of_them: ['{ANTHROPIC}', x, in {MISTRAL} a list]\nmistral: {MISTRAL}\n"
    written("group_vars/all/main.yml", f"{values}gateway_key: |\n  {key}\nlast: {OPENAI} and more\n")
    monkeypatch.setenv("ANSIBLE_VARS_ENABLED", "host_group_vars,mlkeys.transit.vault_transit")
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "ansible.builtin.oneline")

    def shown() -> str:
        names = "openai_api_key", "all_of_them", "gateway_key", "last", "of_host", "of_host_too", "of_group"
        message = "/".join(f"{{{{ {name} if {name} is string else {name} | join(',') }}}}" for name in names)
        debug = ["-m", "ansible.builtin.debug", "-a", f"msg={message}"]
        command = [str(Path(sys.executable).with_name("ansible")), "-i", "inventory", "all", *debug]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert f"{OPENAI}/{ANTHROPIC},x" in (before := shown())
    lint(*new(login))
    monkeypatch.setenv("BAO_TOKEN", bao.token)
    assert shown() == before
    text = Path("group_vars/all/main.yml").read_text()
    assert OPENAI not in text + Path("inventory").read_text()
    assert 'gateway_key: "{{ vault_gateway_key }}"\nlast:' in text


def test_what_cannot_be_moved_is_named_and_still_a_finding(login: str) -> None:
    written("app.py", f"key = '{OPENAI}'\n")
    written("notes.txt", f"key = {OPENAI}\n")
    written("a.json", f'{{"key": "{OPENAI}"}}\n')
    written("secret.yaml", f"kind: Secret\nmetadata: {{name: a}}\nstringData:\n  a: {OPENAI}\n")
    written(".env", f"# A={OPENAI}\nA=https://x:{OPENAI}@host\nopenai={OPENAI}\nON={OPENAI}\n")
    key = keys.private_key(line_end="\n  ")
    written("vars/a.yml", f"a: !unsafe {OPENAI}\n{ANTHROPIC}: b\nc: |\n  my {key}\n")
    written("vars/b.yml", f"a: [{OPENAI}\n")
    written("litellm.yaml", f"model_list: [{{api_keys: [{OPENAI}]}}]\nb: |\n  {ANTHROPIC}\n")
    written("vars/ok.yml", "a: 1\n")
    done = lint(*new(login), status=1)
    for words in (
        (
            "app.py:1: not moved: let the program read an environment variable, and start it with mlkeys run, or use "
            "mlkeys.runtime."
        ),
        "notes.txt:1: not moved: this kind of file has no known reference to a variable.",
        (
            "a.json:1: not moved: JSON has no references; let the program read it at its start, from mlkeys run or "
            "mlkeys.runtime."
        ),
        "secret.yaml:4: not moved: a manifest of Kubernetes has no references; move it with mlkeys import kubernetes.",
        ".env:1: not moved: it is in a comment; delete the line.",
        ".env:2: not moved: it is not the whole value of a variable in capitals; move it with mlkeys import dotenv.",
        ".env:3: not moved: it is not the whole value of a variable in capitals; move it with mlkeys import dotenv.",
        ".env:4: not moved: on is reserved in vars files; rename it.",
        "vars/a.yml:1: not moved: Ansible replaces nothing in this value.",
        "vars/a.yml:2: not moved: it is in the name of a value.",
        "vars/b.yml:1: not moved: the file is not YAML.",
        "litellm.yaml:1: not moved: LiteLLM replaces nothing in lists.",
        "litellm.yaml:3: not moved: LiteLLM replaces whole values only.",
        "vars/a.yml:4: not moved: a private key has several lines; use mlkeys import file.",
    ):
        assert words in done.stderr
    assert not TARGET.exists()
    assert len([line for line in done.stdout.splitlines() if "MLK10" in line]) == 14


def test_variables_of_an_env_file_are_set_by_mlkeys_run(bao: Bao, login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        f"A=1\r\nexport OPENAI_API_KEY=\"{OPENAI}\" # paid\r\nCLAUDE='{ANTHROPIC}'\nAGAIN={OPENAI}\n# B=2\nC={MISTRAL}"
    )
    written("app/.env", text)
    written("vars/a.yml", f"openai_api_key: {OPENAI}\n")
    done = lint(*new(login))
    assert f"app/.env:2: moved to {TARGET} as openai_api_key." in done.stderr
    assert Path("app/.env").read_bytes().decode() == (
        "A=1\r\n# OPENAI_API_KEY is set by mlkeys run # paid\r\n# CLAUDE is set by mlkeys run\n"
        f"# AGAIN is set by mlkeys run\n# B=2\nC={MISTRAL}"
    )
    stored = {"openai_api_key": OPENAI, "claude": ANTHROPIC, "again": OPENAI}
    assert decrypted(bao, TARGET) == {**stored, "vault_openai_api_key": OPENAI}
    monkeypatch.setenv("BAO_TOKEN", bao.token)
    program = [sys.executable, "-m", "mlkeys", "run", "-f", str(TARGET), "--", "env"]
    shown = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    assert {f"{name.upper()}={secret}" for name, secret in stored.items()} <= {*shown.splitlines()}
    # A name that stands for something else already.
    written("other/.env", f"CLAUDE={keys.openai()}\n")
    assert "not moved: there is another secret claude; rename one of them." in lint(*FIX, status=1).stderr


def test_a_second_run_uses_what_is_there(bao: Bao, login: str) -> None:
    written("vars/a.yml", f"openai_api_key: {OPENAI}\n")
    lint(*new(login))
    before = TARGET.read_text()
    other = keys.openai()
    # The same secret again, and another one for a name that is taken.
    written("vars/b.yml", f"openai_api_key: {OPENAI}\n")
    lint(*FIX)
    assert TARGET.read_text() == before
    written("vars/c.yml", f"openai_api_key: {other}\n")
    lint(*FIX)
    assert decrypted(bao, TARGET) == {"vault_openai_api_key": OPENAI, "vault_openai_api_key_2": other}
    assert Path("vars/c.yml").read_text() == 'openai_api_key: "{{ vault_openai_api_key_2 }}"\n'


def test_what_is_allowed_or_known_stays(login: str) -> None:
    text = f"a: {OPENAI}  # mlkeys: allow\nb: {ANTHROPIC}\n"
    written("vars/a.yml", text)
    lint("--baseline", "known.json", "--update-baseline")
    lint(*new(login), "--baseline", "known.json")
    assert Path("vars/a.yml").read_text() == text


def test_nothing_is_removed_that_was_not_stored(login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"a: {OPENAI}\n"
    written("vars/a.yml", text)
    monkeypatch.setenv("BAO_TOKEN", "s.wrong")
    assert OPENAI not in lint(*new(login), status=2).output
    assert Path("vars/a.yml").read_text() == text
    assert not TARGET.exists()


def test_a_fix_needs_a_target_and_files() -> None:
    assert "--fix needs --to FILE" in lint("--fix", status=2).stderr
    for other in (["--staged"], ["--history"], ["--baseline", "b", "--update-baseline"]):
        assert "--fix changes files" in lint(*FIX, *other, status=2).stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("key: {}", 'key: "{{{{ vault_openai_api_key }}}}"'),
        ("key: '{}'", "key: '{{{{ vault_openai_api_key }}}}'"),
        ("- {}", '- "{{{{ vault_openai_api_key }}}}"'),
        ("a: [x, {}, y]", 'a: [x, "{{{{ vault_openai_api_key }}}}", y]'),
        ('a: {{"b_key": "{}"}}', 'a: {{"b_key": "{{{{ vault_b_key_2 }}}}"}}'),
        ("cmd: run --key {} x", "cmd: run --key {{{{ vault_openai_api_key }}}} x"),
        ("key: {} and more", 'key: "{{{{ vault_openai_api_key }}}} and more"'),
        ("key: https://u:{}@h/x", "key: https://u:{{{{ vault_openai_api_key }}}}@h/x"),
        ("key: '{0} and {0}'", "key: '{{{{ vault_openai_api_key }}}} and {{{{ vault_openai_api_key }}}}'"),
        ('key: {} "x"', "key: '{{{{ vault_openai_api_key }}}} \"x\"'"),
        ("a: [x {}, y]", 'a: ["x {{{{ vault_openai_api_key }}}}", y]'),
        ("a: {{k: !!str {}}}", 'a: {{k: !!str "{{{{ vault_k }}}}"}}'),
        ("a: &x {}\nb: *x", 'a: &x "{{{{ vault_a }}}}"\nb: *x'),
        ("a: >-\n  {}\n  more", "a: >-\n  {{{{ vault_openai_api_key }}}}\n  more"),
        ("\ufeffa_key: {}", '\ufeffa_key: "{{{{ vault_a_key }}}}"'),
        ("a: {}\t# x\nb:\tc", 'a: "{{{{ vault_a }}}}"\t# x\nb:\tc'),
        ("# key: {}", '# key: "{{{{ vault_openai_api_key }}}}"'),
    ],
)
def test_a_text_stays_yaml(before: str, after: str) -> None:
    text = before.format(OPENAI)
    moves = moves_in(text, "vars/a.yml", built_in(), {}, {"b_key", "vault_b_key"}, ())
    assert moves.text(text) == after.format().replace("vault_b_key_2", moves.done[0].variable)
    yaml.load(moves.text(text), Loader=yaml.CSafeLoader)
    assert json.dumps(OPENAI) not in repr(moves)


RAW = "it is between {% raw %} and {% endraw %}, where nothing is replaced"
EXPRESSION = "it is in an expression of a template; write a variable there by hand"
BARE = "the value of {key}: is an expression; write a variable there by hand"
ARGUMENT = "it is in an expression; write a variable there by hand"
WHOLE = "it is not the whole value of a variable; put the value in quotation marks first"
TWICE = "CLAUDE is assigned several times; keep one of the lines"
PROMPTED = "Ansible asks for it before it loads variables; write the name of a variable under vars: by hand"
UNKNOWN = "let the program read an environment variable, or make the file a template of Ansible (.j2)"
COPIED = "Ansible replaces nothing in this file; make it a template (templates/, .j2)"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.j2", "{% raw %}KEY{% endraw %}", RAW),
        ("a.j2", "{%- raw -%}\n{{ x }} KEY", RAW),
        ("a.j2", "{{ 'KEY' }}", EXPRESSION),
        ("a.j2", '{{ x | default("}} KEY") }}', EXPRESSION),
        ("a.j2", "{% set key = 'KEY' %}", EXPRESSION),
        ("a.j2", "{{ x KEY", EXPRESSION),
        ("a.j2", "#jinja2: variable_start_string:'[%'\nKEY", "the template has delimiters of its own"),
        ("roles/a/templates/a.yml", "a: {{ x }}\nb: {% raw %}KEY{% endraw %}", RAW),
        ("vars/a.yml", 'a: "{% raw %}KEY{% endraw %}"', RAW),
        ("vars/a.yml", "a: \"{{ 'KEY' }}\"", EXPRESSION),
        ("vars/a.yml", 'a: "{{ \\"KEY\\" }}"', EXPRESSION),
        ("vars/a.yml", "a: >-\n  {% if x == 'KEY' %}y{% endif %}", EXPRESSION),
        *(
            (
                f"tasks/{key}.yml",
                text.replace("X", key),
                BARE.format(key=key),
            )
            for key in ("when", "that", "until", "failed_when", "changed_when", "var")
            for text in ("- X: x == 'KEY'", "- X:\n    - y\n    - x == 'KEY'", "- a: {X: KEY}")
        ),
        *(
            (f"tasks/{key}.yml", f"- debug: x\n  {key}: KEY", f"the value of {key}: is the name of a variable")
            for key in ("register", "loop_var", "index_var")
        ),
        ("tasks/a.yml", '- debug: var="KEY"', ARGUMENT),
        ("tasks/a.yml", "- local_action: ansible.builtin.debug var='x KEY'", ARGUMENT),
        (".env", "CLAUDE=KEY\nexport CLAUDE=other", TWICE),
        (".env", "CLAUDE=other\nCLAUDE=KEY", TWICE),
        ("roles/a/files/a.yml", "a: KEY", COPIED),
        ("roles/requirements.yml", "- src: https://KEY@h", COPIED),
        ("roles/a/meta/main.yml", "a: KEY", COPIED),
        ("site.yml", "- hosts: all\n  vars_prompt:\n    - name: tok\n      default: KEY", PROMPTED),
        ("hosts", "[a]\nh\n# x=KEY", "it is in a comment; delete the line"),
        ("hosts", "[a]\nh x=Bearer-KEY", WHOLE),
        ("hosts", "[a]\nh x=KEY/y", WHOLE),
        ("inventory/prod", "[a:vars]\nKEY", "it is not the value of a variable"),
        ("inventory/hosts", "#!/bin/sh\n[a]\nh x=KEY", "this kind of file has no known reference to a variable"),
        ("inventory/a.yml", "plugin: amazon.aws.aws_ec2\nsecret: KEY", UNKNOWN),
    ],
)
def test_where_nothing_is_replaced_a_secret_stays(name: str, text: str, reason: str) -> None:
    moves = moves_in(text.replace("KEY", OPENAI), name, built_in(), {}, (), ())
    assert moves.done == ()
    assert [why for _line, why in moves.left] == [reason]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.j2", "{% raw %}x{% endraw %} KEY {{ y }}"),
        ("a.j2", "{{ y }} KEY {# x #}"),
        ("a.j2", "{# KEY #}"),
        ("roles/a/templates/a.yml", "a: {{ x }}\nb KEY"),
        ("vars/a.yml", 'a: "{{ x }}"\nb: "{{ x }} KEY {{ y }}"'),
        ("tasks/a.yml", "- when: x\n  shell: a KEY b"),
        ("tasks/a.yml", "- shell: x var=' KEY' b"),
    ],
)
def test_beside_what_is_not_replaced_a_secret_moves(name: str, text: str) -> None:
    moves = moves_in(text.replace("KEY", OPENAI), name, built_in(), {}, (), ())
    assert moves.left == ()
    assert moves.text(text.replace("KEY", OPENAI)) == text.replace("KEY", "{{ vault_openai_api_key }}")


@pytest.mark.parametrize(
    ("to", "name", "reason", "about"),
    [
        ("group_vars/all/k.transit.yml", "group_vars/web/a.yml", "", ""),
        ("group_vars/all/k.transit.yml", "inventories/prod/host_vars/a.yml", "", ""),
        ("group_vars/web/k.transit.yml", "group_vars/web/a.yml", "", ""),
        ("group_vars/web.transit.yml", "group_vars/web.yml", "", ""),
        ("group_vars/web/k.transit.yml", "group_vars/db/a.yml", "the hosts of group_vars/web only", ""),
        ("group_vars/web/k.transit.yml", "group_vars/all.yml", "the hosts of group_vars/web only", ""),
        ("host_vars/a/k.transit.yml", "group_vars/a/a.yml", "the hosts of host_vars/a only", ""),
        ("inventories/dev/group_vars/all/k.transit.yml", "inventories/prod/group_vars/all.yml", "another inven", ""),
        ("group_vars/web/k.transit.yml", "roles/r/tasks/main.yml", "", "for the hosts of group_vars/web only"),
        ("group_vars/all/k.transit.yml", "roles/r/tasks/main.yml", "", ""),
        ("vars/k.transit.yml", "group_vars/all.yml", "", "only where vars_files: or"),
        ("group_vars/web/k.transit.yml", "compose.yaml", "", ""),
    ],
)
def test_a_reference_is_written_where_its_variable_is_loaded(to: str, name: str, reason: str, about: str) -> None:
    moves = moves_in(f"a: {OPENAI}\n", name, built_in(), {}, (), (), loading(name, to))
    assert bool(moves.done) == (not reason)
    assert reason in "".join(why for _line, why in moves.left)
    assert about in moves.about
    assert bool(about) == bool(moves.about)


def test_a_secret_with_another_name_of_its_file_stays(login: str) -> None:
    os.link(written("vars/a.yml", f"a: {OPENAI}\n"), "other")
    done = lint(*new(login), "vars", status=1)
    assert "vars/a.yml:1: not moved: the file has another name (a hard link), which would keep" in done.stderr


@pytest.mark.parametrize(
    "services",
    [
        "{a: {env_file: .env}}",
        "{a: {env_file: [./.env]}}",
        "{a: {env_file: [{path: .env, required: false}]}}",
        "{a: {env_file: '${FILE}'}}",
    ],
)
@pytest.mark.parametrize("place", [".", "sub"])
def test_variables_that_compose_gives_to_services_stay(login: str, services: str, place: str) -> None:
    services = services.replace(".env", f"{place}/.env")
    written("stack.yml" if place == "sub" else "compose.yaml", f"services: {services}\n")
    text = f"OPENAI_API_KEY={OPENAI}\n"
    written(f"{place}/.env", text)
    written("elsewhere/.env", f"CLAUDE={ANTHROPIC}\n")
    done = lint(*new(login), "elsewhere", f"{place}/.env", status=1)
    assert (
        f"{Path(place, '.env')}:1: not moved: {'stack.yml' if place == 'sub' else 'compose.yaml'} names" in done.stderr
    )
    assert "by which a service gets no variable of mlkeys run" in done.stderr
    assert Path(place, ".env").read_text() == text
    # A name that Compose makes up may be any of them.
    assert ("elsewhere/.env:1: moved" in done.stderr) == ("$" not in services)


def test_a_file_in_another_encoding_is_named(login: str) -> None:
    Path("vars").mkdir()
    Path("vars/a.yml").write_bytes(f"a: 1\nb: {OPENAI}\n".encode("utf-16"))
    done = lint(*new(login), status=1)
    assert "vars/a.yml:2: not moved: the file is not UTF-8; convert it first." in done.stderr


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("compose.yaml", "a: [x {}]", 'a: ["x ${{OPENAI_API_KEY}}"]'),
        ("compose.yaml", "a: {{b_key: {}}}", 'a: {{b_key: "${{B_KEY}}"}}'),
        ("config.yaml", "model_list: []\na_key: {}", "model_list: []\na_key: os.environ/A_KEY"),
        (
            "config.yaml",
            "model_list: []\na: {{Authorization: Bearer {}}}",
            "model_list: []\na: {{Authorization: os.environ/OPENAI_API_KEY_AUTHORIZATION}}",
        ),
        ("config.yaml", "model_list: []\nmaster_key: {}", "model_list: []\nmaster_key: os.environ/OPENAI_API_KEY"),
    ],
)
def test_other_programs_get_their_references(name: str, before: str, after: str) -> None:
    text = before.format(OPENAI)
    moves = moves_in(text, name, built_in(), {}, (), ())
    assert moves.text(text) == after.format()
    assert moves.done[0].secret == (f"Bearer {OPENAI}" if "Bearer" in before else OPENAI)
    yaml.safe_load(moves.text(text))


OTHER_TEAM = """\
vault_openai_api_key: sk-other-team
openai_api_key: KEY
other_team: "{{ vault_openai_api_key }}"
"""


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("vars/a.yml", OTHER_TEAM, {"vault_openai_api_key"}),
        ("tasks/a.yml", "- set_fact: {'vault_a': 1}\n- set_fact: vault_b=1\n", {"vault_a", "vault_b"}),
        ("tasks/a.yml", "- command: x\n  register: vault_a\n- debug: msg={{ vault_b.x }}\n", {"vault_a", "vault_b"}),
        ("roles/a/templates/a.conf", "{% set vault_a = 1 %}", {"vault_a"}),
        ("hosts.ini", "h vault_a=1\n[g:vars]\nvault_b = 2\n", {"vault_a", "vault_b"}),
        ("README.md", "vault_a", set()),
        ("compose.yaml", "services: {a: {environment: {A: '${A_KEY}', B: $B_KEY}}}", {"a_key", "b_key"}),
        ("compose.yaml", "services:\n  a:\n    environment:\n      - A_KEY\n      - B=1\n", {"a_key"}),
        ("compose.yaml", "services:\n  a:\n    environment:\n      A_KEY:\n      B: 1\n", {"a_key"}),
        ("config.yaml", "model_list:\n- {api_key: os.environ/A_KEY}\n", {"a_key"}),
        (
            "config.yaml",
            "environment_variables:\n\n  # x\n  A_KEY: x\n\n  'B_KEY': x\nmodel_list: [{c: x}]\n",
            {"a_key", "b_key"},
        ),
        ("config.yaml", "model_list: []\nenvironment_variables: {A_KEY: x, B: y}\n", {"a_key", "b"}),
        (".env", "A_KEY=${X}\nexport B=\n# C=1\n", {"a_key", "b"}),
    ],
)
def test_the_names_that_a_project_uses(name: str, text: str, names: set[str]) -> None:
    used = used_names(text, name)
    assert used.defined | used.referred == names


def test_what_a_reference_stands_for_may_be_used_again() -> None:
    used = used_names("a: '{{ vault_a }}'\nvault_b: 1\nc: '{{ vault_b }}'\n", "vars/a.yml")
    assert used.besides({"vault_a", "vault_b"}) == {"vault_b"}


@pytest.mark.parametrize(("path", "apart"), [("b/group_vars/all/x.yml", True), ("roles/r/x.yml", False)])
def test_names_in_another_inventory_are_free(path: str, apart: bool) -> None:
    assert is_apart(path, "a/group_vars/all/k.transit.yml") == apart
    assert not is_apart(path, "group_vars/all/k.transit.yml")


def test_names_that_are_in_use_stay_what_they_are(bao: Bao, login: str) -> None:
    written("group_vars/all/vars.yml", OTHER_TEAM.replace("KEY", OPENAI))
    written("roles/a/defaults/main.yml", "x: '{{ vault_anthropic_api_key }}'\n")
    written("inventories/b/group_vars/all.yml", f"anthropic_api_key: {ANTHROPIC}\n")
    written("compose.yaml", "services: {a: {environment: {K: '${OPENAI_API_KEY}'}}, b: {environment: [K]}}\n")
    written(
        "config.yaml",
        f"model_list:\n- api_key: os.environ/CO_KEY\n- co_key: {OPENAI}\n- api_key: {ANTHROPIC}\n"
        f"environment_variables:\n  ANTHROPIC_API_KEY: {OPENAI}\n",
    )
    # Only what is given is changed, but what uses a name may be anywhere.
    paths = ("group_vars/all/vars.yml", "inventories/b", "config.yaml")
    lint(*new(login), *paths)
    assert decrypted(bao, TARGET) == {
        "vault_openai_api_key_2": OPENAI,
        "vault_anthropic_api_key_2": ANTHROPIC,
        "anthropic_api_key": OPENAI,
        "anthropic_api_key_2": ANTHROPIC,
        "co_key_2": OPENAI,
    }
