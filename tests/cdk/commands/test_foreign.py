# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a deployment makes, and what it finds on the server: whose it is, who may change it, and who deletes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlkeys._record.record import Made, parsed
from tests.cdk.commands.sites import Site

ONE_KEY = """
t = vault.TransitSecretBackend("t", path="ENGINE")
k = vault.TransitSecretBackendKey("k", backend=t.path, name="NAME", derived=True, deletion_allowed=True)
k.encrypt(Secret.generated(), name="master_key")
"""


def made(site: Site, stack: str = "app") -> Made:
    return parsed((site.folder / "mlkeys.state" / stack / "record.json").read_text()).made


def test_a_key_that_a_move_made_is_deleted_with_its_program(site: Site) -> None:
    first, second = f"{site.engine}/first", f"{site.engine}/second"
    site.write(ONE_KEY.replace("NAME", "first"))
    site.run("deploy")
    site.write(ONE_KEY.replace("NAME", "second"))
    site.run("move", first, second)
    assert made(site).keys == {first, second}
    assert site.changes() == 0
    # What left the program is deleted by its name, and the server says that it may be.
    site.write('t = vault.TransitSecretBackend("t", path="ENGINE")')
    site.run("deploy", "--delete-keys", first)
    assert site.names(f"{site.engine}/keys") == {"second"}
    site.run("destroy", "--yes")
    assert site.bao.request("GET", f"sys/mounts/{site.engine}")[0] == 400


MANY = """
t = vault.TransitSecretBackend("t", path="ENGINE")
auth = vault.AppRoleAuth("auth", path="ENGINE")
for n in "123":
    key = vault.TransitSecretBackendKey(f"k{n}", backend=t.path, name=f"k{n}", deletion_allowed=True)
    enc = key.encrypt(Secret.env(f"KEY_{n}"))
    key.encrypt(Secret.generated(), name=f"master_{n}")
    key.grant_decrypt(vault.AppRole(f"r{n}", name=f"ENGINEr{n}", backend=auth.path))
    key.grant_encrypt(vault.Policy(f"ENGINEp{n}"))
"""


def test_a_program_with_many_of_each_kind_is_destroyed(site: Site) -> None:
    site.write(MANY)
    site.run("deploy")
    shown = " ".join(site.run("destroy", "--yes")[0].split())
    assert "Ciphertexts in 3 files deleted" in shown, shown
    assert "3 keys deleted" in shown, shown
    assert not (site.folder / "mlkeys.state").exists()
    assert site.bao.request("GET", f"sys/mounts/{site.engine}")[0] == 400
    assert not [name for name in site.names("sys/policies/acl") if name.startswith(site.engine)]


def test_a_move_to_a_key_of_somebody_else_does_not_claim_it(site: Site) -> None:
    first, second = f"{site.engine}/first", f"{site.engine}/second"
    site.write(ONE_KEY.replace("NAME", "first"))
    site.run("deploy")
    site.bao.done("POST", second.replace("/", "/keys/"), {"derived": True})
    site.write(ONE_KEY.replace("NAME", "second"))
    stored = site.decrypted()
    refused = site.run("move", first, second, status=1)[1]
    assert f"the server has key {second} (deletion_allowed), and mlkeys.state/app does not" in refused
    assert site.decrypted() == stored
    site.bao.done("POST", f"{site.engine}/keys/second/config", {"deletion_allowed": True})
    site.run("move", first, second)
    assert made(site).keys == {first}
    assert [*site.decrypted().values()] == [*stored.values()]


def test_keys_that_left_the_program_and_do_not_allow_deletion_are_named(site: Site) -> None:
    text = ONE_KEY.replace("NAME", "first").replace(", deletion_allowed=True", "")
    site.write(text)
    site.run("deploy")
    refused = site.run("destroy", "--yes", status=1)[1]
    assert f"{site.engine}/first. Set deletion_allowed=True and deploy, or give --protected-keys." in refused
    # The program alone changes nothing.
    site.write(ONE_KEY.replace("NAME", "first"))
    assert "Set deletion_allowed=True and deploy" in site.run("destroy", "--yes", status=1)[1]
    site.write('t = vault.TransitSecretBackend("t", path="ENGINE")')
    refused = site.run("destroy", "--yes", status=1)[1]
    assert f"do not allow deletion: {site.engine}/first. Give --protected-keys." in refused
    for answer in ("n\n", "\n", ""):
        asked = " ".join(site.run("destroy", "--protected-keys", status=1, stdin=answer)[1].split())
        assert "Destroy app with 1 key, 1 engine, and lose everything that was ever encrypted with these keys?" in asked
        assert "Nothing was destroyed." in asked
    assert site.names(f"{site.engine}/keys") == {"first"}
    site.bao.done("DELETE", f"sys/mounts/{site.engine}")
    # What is gone already does not stand in the way.
    site.run("destroy", "--yes")
    assert not (site.folder / "mlkeys.state").exists()


ENGINE = 'vault.TransitSecretBackend("t", path="ENGINE"'
KEY = 'vault.TransitSecretBackendKey("k", backend="ENGINE", name="one"'
CACHE = 'vault.TransitSecretCacheConfig("c", backend="ENGINE", size=500)'
AUTH = 'vault.AppRoleAuth("a", path="ENGINE"'


@pytest.mark.parametrize(
    ("theirs", "ours", "differing"),
    [
        ([ENGINE + ")"], [ENGINE + ', description="mine")'], "engine {} (description)"),
        ([ENGINE + ", disable_upsert=False)"], [ENGINE + ")"], "engine {} (disable_upsert)"),
        ([ENGINE + ")"], [ENGINE + ")", CACHE], "engine {} (cache_size)"),
        ([ENGINE + ")", KEY + ")"], [KEY + ", exportable=True)"], "key {}/one (exportable)"),
        (
            [ENGINE + ")", KEY + ")"],
            [KEY + ", allow_plaintext_backup=True, auto_rotate_period='30d')"],
            "key {}/one (allow_plaintext_backup, auto_rotate_period)",
        ),
        ([ENGINE + ")", KEY + ", type='ed25519')"], [KEY + ", type='aes256-gcm96')"], "key {}/one (type is"),
        ([AUTH + ")"], [AUTH + ", description='mine')"], "auth method {} (description)"),
    ],
    ids=["description", "upsert", "cache", "exportable", "two-attributes", "type", "auth-method"],
)  # fmt: skip
def test_nothing_of_another_program_is_changed(
    site: Site, tmp_path: Path, theirs: list[str], ours: list[str], differing: str
) -> None:
    site.write("\n".join(theirs))
    site.run("deploy")
    before = state(site)
    other = Site(site.bao, site.engine, tmp_path / "other")
    other.folder.mkdir()
    other.write("\n".join(ours), "other.py")
    for command in ("diff", "deploy"):
        refused = other.run(command, "other.py", status=1)[1]
        assert f"the server has {differing.format(site.engine)}" in refused
        assert "somebody else made it" in refused
    assert state(site) == before
    assert not (other.folder / "mlkeys.state").exists()
    # As it is, it may be used, and stays theirs.
    other.write("\n".join(theirs), "other.py")
    assert "0 created, 0 changed" in other.run("deploy", "other.py")[0]
    assert not made(other, "other")
    site.run("destroy", "--yes", "--protected-keys")


def test_what_was_taken_over_may_be_changed(site: Site, tmp_path: Path) -> None:
    site.write(f"{ENGINE})\n{KEY})")
    site.run("deploy")
    other = Site(site.bao, site.engine, tmp_path / "other")
    other.folder.mkdir()
    other.write(f"{KEY}, deletion_allowed=True)", "other.py")
    assert "--adopt" in other.run("deploy", "other.py", status=1)[1]
    assert "1 changed" in other.run("deploy", "other.py", "--adopt")[0]
    assert made(other, "other").keys == {f"{site.engine}/one"}


def state(site: Site) -> Any:
    """What the server says of the engine, its keys and the auth method of the same name."""
    paths = ["keys/one", "config/keys", "cache-config"]
    answers = [site.bao.request("GET", f"{site.engine}/{path}") for path in paths]
    answers += [site.bao.request("GET", f"sys/{kind}/{site.engine}") for kind in ("mounts", "auth")]
    return [(status, body.get("data")) for status, body in answers]


def test_another_name_of_the_program_is_compared(site: Site) -> None:
    text = 's = Stack(App(), "prod")\nvault.Policy(s, "ENGINEp").allow("ENGINE", "read")\n'
    site.write(text)
    site.run("deploy")
    (site.folder / "app.py").rename(site.folder / "renamed.py")
    assert "1 to change" in site.run("diff", "--fail", "renamed.py", status=2)[0]
    assert site.changes("renamed.py") == 1
    assert site.changes("renamed.py") == 0
    site.run("destroy", "renamed.py", "--yes")


def test_policies_of_a_lost_record_are_named(site: Site) -> None:
    text = ONE_KEY.replace("NAME", "one")
    site.write(text + 'k.grant_decrypt(vault.Policy("p", name="ENGINEp"))\n')
    site.run("deploy")
    owner = parsed((site.folder / "mlkeys.state" / "app" / "record.json").read_text()).owner
    (site.folder / "mlkeys.state" / "app" / "record.json").unlink()
    site.write(text)
    for command in ("diff", "deploy"):
        shown = site.run(command)[1]
        assert (
            f"Note: the policies {site.engine}p on the server are of a program app.py, stack app, owner {owner}"
            in shown
        )
    # From then on there is a record, and it says who this is.
    assert "Note: the policies" not in site.run("deploy")[1]
    site.bao.done("DELETE", f"sys/policies/acl/{site.engine}p")
    site.run("destroy", "--yes")
