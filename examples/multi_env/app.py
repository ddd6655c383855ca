# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""One description for three environments, and rules that apply to all of them. Run it with: mlkeys deploy app.py"""

from mlkeys import Annotations, App, Construct, Duration, Secret, Stack, export
from mlkeys import transit as vault

ROTATION = {"dev": None, "stage": Duration.days(90), "prod": Duration.days(30)}


class ModelKeys(Stack):
    """The keys of one environment, in an engine of its own."""

    def __init__(self, scope: Construct, env: str) -> None:
        super().__init__(scope, env, description=f"Keys of ML providers for {env}")
        engine = vault.TransitSecretBackend(self, "engine", path=f"{env}/transit", description=f"ML keys ({env})")
        key = vault.TransitSecretBackendKey(
            self,
            "providers",
            backend=engine.path,
            name=f"{env}-providers",
            derived=True,
            auto_rotate_period=ROTATION[env],
        )
        secret = Secret.env(f"{env.upper()}_OPENAI_API_KEY")
        export("openai", key.encrypt(secret, name="openai_api_key"))

        ci = vault.Policy(self, "ci", name=f"{env}-ci", description=f"What the pipelines of {env} may do")
        key.grant_encrypt(ci)
        key.grant_rewrap(ci)


class Protect:
    """An aspect: protect keys from deletion in prod only."""

    def __init__(self, *, deletable: bool) -> None:
        self.deletable = deletable

    def visit(self, construct: Construct) -> None:
        if isinstance(construct, vault.TransitSecretBackendKey):
            construct.configure(deletion_allowed=self.deletable)


class MustRotate:
    """A rule: warn about keys that never rotate. A stack can acknowledge the warning."""

    def visit(self, construct: Construct) -> None:
        if isinstance(construct, vault.TransitSecretBackendKey) and "auto_rotate_period" not in construct.values:
            Annotations.of(construct).warning("rotation", "this key is never rotated")


app = App()
stacks = {env: ModelKeys(app, env) for env in ROTATION}
for env, stack in stacks.items():
    stack.node.add_aspect(Protect(deletable=env != "prod"))
app.node.add_aspect(MustRotate(), priority=200)
Annotations.of(stacks["dev"]).acknowledge("rotation")
stacks["prod"].node.add_dependency(stacks["stage"])
app.synth()
