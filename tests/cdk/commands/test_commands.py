# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The command, as far as it needs no server."""

from __future__ import annotations

import json
import os
import re
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mlkeys._cli import main
from mlkeys._commands import COMMANDS, SECTIONS, playbook
from mlkeys._commands.errors import show_warning
from mlkeys._commands.playbook import Run
from mlkeys._commands.stacks import report
from mlkeys._errors import MlkeysError
from tests.cdk.apps import EXAMPLES, ROOT
from tests.cdk.command import mlkeys, mlkeys_on_terminal, plain


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    """A folder with the seed program."""
    shutil.copy(EXAMPLES / "seed" / "app.py", tmp_path)
    return tmp_path


def test_synth_writes_and_check_compares(seed: Path) -> None:
    assert "Not up to date" in mlkeys("synth", "--check", cwd=seed, status=1).stdout
    assert not (seed / "mlkeys.out").exists()
    assert re.match(r"1\d files in mlkeys.out, 1\d of them changed.$", mlkeys("synth", cwd=seed).stdout)
    assert "are up to date" in mlkeys("synth", "--check", cwd=seed).stdout
    site = seed / "mlkeys.out" / "ansible" / "app" / "site.yml"
    site.write_text(site.read_text() + "# by hand\n")
    assert "ansible/app/site.yml" in mlkeys("synth", "--check", cwd=seed, status=1).stdout
    (seed / "app.py").write_text("from mlkeys import transit as vault\nvault.Policy('p').allow('a', 'read')\n")
    assert re.match(r"(\d+) files in mlkeys.out, \d of them changed. [1-9] removed.$", mlkeys("synth", cwd=seed).stdout)


def test_the_files_are_the_same_wherever_the_program_is(seed: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "deeper"
    elsewhere.mkdir(parents=True)
    shutil.copy(seed / "app.py", elsewhere)
    mlkeys("synth", cwd=seed)
    mlkeys("synth", elsewhere / "app.py", cwd=tmp_path)
    first, second = (json.loads((f / "mlkeys.out" / "manifest.json").read_text()) for f in (seed, elsewhere))
    assert first == second


def test_problems_are_shown_without_a_traceback(seed: Path) -> None:
    (seed / "app.py").write_text(
        "from mlkeys import transit as vault\n"
        "vault.TransitSecretBackend('a', pth='x')\n"
        "vault.TransitSecretBackend('b', path='')\n"
    )
    shown = mlkeys("synth", cwd=seed, status=1).stderr
    assert "[app/a] (app.py:2) unknown keyword 'pth'. Did you mean 'path'?" in shown
    assert "[app/b] (app.py:3) path is empty" in shown
    assert "Traceback" not in shown
    assert not (seed / "mlkeys.out").exists()


def test_a_mistake_of_the_program_is_shown_with_its_own_frames_alone(seed: Path) -> None:
    (seed / "app.py").write_text(
        "import json\nfrom mlkeys import App, Stack\nfrom mlkeys import transit as vault\n"
        "class Guard:\n    def visit(self, construct):\n        json.loads(construct.nothing)\n"
        "def make(text):\n    return json.loads(text)\n"
        "app = App()\nStack(app, 's').node.add_aspect(Guard())\nif True:  # here\n    make('{')\n"
    )
    shown = mlkeys("synth", cwd=seed, status=1).stderr
    assert "Error: the program raised JSONDecodeError." in shown
    frames = re.findall(r'File "(.*)", line (\d+)', shown)
    assert [(Path(file).name, line) for file, line in frames] == [("app.py", "12"), ("app.py", "8")]
    assert shown.rstrip().endswith("Expecting property name enclosed in double quotes: line 1 column 2 (char 1)")
    # The same for what runs later.
    (seed / "app.py").write_text((seed / "app.py").read_text().replace("if True:  # here\n    make('{')\n", ""))
    later = mlkeys("synth", "--json", cwd=seed, status=1)
    assert re.findall(r"line (\d+)", later.stderr) == ["6"]
    assert json.loads(later.stdout)["error"].startswith("the program raised AttributeError.\nTraceback")


@pytest.mark.parametrize(
    "use", ["json.dumps({'a': secret}, default=str)", "string.Template('$x').substitute(x=secret)", "f'{secret}'"]
)
@pytest.mark.parametrize("in_aspect", [False, True])
def test_a_secret_as_text_is_refused_at_the_line_of_the_program(seed: Path, use: str, *, in_aspect: bool) -> None:
    """Its innermost one: it may be in the standard library that the text is made."""
    called = "app.node.add_aspect(Guard())" if in_aspect else "Guard().visit(app)"
    (seed / "app.py").write_text(
        "import json, string\nfrom mlkeys import App, Secret, Stack\nsecret = Secret.env('A')\n"
        f"class Guard:\n    def visit(self, construct):\n        {use}\napp = App()\nStack(app, 's')\n{called}\n"
    )
    shown = mlkeys("synth", cwd=seed, status=1).stderr
    assert re.findall(r"\w+\.py:\d+", shown)[0] == "app.py:6"
    assert "Secret.env('A') cannot be formatted as text" in shown


def test_an_exception_does_not_show_what_the_program_has_read(seed: Path) -> None:
    (seed / "app.py").write_text("import os\nraise RuntimeError('no ' + os.environ['PROVIDER_API_KEY'])\n")
    done = mlkeys("synth", "--json", cwd=seed, status=1, env={"PROVIDER_API_KEY": "only-a-few-words"})
    assert "RuntimeError: no (hidden)" in done.stderr
    assert "only-a-few-words" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "program",
    [
        "raise RuntimeError('{key}')",
        "def check(given):\n    raise ValueError('refused: ' + given)\ncheck('{key}')",
        "raise KeyError({{'url': 'https://a', 'api_key': '{short}'}})",
        "raise ValueError('no {key}') from RuntimeError('password={short}')",
        "raise ExceptionGroup('{key}', [ValueError('token: {short}')])",
        "import sys\nsys.exit('{key} password={short}')",
        (
            "class A:\n    def visit(self, c):\n        raise OSError('{key}')\n"
            "from mlkeys import *\ns = Stack(App(), 's')\ns.node.add_aspect(A())"
        ),
    ],
)
def test_what_a_program_raises_is_shown_without_keys(seed: Path, program: str) -> None:
    key, short = f"sk-proj-{secrets.token_hex(24)}", f"{secrets.token_hex(4)}x9"
    (seed / "app.py").write_text(program.format(key=key, short=short))
    run = mlkeys("synth", "--json", cwd=seed, status=1)
    assert "(hidden)" in run.stderr
    assert "(hidden)" in json.loads(run.stdout)["error"]
    assert key not in run.stdout + run.stderr
    assert short not in run.stdout + run.stderr


def test_list_names_stacks_in_the_order_of_deployment() -> None:
    shown = mlkeys("list", EXAMPLES / "multi_env" / "app.py", "--json", cwd=Path.cwd())
    assert [stack["name"] for stack in json.loads(shown.stdout)] == ["dev", "stage", "prod"]


def test_what_a_program_prints_does_not_mix_with_what_the_command_prints(seed: Path) -> None:
    program = seed / "app.py"
    program.write_text(program.read_text() + "print('from the program')\n")
    run = mlkeys("synth", "--json", cwd=seed)
    assert json.loads(run.stdout)["files"]
    assert "from the program" in run.stderr


def test_what_is_imported_is_not_searched_for_garbage(seed: Path) -> None:
    program = "import gc, sys\nprint(gc.isenabled(), gc.get_freeze_count() > 1000, file=sys.stderr)\n"
    (seed / "app.py").write_text(program + (seed / "app.py").read_text())
    assert "True True" in mlkeys("synth", cwd=seed).stderr


def test_an_unknown_stack_is_answered_with_those_that_are(seed: Path) -> None:
    assert "The program has: app." in mlkeys("deploy", "--stack", "nope", cwd=seed, status=1).stderr


def test_output_before_any_deployment_is_an_error(seed: Path) -> None:
    assert "First run: mlkeys deploy" in mlkeys("output", cwd=seed, status=1).stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_by_example(command: str) -> None:
    shown = CliRunner().invoke(main, [command, "--help"])
    assert shown.exit_code == 0
    examples = shown.output.partition("Examples:")[2].partition("Options:")[0]
    assert f"mlkeys {command}" in examples
    # A long line is broken.
    assert f"{command} {COMMANDS[command]}" in " ".join(main_help().split())


def main_help() -> str:
    return CliRunner().invoke(main, ["--help"]).output


def test_exit_codes_are_those_that_are_documented(tmp_path: Path) -> None:
    documented = set(re.findall(r"^    (\d+) ", main_help().partition("Exit codes:")[2], re.MULTILINE))
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8").partition("## Exit codes")[2]
    assert set(re.findall(r"^\| (\d+) \|", page, re.MULTILINE)) == documented == {"0", "1", "2", "130"}
    (tmp_path / "good.py").write_text("from mlkeys import transit as vault\nvault.TransitSecretBackend('e')\n")
    (tmp_path / "bad.py").write_text("from mlkeys import transit as vault\nvault.TransitSecretBackend('e', path='')\n")
    # A run in the background begins with the signal ignored.
    handled = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    (tmp_path / "stopped.py").write_text(f"import os, signal\n{handled}\nos.kill(os.getpid(), signal.SIGINT)\n")
    for status, arguments in (
        (0, ["synth", "good.py"]),
        (1, ["synth", "bad.py"]),
        (1, ["synth", "good.py", "--check", "--out", "elsewhere"]),
        (2, ["synth", "--no-such-option"]),
        (2, ["sinth"]),
        (130, ["synth", "stopped.py"]),
    ):
        mlkeys(*arguments, cwd=tmp_path, status=status)
    assert "Did you mean 'synth'?" in mlkeys("sinth", cwd=tmp_path, status=2).stderr


WAITING = """
from mlkeys import AnsibleTask
AnsibleTask("wait", task={"ansible.builtin.shell": {"cmd": "touch /FOLDER/begun; sleep 60"}})
"""


@pytest.mark.parametrize(
    ("words", "status"),
    [(("show",), 1), (("check",), 1), (("lint",), 2), (("run", "-f"), 1), (("synth",), 1)],
)
def test_a_name_that_no_file_can_have_is_an_error(words: tuple[str, ...], status: int) -> None:
    # In this process: starting five takes longer.
    more = ["--", "true"] if words[0] == "run" else []
    done = CliRunner().invoke(main, [*words, "a" * 5000, *more])
    assert done.exit_code == status
    assert isinstance(done.exception, SystemExit)


def test_ctrl_c_is_for_ansible_which_ends_by_itself(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(WAITING.replace("/FOLDER", str(tmp_path)))
    ctrl_c = {"Task wait": "\x03"}
    shown = mlkeys_on_terminal("deploy", cwd=tmp_path, env={}, answers=ctrl_c, once=tmp_path / "begun", status=130)
    assert "interrupted" in shown
    assert shown != plain(shown)


def test_a_deployment_that_is_terminated_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(WAITING.replace("/FOLDER", str(tmp_path)))
    # Without a terminal, as in CI. A process that still ran would hold the pipe open for a minute.
    with subprocess.Popen(
        [sys.executable, "-m", "mlkeys", "deploy"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        while process.poll() is None and not (tmp_path / "begun").exists():
            time.sleep(0.05)
        begun = time.monotonic()
        process.terminate()
        process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert time.monotonic() - begun < 30


ORPHANED = """
import os, subprocess
from mlkeys._system.processes import ChildProcess
command = ["sh", "-c", "setsid sh -c 'echo $$; exec sleep 60' & exec sleep 60"]
with ChildProcess(orphans=True) as child, child.running(command, os.environ, stdout=subprocess.PIPE) as process:
    print(process.stdout.readline(), flush=True)
    process.stdout.read()
print(child.received, process.returncode)
"""


def test_a_process_in_a_session_of_its_own_ends_with_a_command_that_is_terminated() -> None:
    # As a worker of Ansible that was just being started: neither Ansible nor a signal to the group reaches it.
    with subprocess.Popen([sys.executable, "-c", ORPHANED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        orphan = int(process.stdout.readline())
        process.terminate()
        shown, _ = process.communicate(timeout=30)
    assert shown.split() == [str(int(signal.SIGTERM)), str(-signal.SIGTERM)]
    with pytest.raises(ProcessLookupError):
        os.kill(orphan, 0)


DEAF = """
import os, subprocess, sys
from mlkeys._system import processes
processes._PATIENCE, processes._GRACE = 0.3, 0.3
signals = sys.argv[1]
command = ["sh", "-c", f"trap '' {signals}; setsid sh -c \'echo $$; exec sleep 60\' & sleep 60; sleep 60"]
with processes.ChildProcess(orphans=True) as child:
    with child.running(command, os.environ, stdout=subprocess.PIPE) as process:
        print(process.stdout.readline(), flush=True)
        process.stdout.read()
print(child.received, process.returncode)
"""


@pytest.mark.parametrize(("deaf_to", "ended_by"), [("INT", signal.SIGTERM), ("INT TERM", signal.SIGKILL)])
def test_a_command_that_ctrl_c_does_not_end_is_ended(deaf_to: str, ended_by: signal.Signals) -> None:
    """As Ansible, which waits for a worker that it was just starting, and that ended without a word."""
    with subprocess.Popen([sys.executable, "-c", DEAF, deaf_to], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        orphan = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=30)
    assert shown.split() == [str(int(signal.SIGINT)), str(-ended_by)]
    with pytest.raises(ProcessLookupError):
        os.kill(orphan, 0)


def test_a_report_lists_what_was_done_and_what_was_not() -> None:
    done = {"first": Run(0, 2.04, ok=5, changed=2), "second": Run(2, 1.0, ok=1, failed=1)}
    assert report(("first", "second", "third"), done) == [
        {
            "name": "first",
            "state": "done",
            "ok": 5,
            "changed": 2,
            "failed": 0,
            "unreachable": 0,
            "seconds": 2.0,
            "changes": [],
        },
        {
            "name": "second",
            "state": "failed",
            "ok": 1,
            "changed": 0,
            "failed": 1,
            "unreachable": 0,
            "seconds": 1.0,
            "changes": [],
        },
        {
            "name": "third",
            "state": "not run",
            "ok": 0,
            "changed": 0,
            "failed": 0,
            "unreachable": 0,
            "seconds": 0.0,
            "changes": [],
        },
    ]


HOST = {"ok": 3, "changed": 1, "unreachable": 0, "failed": 0, "skipped": 1, "rescued": 0, "ignored": 0}


def test_the_counts_of_a_run_are_those_of_its_report() -> None:
    run = Run(status=2)
    hosts = {"web-1": HOST, "web-2": {**HOST, "ok": 2, "unreachable": 1, "failed": 1}}
    run.take(json.dumps({"version": 1, "hosts": hosts, "refused": 1, "stats": {"account": 5}}))
    assert (run.reported, run.ok, run.changed, run.unreachable, run.failed) == (True, 5, 2, 1, 1)
    assert (run.refused, run.only_refused, run.stats) == (1, False, {"account": 5})


@pytest.mark.parametrize("report", ["", "{", "[]", "{}", '{"hosts": {"web-1": {}}, "refused": 0, "stats": {}}'])
def test_what_is_not_a_whole_report_is_none(report: str) -> None:
    run = Run()
    run.take(report)
    assert not run.reported


def test_a_run_that_ends_well_without_a_report_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playbook, "_tool", lambda _name: "true")
    with pytest.raises(MlkeysError, match=r"site\.yml ended without a report"):
        playbook.ansible_playbook(tmp_path, "site.yml", show=None)
    monkeypatch.setattr(playbook, "_tool", lambda _name: "false")
    assert playbook.ansible_playbook(tmp_path, "site.yml", show=None).status == 1


def test_a_report_larger_than_a_pipe_comes_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "ansible-playbook"
    document = json.dumps({"version": 1, "hosts": {}, "refused": 0, "stats": {"long": "x" * 1_000_000}})
    (tmp_path / "report").write_text(document)
    tool.write_text(f"#!/bin/sh\ncat {tmp_path}/report > /dev/fd/${playbook.REPORT_VARIABLE}\n")
    tool.chmod(0o755)
    monkeypatch.setattr(playbook, "_tool", lambda _name: str(tool))
    assert len(playbook.ansible_playbook(tmp_path, "site.yml", show=None).stats["long"]) == 1_000_000


@pytest.mark.parametrize("template", ["seed", "llm-gateway", "multi-env"])
def test_init_writes_a_project_that_can_be_synthesised(tmp_path: Path, template: str) -> None:
    (tmp_path / "new" / ".git").mkdir(parents=True)
    ignored = tmp_path / "new" / ".gitignore"
    ignored.write_text("*.log")
    mlkeys("init", tmp_path / "new", "--template", template, cwd=tmp_path)
    assert ignored.read_text().startswith("*.log\n")
    assert "\nmlkeys.out/\n" in ignored.read_text()
    assert not list((tmp_path / "new").rglob("*.pyc"))
    mlkeys("synth", cwd=tmp_path / "new")
    assert "is not empty" in mlkeys("init", tmp_path / "new", cwd=tmp_path, status=1).stderr


def test_the_templates_are_the_examples() -> None:
    """One text each: what the package carries is what the examples show."""
    import mlkeys

    carried = Path(mlkeys.__file__).parent / "_templates"
    for name in ("seed", "llm_gateway", "multi_env"):
        assert (carried / name / "app.py").resolve() == (EXAMPLES / name / "app.py").resolve()


def test_write_errors_are_reported_without_a_traceback(seed: Path) -> None:
    (seed / "file").write_text("")
    for arguments in (["graph", "--out", "nowhere/tree.mmd"], ["init", "file/below"], ["synth", "--out", "file/out"]):
        shown = mlkeys(*arguments, cwd=seed, status=1).stderr
        assert "cannot be written: " in shown or "cannot write to " in shown
        assert "Traceback" not in shown


@pytest.mark.parametrize("command", ["init", "synth", "show", "status"])
def test_a_path_that_nobody_may_follow_is_an_error_like_others(command: str) -> None:
    # As a folder that the user may not enter, but for root as well.
    done = CliRunner().invoke(main, [command, "x" * 300])
    assert "File name too long" in done.stderr
    assert isinstance(done.exception, SystemExit)


def test_graph_draws_the_tree(seed: Path) -> None:
    mermaid = mlkeys("graph", cwd=seed).stdout
    assert mermaid.startswith("flowchart")
    assert "ml-api-key" in mermaid
    svg = mlkeys("graph", "--svg", cwd=seed).stdout
    assert svg.startswith("<svg ")
    assert "ml-api-key" in svg
    assert mlkeys("graph", "--svg", cwd=seed).stdout == svg
    mlkeys("graph", "--html", "--out", "graph.html", cwd=seed)
    page = (seed / "graph.html").read_text()
    assert svg.strip() in page
    row = 'data-id="app/ml-api-key" data-number="1" data-kind="key" data-to="2" data-path="app/ml-api-key"'
    assert f"<tr {row}><td>ml-api-key</td>" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", ""), "it loads nothing"
    assert "ml-api-key" in mlkeys("graph", "--focus", "ml-api-key", cwd=seed).stdout
    misspelt = mlkeys("graph", "--focus", "ml-api-keys", cwd=seed, status=1).stderr
    assert "The picture has no ml-api-keys. Did you mean 'ml-api-key'?" in misspelt
    assert "Choose one of" in mlkeys("graph", "--svg", "--json", cwd=seed, status=2).stderr
    misplaced = mlkeys("graph", "x.svg", cwd=seed, status=2).stderr
    assert "Error: x.svg is not a program. To write to it, run: mlkeys graph --out x.svg" in misplaced


def test_a_picture_without_its_library_says_what_to_install(seed: Path) -> None:
    (seed / "igraph.py").write_text("raise ImportError")
    shown = mlkeys("graph", "--svg", cwd=seed, status=1, env={"PYTHONPATH": str(seed)}).stderr
    assert "pip install 'mlkeys[graph]'" in shown


def test_a_template_that_cannot_be_read_is_named(seed: Path) -> None:
    (seed / "app.py").write_text(
        "from mlkeys import HostConfig, Inventory\n"
        "web = Inventory('i').group('web', ['h'])\n"
        "HostConfig('c', hosts=web, template='none.j2', dest='/etc/c')\n"
    )
    assert "none.j2 cannot be read: No such file or directory." in mlkeys("graph", cwd=seed, status=1).stderr


def test_a_warning_is_broken_between_words_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "Warning: the-long-name-of-a-construct/and-another-one is used, and\nnothing else is."
    show_warning(text)
    assert capsys.readouterr().err == f"{text}\n"
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    show_warning(text)
    shown = plain(capsys.readouterr().err).splitlines()
    assert shown == ["Warning:", "the-long-name-of-a-construct/and-another-one", "is used, and", "nothing else is."]


def _leaves(command: click.Command) -> list[click.Command]:
    """The command, or those that it is a group of."""
    return [*command.commands.values()] if isinstance(command, click.Group) else [command]


def test_an_option_refuses_a_path_that_is_another_option() -> None:
    taking = [
        (leaf, option)
        for command in COMMANDS
        for leaf in _leaves(main.get_command(click.Context(main), command))
        for option in leaf.params
        if isinstance(option, click.Option) and isinstance(option.type, click.Path)
    ]
    named = {f"{leaf.name} {option.opts[0]}" for leaf, option in taking}
    assert named >= {"status --html", "graph --out", "rotate --inventory", "run -f", "dev --state", "lint --baseline"}
    for _, option in taking:
        with pytest.raises(click.BadParameter, match=r"a path is missing before --out\. .* \./--out$"):
            option.type.convert("--out", option, None)
        with pytest.raises(click.BadParameter, match="the path is empty"):
            option.type.convert("", option, None)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("status -i hosts.yml --html --out s.html", "'--html': a path is missing before --out"),
        ("status -i hosts.yml s.html", "s.html cannot be used with --inventory"),
        ("status --html -i hosts.yml", "'--html': a path is missing before -i. A file of this name is ./-i"),
        ("rotate --backup-dir -v -i hosts.yml", "'--backup-dir': a path is missing before -v."),
        ("lint --to -h", "'--to': a path is missing before -h."),
        ("status -i -ihosts.yml", "a path is missing before -ihosts.yml."),
        ("status hosts.yml", "hosts.yml is not a Python program. For an inventory, write: -i hosts.yml"),
        ("rotate hosts.yml --key transit/a", "For an inventory, write: -i hosts.yml"),
        ("rotate .", ". is not a Python program. For an inventory, write: -i ."),
        ("deploy hosts.yml", "hosts.yml is not a Python program."),
        ("diff ansible.cfg", "ansible.cfg is not a Python program."),
        ("rotate -i hosts.yml --out s --key transit/a", "--out cannot be used with --inventory"),
        ("init --ansible --template seed", "--template cannot be used with --ansible"),
        ("lint --to keys.transit.yml", "--to, --key and --backend are for --fix"),
        ("list app.py more", "unexpected extra argument. It may be secret, and is not shown."),
    ],
)
def test_what_would_be_left_unused_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts.yml").write_text("all: {}\n")
    done = CliRunner().invoke(main, words.split())
    assert done.exit_code == 2
    assert says in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["hosts.yml"]


def test_a_folder_with_a_program_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my app").mkdir()
    (tmp_path / "my app" / "app.py").touch()
    says = "my app is not a Python program. For the program in it, write: 'my app/app.py'"
    for command in ("status", "deploy"):
        assert says in CliRunner().invoke(main, [command, "my app"]).output


@pytest.mark.parametrize("value", ["-", "-x", "-1.html"])
def test_a_path_may_begin_with_a_hyphen_that_begins_no_option(value: str) -> None:
    command = main.get_command(click.Context(main), "status")
    assert command is not None
    [option] = [one for one in command.params if one.name == "html"]
    assert option.type.convert(value, option, click.Context(command)) == Path(value)


def test_each_command_stands_in_one_section_of_the_help() -> None:
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(COMMANDS)


def test_no_command_leaves_a_core_file() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        CliRunner().invoke(main, ["graph", "nowhere.py"])
        assert resource.getrlimit(resource.RLIMIT_CORE) == (0, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
