# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The package links the shared files of the collection, and its keywords match them."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import yaml

import mlkeys
from mlkeys import Construct, transit
from mlkeys._commands import COMMANDS
from mlkeys._constructs.approle import AppRole, AppRoleAttributes
from mlkeys._constructs.backend import BackendAttributes, TransitSecretBackend
from mlkeys._constructs.grants import Verb
from mlkeys._constructs.host_config import SHAPES
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.key_resource import KeyAttributes, KeyType
from mlkeys._constructs.policy import Capability
from mlkeys._shared import key_types, policy, shapes
from mlkeys._shared._attributes.approle import APPROLE_ATTRIBUTES
from mlkeys._shared._attributes.key import KEY_ATTRIBUTES
from mlkeys._shared._attributes.mount import MOUNT_ATTRIBUTES
from mlkeys._synthesis.tree_file import public_name
from mlkeys._targets.ansible.content import SHAPE_OF
from tests.cdk.apps import ROOT

PACKAGE = ROOT / "src" / "mlkeys" / "_shared"
ORIGINALS = ROOT / "plugins" / "module_utils" / "_shared"
SHARED = sorted(path.relative_to(ORIGINALS) for path in ORIGINALS.rglob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize("name", SHARED, ids=str)
def test_the_package_has_the_file_of_the_collection(name: Path) -> None:
    link = PACKAGE / name
    assert link.is_symlink()
    assert link.resolve() == ORIGINALS / name
    assert not link.readlink().is_absolute()


def test_a_wheel_has_its_content(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in SHARED:
            assert archive.read(f"mlkeys/_shared/{name}") == (ORIGINALS / name).read_bytes()
        assert {"mlkeys/py.typed", "mlkeys/_providers/key_patterns.toml"} <= set(archive.namelist())
        assert "mlkeys/_targets/ansible/project.py" in archive.namelist()
        shared = {name.partition(".data/data/share/")[2]: name for name in archive.namelist()}
        assert {f"man/man1/mlkeys-{name}.1" for name in COMMANDS} | {"man/man1/mlkeys.1"} <= set(shared)
        page = archive.read(shared["man/man1/mlkeys-rotate.1"]).decode()
        assert ".nf\nExamples:\n  mlkeys rotate --dry-run" in page
        assert "mlkeys\\-rotate \\- Rotate keys" in page
        for script in ("bash-completion/completions/mlkeys", "zsh/site-functions/_mlkeys"):
            assert b"_MLKEYS_COMPLETE" in archive.read(shared[script])


def test_the_typed_keywords_are_those_of_the_schema() -> None:
    key = {attribute.name for attribute in KEY_ATTRIBUTES}
    known = key | {"backend", "name"}
    assert set(get_type_hints(KeyAttributes)) == known | {"aliases", "material"}
    assert set(TransitSecretBackendKey.ATTRIBUTES) == known
    mount = {attribute.name for attribute in MOUNT_ATTRIBUTES}
    assert set(get_type_hints(BackendAttributes)) == mount | {"path", "disable_upsert", "aliases"}
    assert set(TransitSecretBackend.ATTRIBUTES) == mount | {"path", "disable_upsert"}
    role = {attribute.name for attribute in APPROLE_ATTRIBUTES}
    assert set(get_type_hints(AppRoleAttributes)) == role | {"backend", "name", "aliases"}
    assert set(AppRole.ATTRIBUTES) == role | {"backend", "name"}


def test_every_shape_has_a_keyword() -> None:
    data = set(SHAPES) - {"template", "agent"}
    assert {SHAPE_OF.get(keyword, keyword) for keyword in data} == set(shapes.SHAPES)


def test_the_choices_for_editors_are_those_of_the_shared_files() -> None:
    assert get_args(KeyType) == key_types.KEY_TYPES
    assert get_args(Capability) == policy.CAPABILITIES
    assert set(get_args(Verb)) <= set(policy.USES)


@pytest.mark.parametrize(
    ("module", "attributes"),
    [
        ("vault_transit_key", set(TransitSecretBackendKey.ATTRIBUTES)),
        ("vault_transit_backend", set(TransitSecretBackend.ATTRIBUTES) | {"cache_size"}),
    ],
)
def test_the_modules_take_every_attribute(module: str, attributes: set[str]) -> None:
    source = (ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8")
    documentation = yaml.safe_load(source.split('DOCUMENTATION = r"""')[1].split('"""')[0])
    fragments = [ROOT / "plugins" / "doc_fragments" / f"{name}.py" for name in ("_key", "_backend")]
    known = set(documentation.get("options", {}))
    for fragment in fragments:
        known |= {line.strip().rstrip(":") for line in fragment.read_text(encoding="utf-8").splitlines()}
    assert attributes <= known


def test_what_users_import_is_what_is_promised() -> None:
    for package in (mlkeys, transit):
        assert package.__all__ == sorted(package.__all__)
        for name in package.__all__:
            assert getattr(package, name).__doc__ or name in {"Capability", "KeyType"}


def keywords_of(kind: type) -> set[str]:
    """The keywords of a public class, with those of a typed dictionary one by one."""
    found: set[str] = set()
    for name, parameter in inspect.signature(kind, eval_str=True).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            found |= set(get_type_hints(get_args(parameter.annotation)[0]))
        elif name not in ("scope", "id_"):
            found.add(name)
    return found


PUBLIC = {f"{module.__name__}.{name}": getattr(module, name) for module in (mlkeys, transit) for name in module.__all__}
CLASSES = {name: kind for name, kind in PUBLIC.items() if isinstance(kind, type)}


#: Classes whose objects are made by methods or in other ways that have their own documentation.
WITHOUT_KEYWORDS = {
    *(
        mlkeys.Annotations,
        mlkeys.Aspect,
        mlkeys.Group,
        mlkeys.MlkeysError,
        mlkeys.Output,
        mlkeys.Reference,
        mlkeys.Secret,
    ),
    *(transit.Decrypted, transit.Encrypted, transit.KeyAttributes, transit.Signed, transit.Verified),
}


@pytest.mark.parametrize("name", [name for name, kind in CLASSES.items() if kind not in WITHOUT_KEYWORDS])
def test_the_documentation_of_a_public_class_names_every_keyword(name: str) -> None:
    documented = set(re.findall(r"^\s+(\w+): ", CLASSES[name].__doc__ or "", re.MULTILINE))
    assert keywords_of(CLASSES[name]) <= documented


@pytest.mark.parametrize("name", [name for name, kind in CLASSES.items() if issubclass(kind, Construct)])
def test_the_tree_names_a_construct_as_programs_import_it(name: str) -> None:
    assert public_name(CLASSES[name]) == name


def test_the_import_is_light() -> None:
    """A program that only builds loads no template engine, no command line, no Ansible."""
    code = "import sys, mlkeys, mlkeys.transit; print(*sys.modules)"
    # Measuring coverage would load some of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    heavy = {
        "jinja2",
        "click",
        "ansible",
        "yaml",
        "hvac",
        "requests",
        "asyncio",
        "http",
        "urllib.request",
        "subprocess",
        "typing_extensions",
    }
    assert not heavy & set(run.stdout.split())
