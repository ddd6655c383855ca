# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The same as app.py with classes, for larger programs. Run it with: mlkeys deploy classes.py"""

from mlkeys import App, Construct, Secret, Stack, export
from mlkeys import transit as vault


class MlKeys(Stack):
    """An engine, a key, and an API key encrypted with it."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        transit = vault.TransitSecretBackend(
            self, "transit", path="transit", description="Transit backend for encrypting ML API keys"
        )
        ml_api_key = vault.TransitSecretBackendKey(
            self, "ml-api-key", backend=transit.path, name="ml-api-key", type="aes256-gcm96"
        )
        ciphertext = ml_api_key.encrypt(Secret.env("ML_API_KEY"))
        export("ciphertext", ciphertext)
        export("decrypted_plaintext", ml_api_key.decrypt(ciphertext))


app = App()
MlKeys(app, "ml-keys")
app.synth()
