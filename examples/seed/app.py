# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""An engine, a key, and an API key encrypted with it. Run it with: mlkeys deploy app.py"""

from mlkeys import Secret, export
from mlkeys import transit as vault

transit = vault.TransitSecretBackend(
    "transit", path="transit", description="Transit backend for encrypting ML API keys"
)
ml_api_key = vault.TransitSecretBackendKey("ml-api-key", backend=transit.path, name="ml-api-key", type="aes256-gcm96")
ciphertext = ml_api_key.encrypt(Secret.env("ML_API_KEY"))
export("ciphertext", ciphertext.ciphertext)
decrypted = ml_api_key.decrypt(ciphertext.ciphertext)
export("decrypted_plaintext", decrypted.plaintext)  # sensitive: shown only on request, never written
