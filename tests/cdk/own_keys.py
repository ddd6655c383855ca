# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A program with imported keys, data keys and signatures, for the golden files and a real deployment."""

from __future__ import annotations

from mlkeys import App, Secret, Stack, export
from mlkeys import transit as vault

app = App(targets=["ansible"])
with Stack(app, "own-keys"):
    engine = vault.TransitSecretBackend("engine", path="own-keys")
    artefacts = vault.TransitSecretBackendKey(
        "artefacts",
        backend=engine.path,
        name="artefacts",
        type="ed25519",
        material=vault.KeyMaterial(Secret.file("artefacts.pem"), passphrase=Secret.env("ARTEFACTS_PASSPHRASE")),
    )
    archive = vault.TransitSecretBackendKey(
        "archive",
        backend=engine.path,
        name="archive",
        type="aes256-gcm96",
        derived=True,
        auto_rotate_period="90d",
        material=vault.KeyMaterial(Secret.env("ARCHIVE_KEY"), encoding="hex", allow_rotation=True),
    )
    data_key = archive.datakey("archive_2026")
    small = archive.datakey("cache", bits=128)
    release = f"release 1.0 for {archive.name}, in '{{braces}}'"
    signature = artefacts.sign(release)
    checked = artefacts.verify(release, signature)

    export("signature", signature)
    export("valid", checked.valid)
    export("data_key", data_key)
    export("opened", archive.decrypt(data_key))
