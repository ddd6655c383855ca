# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""All checks and tests, one session for each set of tools. `nox -l` lists them.

`nox` runs the sessions of `make test`. The tests run last, so that their summary ends the output.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
CACHE = ROOT / ".cache"
COLLECTIONS = CACHE / "collections"
STAGE = CACHE / "stage" / "ansible_collections" / "mlkeys" / "transit"
CORE = "2.19"
RECORDING = ROOT / "docs" / "_static" / "start.svg"
# The slowest kinds run first, so that all workers finish at about the same time.
KINDS_OF_TESTS = ("e2e", "cdk", "docs", "integration", "fuzz", "unit")

# What makes Ansible quicker in the environments of tests, from tests/support/hosts. Most use the first one.
QUICKER = (
    *("kept", "kept_bytecode", "kept_collections", "kept_patterns"),
    *("kept_yaml", "kept_templates", "kept_imports", "before_forks"),
)

# Collections that tests use: the one that users come from, and callbacks that record everything.
PEERS = ("community/hashi_vault", "ansible/posix")

# The top-level entries of the collection archive. Add new entries here, or to build_ignore in galaxy.yml.
SHIPPED = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "FILES.json",
    "LICENSES",
    "MANIFEST.json",
    "README.md",
    "SECURITY.md",
    "changelogs",
    "docs",
    "examples",
    "meta",
    "playbooks",
    "plugins",
    "roles",
}

# ansible-test downloads the installer of pip, for each of its environments. This one unpacks the pip that comes with
# Python, so that only the package index is needed. Debian keeps it in another place.
GET_PIP = """\
import glob, os, runpy, sys, sysconfig, zipfile
import ensurepip
folders = (os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"), "/usr/share/python-wheels")
wheels = [wheel for folder in folders for wheel in glob.glob(os.path.join(folder, "pip-*.whl"))]
with zipfile.ZipFile(wheels[0]) as wheel:
    wheel.extractall(sysconfig.get_path("purelib"))
others = [word for word in sys.argv[1:] if not word.startswith(("-", "pip=="))]
if others:
    sys.argv[1:] = ["install", *others]
    runpy.run_module("pip", run_name="__main__")
"""

# With uv, its environments get this instead, which does the same in a tenth of the time.
GET_UV = """\
import os, sysconfig
folder = os.path.join(sysconfig.get_path("purelib"), "pip")
os.mkdir(folder)
with open(os.path.join(folder, "__main__.py"), "w") as program:
    program.write('''
import os, shutil, subprocess, sys
command, *words = [word for word in sys.argv[1:] if word not in ("--disable-pip-version-check", "-y")]
if command == "uninstall":
    assert words == ["pip"], words
    shutil.rmtree(os.path.dirname(__file__))
else:
    assert command == "install", command
    uv = [{uv!r}, "pip", "install", "--quiet", "--python", sys.executable, *words]
    sys.exit(subprocess.run(uv, env={{**os.environ, **{settings!r}}}).returncode)
''')
"""

# ansible-test imports each file with all that it imports, and so compiles most of them a hundred times.
COMPILED_ONCE = (
    "from ansible.utils.collection_loader import _collection_finder, _to_text\n",
    """\
        import dataclasses, functools
        once = functools.lru_cache(maxsize=None)(compile)
        _collection_finder.compile = once
        dataclasses.exec = lambda text, *names: exec(once(text, "<string>", "exec"), *names)
""",
)

# Import every module of the package: the wheel must be complete, and declare all its dependencies.
IMPORT_ALL = """\
import importlib, pkgutil
import mlkeys
for module in pkgutil.walk_packages(mlkeys.__path__, "mlkeys."):
    # These need the extra "testing", or a framework.
    others = ("testing", "__main__", "runtime.litellm", "runtime.pydantic")
    if not any(name in module.name for name in others):
        importlib.import_module(module.name)
"""

# The first steps of a new user.
TRIAL = """\
mlkeys init try --template seed
cd try
export ML_API_KEY=sk-FAKE-no-real-key
mlkeys synth
mlkeys dev -- sh -ec 'mlkeys deploy; mlkeys diff --fail'
cd ..
"""
DEMONSTRATION = """\
collection="$HOME/.ansible/collections/ansible_collections/mlkeys/transit"
mlkeys dev -- python "$collection/examples/llm_gateway/demo.py" --throwaway
"""

# Skip interpreters that the machine does not have instead of downloading them. Use the interpreters of pyenv directly:
# its shims exist for every version, but only the selected one works.
os.environ["UV_PYTHON_DOWNLOADS"] = "never"
# Without bytecode each of thousands of processes compiles all that it imports, which takes longer than what it does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
interpreters = sorted(Path.home().glob(".pyenv/versions/3.*/bin"))
os.environ["PATH"] = os.pathsep.join([*map(str, interpreters), os.environ["PATH"]])

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True
nox.options.stop_on_first_error = False


def install(session: nox.Session, requirements: str, *, package: bool = False) -> None:
    session.install("--requirement", f"requirements/{requirements}.txt")
    if package:
        session.install("--no-deps", "--editable", ".")


def quicken(session: nox.Session) -> None:
    """Make Ansible quicker here: keep bytecode, its own YAML and code of templates, and load filters before it forks.

    Most of its processes end within a second. So collect garbage rarely, and not once more at the end.
    """
    for packages in Path(session.virtualenv.location).glob("lib/python*/site-packages"):
        (packages / "kept-bytecode").mkdir(exist_ok=True)
        for name in QUICKER:
            shutil.copy2(ROOT / "tests" / "support" / "hosts" / f"{name}.py", packages)
        (packages / "quicken.pth").write_text(
            "".join(f"import {name}\n" for name in QUICKER)
            + "import atexit, gc; gc.set_threshold(20000, 20, 50); atexit.register(gc.freeze)\n",
            encoding="utf-8",
        )


def collection_environment(session: nox.Session) -> dict[str, str]:
    """Return an environment in which Ansible finds the checkout as the collection, and no user settings."""
    link = COLLECTIONS / "ansible_collections" / "mlkeys" / "transit"
    link.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # two sessions can start at the same time
        link.symlink_to("../../../..", target_is_directory=True)
    home = CACHE / "home" / session.name
    home.mkdir(parents=True, exist_ok=True)
    link_pip_settings(home)
    config = home / "ansible.cfg"
    config.touch()
    return {"HOME": str(home), "ANSIBLE_CONFIG": str(config), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)}


def link_pip_settings(home: Path) -> None:
    """Keep the user's pip settings in a temporary home: they can name the package index."""
    settings, mirror = Path.home() / ".config" / "pip", home / ".config" / "pip"
    if settings.is_dir() and not mirror.exists():
        mirror.parent.mkdir(exist_ok=True)
        mirror.symlink_to(settings, target_is_directory=True)


def stage() -> None:
    """Copy the collection to where ansible-test expects it. It does not follow links."""
    # The package and the tests are not part of the collection. ruff and mypy check them, pylint's rules included.
    copy_checkout(STAGE, ":!src", ":!tests")
    settings = STAGE / "tests" / "config.yml"
    settings.parent.mkdir()
    shutil.copy2(ROOT / "tests" / "config.yml", settings)
    # Without a repository here, ansible-test finds the outer one, which ignores this folder, and tests nothing.
    subprocess.run(["git", "init", "--quiet", str(STAGE)], check=True)  # noqa: S607


def copy_checkout(target: Path, *paths: str) -> None:
    """Copy the files that belong to the repository, without generated files."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths)
    if target.exists():
        shutil.rmtree(target)
    for name in sorted(set(listed.split("\0")) - {""}):
        source, copy = ROOT / name, target / name
        if source.is_symlink() or source.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)


@nox.session
def lint(session: nox.Session) -> None:
    """Run linters, type checker, licence checks and documentation checks."""
    install(session, "lint", package=True)
    quicken(session)
    environment = collection_environment(session)
    # Tests that run beside this one write bytecode, and reuse asks only once what Git ignores.
    licensed = CACHE / "licensed"
    copy_checkout(licensed)
    commands = [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["yamllint", "--strict", "."],
        ["mypy", *type_checked()],
        ["reuse", "--root", str(licensed), "lint", "--lines"],
        ["antsibull-changelog", "lint"],
        ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=all", "."],
        ["ansible-lint", "--profile", "production", "--offline"],
    ]
    failed = []
    for command in commands:
        try:
            session.run(*command, env=environment)
        except nox.command.CommandFailed:
            failed.append(command[0])
    if failed:
        session.error(f"failed: {', '.join(failed)}")


def type_checked() -> list[str]:
    """Return arguments for mypy. It checks plugins under their Ansible names; with paths, it would check them twice."""
    packages = ["ansible_collections.mlkeys.transit.plugins", "mlkeys", "tests", "examples"]
    return [argument for package in packages for argument in ("-p", package)] + ["-m", "noxfile", "-m", "hatch_build"]


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site into .cache/site. Broken internal links are errors, also to a heading."""
    install(session, "docs", package=True)
    quicken(session)
    environment = collection_environment(session)
    pages, site = ROOT / "docs" / "collection", CACHE / "site"
    shutil.rmtree(site, ignore_errors=True)
    pages.mkdir(exist_ok=True)
    pages.chmod(0o755)  # antsibull-docs refuses a folder that others can write to
    session.run(
        *("antsibull-docs", "--config-file", "docs/antsibull-docs.cfg", "collection", "mlkeys.transit"),
        *("--use-current", "--squash-hierarchy", "--cleanup", "everything", "--fail-on-error"),
        *("--dest-dir", str(pages)),
        env=environment,
    )
    session.run("sphinx-build", "--fail-on-warning", "--keep-going", "--quiet", "docs", str(site), env=environment)
    session.run("python", "docs/fragments.py", str(site))
    made = record(session, CACHE / RECORDING.name)
    if made.read_bytes() != RECORDING.read_bytes():
        session.error(f"{RECORDING.name} does not show what the commands print now. Record it again: nox -s recording")
    session.log(f"Open {site / 'index.html'}")


@nox.session(default=False)
def recording(session: nox.Session) -> None:
    """Record the terminal session of the README and of the landing page."""
    install(session, "docs", package=True)
    session.log(f"Recorded {record(session, RECORDING)}")


def record(session: nox.Session, target: Path) -> Path:
    # The width of a dumb terminal cannot be set.
    environment = collection_environment(session) | {"TERM": "xterm"}
    session.run("python", "docs/recording.py", str(target), env=environment)
    return target


@nox.session
def build(session: nox.Session) -> None:
    """Build the collection and the package twice, compare the results, and use them outside the checkout."""
    install(session, "build")
    quicken(session)
    make_and_try(session, TRIAL)
    try_hook(session)


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """Build the release artefacts of the last commit into dist, after testing them like a user."""
    install(session, "build")
    version = declared_version()
    if changed := git("status", "--porcelain"):
        session.error(f"Commit these changes before you build a release:\n{changed}")
    if git("tag", "--list", version) and version not in git("tag", "--points-at", "HEAD").split():
        session.error(f"The tag {version} points to another commit. Set the next version in galaxy.yml")
    made, output = make_and_try(session, TRIAL + DEMONSTRATION), ROOT / "dist"
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(made, output)
    session.run("python", "-m", "tests.support.sbom", str(output), version)
    session.run("python", "-m", "tests.support.artefacts", "sums", str(output))
    session.log(f"Contents of {output}:\n{(output / 'SHA256SUMS').read_text(encoding='utf-8')}")
    if "://example.com/" in repository():
        session.error(
            f"The artefacts in {output} are a rehearsal. Do not publish them: set the addresses in galaxy.yml."
        )
    if gap := changelog_gap(version):
        session.warn(f"This is a rehearsal. Do not publish it: {gap} See CONTRIBUTING.md for the release procedure.")
    else:
        session.log(f"You can tag and publish {version}. See CONTRIBUTING.md.")


def changelog_gap(version: str) -> str:
    """Return what the changelog lacks for a version, or an empty string."""
    changelogs = ROOT / "changelogs"
    if waiting := sorted(path.name for path in (changelogs / "fragments").glob("*.yml")):
        return f"The changelog does not include these fragments yet: {', '.join(waiting)}."
    released = changelogs / "changelog.yaml"
    if released.is_file() and f"\n  {version}:\n" in released.read_text(encoding="utf-8"):
        return ""
    return f"The changelog has no entry for {version}."


def git(*arguments: str) -> str:
    """Run git in the checkout and return its output."""
    ran = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return ran.stdout.strip()


def repository() -> str:
    (url,) = re.findall(r"^repository: (\S+)", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    return str(url)


def declared_version() -> str:
    (version,) = re.findall(r"^version: (\S+)", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    return str(version)


def make_and_try(session: nox.Session, trial: str) -> Path:
    output = CACHE / "dist"
    make_artefacts(session, output)
    try_wheel(session, output)
    try_artefacts(session, output, trial)
    return output


def make_artefacts(session: nox.Session, output: Path) -> None:
    """Build everything from two copies that differ in path, times and modes, and compare the results."""
    environment = collection_environment(session)
    moment = git("log", "-1", "--format=%ct")
    again = CACHE / "dist-again"
    for folder, source, zone in (
        (output, CACHE / "sources" / "one", "UTC"),
        (again, CACHE / "sources" / "the other one", "Pacific/Kiritimati"),
    ):
        shutil.rmtree(folder, ignore_errors=True)
        copy_checkout(source)
        if folder is again:
            make_unlike(source)
        settings = environment | {"SOURCE_DATE_EPOCH": moment, "TZ": zone}
        # Without --wheel or --sdist, uv builds the wheel from the source archive, so this tests both.
        session.run("uv", "build", "--quiet", "--out-dir", str(folder), str(source), env=settings)
        (folder / ".gitignore").unlink()
        (source / "README.md").write_text(readme_of(folder), encoding="utf-8")
        session.run("ansible-galaxy", "collection", "build", str(source), "--output-path", str(folder), env=settings)
        (archive,) = folder.glob("mlkeys-transit-*.tar.gz")
        session.run("python", "-m", "tests.support.artefacts", "normalise", str(archive), moment)
    session.run("python", "-m", "tests.support.artefacts", "compare", str(output), str(again))
    check_contents(session, archive)
    with session.chdir(session.create_tmp()):
        # The importer only logs what ansible-lint reports. The session `lint` fails for the same rules.
        settings = environment | {"GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "false"}
        session.run("python", "-m", "galaxy_importer.main", str(archive), env=settings)


def readme_of(folder: Path) -> str:
    """Return the page of the wheel in a folder, whose links lead to the repository. Galaxy shows it like PyPI."""
    (wheel,) = folder.glob("mlkeys-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        described = archive.read(name).decode()
    return described.partition("\n\n")[2]


def make_unlike(folder: Path) -> None:
    """Change what can differ in another checkout: file times, and permissions of others."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)
            os.utime(path, (0, 0))


def check_contents(session: nox.Session, archive: Path) -> None:
    with tarfile.open(archive) as tar:
        found = {name.split("/")[0] for name in tar.getnames()}
    if found != SHIPPED:
        session.error(f"{archive.name}: unexpected {sorted(found - SHIPPED)}, missing {sorted(SHIPPED - found)}")


def try_wheel(session: nox.Session, output: Path) -> None:
    """Install the wheel without extras in a separate environment, and run the command."""
    (wheel,) = output.glob("mlkeys-*.whl")
    venv = CACHE / "wheel"
    shutil.rmtree(venv, ignore_errors=True)
    session.run("uv", "venv", "--quiet", str(venv))
    command = str(venv / "bin" / "mlkeys")
    session.run("uv", "pip", "install", "--quiet", "--python", str(venv / "bin" / "python"), str(wheel))
    session.run(str(venv / "bin" / "python"), "-c", IMPORT_ALL, external=True)
    session.run(command, "--help", external=True)
    session.run(command, "dev", "--", "true", external=True, success_codes=[1])


def try_artefacts(session: nox.Session, output: Path, trial: str) -> None:
    """Install the artefacts as docs/start/install.md describes, in an empty home outside the checkout, and use them."""
    page = (ROOT / "docs" / "start" / "install.md").read_text(encoding="utf-8")
    installation = page.partition("```sh\n")[2].partition("```")[0]
    with tempfile.TemporaryDirectory(prefix="mlkeys-") as folder:
        home = Path(folder)
        for artefact in output.iterdir():
            shutil.copy2(artefact, home)
        # From the environment of this session, keep only the Python that a user would have.
        (home / "bin").mkdir()
        (home / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
        link_pip_settings(home)
        path = os.pathsep.join([str(home / "bin"), os.environ["PATH"]])
        of_ours = ("ANSIBLE_", "BAO_", "MLKEYS_", "PYTHON", "VAULT_", "VIRTUAL_ENV")
        environment: dict[str, str | None] = {name: None for name in os.environ if name.startswith(of_ours)}
        environment |= {"HOME": folder, "PIP_QUIET": "1"}
        # Keep byte code out of the installed collection, which must not change. Compile only what runs.
        environment |= {"PYTHONPYCACHEPREFIX": str(home / "bytecode"), "PIP_NO_COMPILE": "1"}
        unchanged = "ansible-galaxy collection verify --offline mlkeys.transit"
        (home / "trial.sh").write_text(
            f"set -e\nexport PATH={shlex.quote(path)}\n{installation}set -x\n{trial}{unchanged}\n", encoding="utf-8"
        )
        with session.chdir(home):
            session.run("bash", "trial.sh", env=environment, external=True)


def try_hook(session: nox.Session) -> None:
    """Run the linter as a pre-commit hook: pre-commit clones the repository and installs it separately."""
    work = CACHE / "hook"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    # Split, so that the linter does not find it here.
    (work / "key.env").write_text("HF_TOKEN=hf_" + "Ab3dE6gH9kLm2nPq5rSt8uVw1xYz4BcD7e\n", encoding="utf-8")
    (work / "keys.transit.yml").write_text("openai_api_key: in the clear\n", encoding="utf-8")
    (work / ".gitignore").write_text("/pre-commit/\n", encoding="utf-8")
    command = ["pre-commit", "try-repo", str(ROOT), "mlkeys-lint", "--all-files"]
    environment = {"PRE_COMMIT_HOME": str(work / "pre-commit"), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)}
    with session.chdir(work):
        session.run("git", "init", "--quiet", external=True)
        session.run("git", "add", ".", external=True)
        output = str(session.run(*command, env=environment, success_codes=[1], silent=True))
    for place in ("key.env:1:10: MLK101:", "keys.transit.yml:1:1: MLK202:"):
        if place not in output:
            session.error(f"The output of the hook does not contain {place!r}:\n{output}")


@nox.session
def molecule(session: nox.Session) -> None:
    """Test the roles on real servers and hosts: converge, idempotence, side effects, verify."""
    install(session, "molecule", package=True)
    quicken(session)
    environment = collection_environment(session)
    wanted = session.posargs or ["--all", *(f"--exclude={name}" for name in scenarios_left_out(session))]
    try:
        # By env, since nox puts the programs of this environment in front of any PATH.
        command = ["env", f"PATH={known_version(session)}", "molecule", "test", *wanted]
        session.run(*command, env=environment, external=True)
    finally:
        # A scenario that fails can leave its servers and hosts running.
        home = Path(environment["HOME"])
        for lock in [*home.rglob("openbao/lock"), *home.rglob("cluster/node?/lock")]:
            session.run("mlkeys", "dev", "--stop", "--state", str(lock.parent), silent=True)
        for folder in {lock.parents[1] for lock in home.rglob("hosts/*/lock")}:
            session.run("python", "-m", "tests.support.hosts", "stop", str(folder), silent=True)


def known_version(session: nox.Session) -> str:
    """Return a PATH on which ansible-playbook answers --version at once: Molecule asks it before each of its steps."""
    real, folder = Path(session.bin, "ansible-playbook"), Path(session.create_tmp(), "bin")
    folder.mkdir(exist_ok=True)
    asked = subprocess.run([str(real), "--version"], capture_output=True, text=True, check=False)
    (folder / "version").write_text(asked.stdout, encoding="utf-8")
    answer = f'if [ "$*" = --version ]; then exec cat {shlex.quote(str(folder / "version"))}; fi'
    shim = folder / "ansible-playbook"
    shim.write_text(f'#!/bin/sh\n{answer}\nexec {shlex.quote(str(real))} "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    return os.pathsep.join([str(folder), session.bin, os.environ["PATH"]])


def scenarios_left_out(session: nox.Session) -> list[str]:
    """Return the scenarios that cannot run on this machine, and warn about each."""
    left_out = []
    if shutil.which("vault") is None:
        session.warn("SKIPPED: scenario 'vault': HashiCorp vault is not on the PATH")
        left_out.append("vault")
    lacking = subprocess.run(
        [str(Path(session.bin, "python")), "-m", "tests.support.hosts", "check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if lacking.returncode:
        session.warn(f"SKIPPED: scenarios 'hosts' and 'delegated': {lacking.stderr.strip()}")
        left_out += ["hosts", "delegated"]
    return left_out


@nox.session
def sanity(session: nox.Session) -> None:
    """Run ansible-test sanity on each supported Python version of this machine."""
    install(session, "sanity")
    environment = collection_environment(session)
    del environment["ANSIBLE_COLLECTIONS_PATH"]
    installer = Path(environment["HOME"], ".ansible", "test", "cache", "get_pip_24_2.py")
    installer.parent.mkdir(parents=True, exist_ok=True)
    installer.write_text(get_pip(session), encoding="utf-8")
    compile_once(session)
    stage()
    session.chdir(STAGE)
    session.run("ansible-test", "sanity", "--local", "--color", "no", *session.posargs, env=environment)


def get_pip(session: nox.Session) -> str:
    """Return the program by which ansible-test gets what installs packages into its environments."""
    # ansible-test passes no variables on. A file must not have those that can hold passwords.
    secret = ("UV_DEFAULT_INDEX", "UV_EXTRA_INDEX", "UV_FIND", "UV_INDEX", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    if session.virtualenv.venv_backend != "uv" or any(name.upper().startswith(secret) for name in os.environ):
        return GET_PIP
    # In the home of the session, uv would find neither its settings nor its cache.
    settings = {name: value for name in ("HOME", "SSL_CERT_DIR", "SSL_CERT_FILE") if (value := os.environ.get(name))}
    return GET_UV.format(uv=shutil.which(nox.virtualenv.UV), settings=settings)


def compile_once(session: nox.Session) -> None:
    """Let ansible-test's test of imports compile each file once. What does not compile is reported as before."""
    (importer,) = Path(session.virtualenv.location).glob(
        "lib/python*/site-packages/ansible_test/_util/target/sanity/import/importer.py"
    )
    place, addition = COMPILED_ONCE
    text = importer.read_text(encoding="utf-8")
    if addition not in text:
        importer.write_text(text.replace(place, place + addition), encoding="utf-8")


def peer_collections(session: nox.Session) -> None:
    """Install collections that some tests use. PyPI has them only in the package of all collections."""
    package, target = CACHE / "peer-package", CACHE / "peer-collections" / "ansible_collections"
    missing = [name for name in PEERS if not (target / name).is_dir()]
    if not missing:
        return
    pinned = ["--constraint", "requirements/peer.txt", "ansible"]
    # Also in an environment that is used again: other releases needed fewer of them.
    session.run("uv", "pip", "install", "--quiet", "--no-deps", "--target", str(package), *pinned)
    if not package.is_dir():
        return  # with --install-only, nothing runs
    for name in missing:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(package / "ansible_collections" / name, target / name)
    shutil.rmtree(package)


def tests_of(arguments: Iterable[str]) -> list[str]:
    """Return arguments for pytest. The name of a room, such as `connection`, selects its tests of every kind."""
    expanded = []
    for argument in arguments:
        rooms = [folder for kind in KINDS_OF_TESTS if (folder := ROOT / "tests" / kind / argument).is_dir()]
        whole = [ROOT / "tests" / argument] if argument in KINDS_OF_TESTS else []
        expanded += [str(path.relative_to(ROOT)) for path in rooms + whole] or [argument]
    return expanded


def run_tests(session: nox.Session, core: str, *options: str) -> None:
    install(session, f"tests-{core}", package=True)
    quicken(session)
    peer_collections(session)
    session.run(
        "pytest",
        # Two workers more than processors, since the longest tests wait for services half of their time. One that is
        # done takes tests from another.
        *("-n", str((os.cpu_count() or 1) + 2), "--dist=worksteal"),
        *tests_of(session.posargs or KINDS_OF_TESTS),
        *options,
        "--durations=15",
        env={"COVERAGE_FILE": str(CACHE / f"coverage-{core}")},
    )


# The supported releases of ansible-core, with the Pythons that each supports, from the oldest of `mlkeys` on.
RELEASES = {
    "2.16.19": ("3.11", "3.12"),
    "2.17.14": ("3.11", "3.12"),
    "2.18.19": ("3.11", "3.12", "3.13"),
    "2.19.14": ("3.11", "3.12", "3.13"),
    "2.20.10": ("3.12", "3.13", "3.14"),
    "2.21.5": ("3.12", "3.13", "3.14"),
}
PYTHONS = {release.rpartition(".")[0]: pythons for release, pythons in RELEASES.items()}
# The Python on which a release runs all tests. On the others it runs those that touch ansible-core most, with the
# libraries of all tests. A session whose Python the machine lacks is skipped.
WHOLE = {"2.16": "3.11", CORE: "3.11", "2.21": "3.13"}
# The playbooks that a fleet lives by. Before 2.19, templates yield texts where they yield numbers since.
PLAYBOOKS = (
    "tests/e2e/test_rotation.py::test_all_is_rewrapped_the_floor_raised_and_a_second_run_changes_nothing",
    "tests/e2e/test_site_playbook.py::test_runs_change_what_check_mode_predicts_and_nothing_twice",
    "tests/e2e/test_status.py::test_outdated_lost_or_of_no_key_is_reported",
)
# Plugins of every kind, modules here and sent, lookups, roles, playbooks.
OF_CORE = (
    *PLAYBOOKS,
    *("tests/unit/action", "tests/unit/controller", "tests/integration/action"),
    *("tests/integration/connection/test_parity.py", "tests/integration/lookup/test_lookup.py"),
    *("tests/integration/roles", "tests/integration/vars_file/test_vars_plugin.py"),
)


def define_whole(release: str, python: str) -> None:
    def run(session: nox.Session) -> None:
        run_tests(session, release)

    run.__doc__ = f"Run all tests on ansible-core {release}."
    nox.session(name=f"tests-{release}", python=python, default=False)(run)


def define_core(core: str, release: str, pythons: list[str]) -> None:
    def run(session: nox.Session) -> None:
        install(session, f"tests-{CORE}", package=True)
        session.run("uv", "pip", "install", "--quiet", f"ansible-core=={core}")
        quicken(session)
        session.run("pytest", "-n", str(os.cpu_count() or 1), "--dist=worksteal", *tests_of(session.posargs or OF_CORE))

    run.__doc__ = f"Run the tests that touch ansible-core most, on {release}."
    nox.session(name=f"core-{release}", python=pythons, default=False)(run)


for full, each in RELEASES.items():
    one = full.rpartition(".")[0]
    if one in WHOLE:
        define_whole(one, WHOLE[one])
    define_core(full, one, [python for python in each if python != WHOLE.get(one)])


@nox.session(python=WHOLE["2.16"])
def oldest(session: nox.Session) -> None:
    """Run the playbooks of the collection on the oldest supported ansible-core."""
    install(session, "tests-2.16", package=True)
    quicken(session)
    session.run("pytest", "-n", str(os.cpu_count() or 1), *(session.posargs or PLAYBOOKS))


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests, with real servers. To run a part, pass a file or a room: `nox -s tests -- connection`."""
    run_tests(session, CORE)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Run all tests and report coverage, including Ansible's processes. This takes 50% longer."""
    run_tests(session, CORE, "--cov", "--cov-report=term:skip-covered")


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Fuzz the readers of text that others write, ten minutes each: `nox -s fuzz -- --seconds 60 hcl yaml`."""
    install(session, f"tests-{CORE}", package=True)
    install(session, "fuzz")
    environment = collection_environment(session)
    environment["PYTHONPATH"] = os.pathsep.join([str(COLLECTIONS), str(ROOT)])
    session.run("python", "-m", "tests.fuzz", *session.posargs, env=environment)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Benchmark against community.hashi_vault and raw API calls. Use an idle machine; it takes several minutes."""
    install(session, f"tests-{CORE}", package=True)
    session.install("--requirement", "requirements/nox.txt")
    environment = collection_environment(session)
    peer = CACHE / "peer"
    session.run("uv", "venv", "--quiet", "--clear", str(peer))
    python = ["--python", str(peer / "bin" / "python")]
    session.run("uv", "pip", "install", "--quiet", *python, "--requirement", "requirements/peer.txt")
    scanners, corpus = CACHE / "scanners", CACHE / "corpus"
    session.run("uv", "venv", "--quiet", "--clear", str(scanners))
    python = ["--python", str(scanners / "bin" / "python")]
    session.run("uv", "pip", "install", "--quiet", *python, "--requirement", "requirements/scanners.txt")
    shutil.rmtree(corpus, ignore_errors=True)
    code = ["--no-deps", "--target", str(corpus), "--requirement", "requirements/corpus.in"]
    session.run("uv", "pip", "install", "--quiet", *python, *code)
    arguments = ["--peer", str(peer), "--collections", str(COLLECTIONS), "--report", "docs/benchmarks.md"]
    arguments += ["--scanners", str(scanners), "--corpus", str(corpus)]
    # nox -s bench -- --only rotation
    arguments += session.posargs
    session.run("python", "-m", "tests.benchmarks", *arguments, env=environment)


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Compile requirements/*.txt from the pins in requirements/*.in."""
    install(session, "nox")
    session.chdir("requirements")
    for source in sorted(Path().glob("*.in")):
        if source.stem in {"base", "corpus", "tests", "uv"}:
            continue  # included by others, or installed without dependencies
        session.run(
            *("uv", "pip", "compile", "--quiet", "--universal", "--no-annotate", "--generate-hashes"),
            *("--python-version", "3.12" if "2.21" in source.stem else "3.11"),
            *("--custom-compile-command", "nox -s lock"),
            *("--output-file", f"{source.stem}.txt", source.name),
            *session.posargs,
        )
