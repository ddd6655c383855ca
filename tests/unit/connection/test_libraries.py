# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries that may be missing are imported on use, and named when they are missing."""

from __future__ import annotations

import sys

import pytest
import ruamel.yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import LibraryMissing
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.libraries import library

from tests.support.chains import printed_with


def test_an_installed_library_is_returned() -> None:
    assert library("ruamel.yaml") is ruamel.yaml


@pytest.mark.parametrize("name", ["cryptography", "hvac", "ruamel.yaml", "pyrage"])
def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # What Python does for a module that is not installed.
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(LibraryMissing) as error:
        library(name)
    assert error.value.library == name
    assert error.value.message.endswith(error.value.remedy)
    assert error.value.remedy == (
        f" Install it: pip install {name}; in an execution environment, add {name} to its Python dependencies."
    )
    assert printed_with(error.value) == []


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("botocore.session", "botocore", "aws"),
        ("azure.identity", "azure-identity", "azure"),
        ("google.auth", "google-auth", "gcp"),
    ],
)
def test_a_missing_library_of_a_cloud_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(LibraryMissing) as error:
        library(module)
    assert (error.value.library, error.value.extra) == (package, extra)
    assert error.value.remedy == (
        f" Install it: pip install {package}, or pip install 'mlkeys[{extra}]'; in an execution environment, add "
        f"{package} to its Python dependencies."
    )
