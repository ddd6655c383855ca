# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Encrypt to the public keys of people, and decrypt with a private one, in memory. **Private** to the collection.

`age <https://age-encryption.org>`_ through its Python library, GnuPG through its program and pipes: the plaintext is
never in a file, an argument or the environment.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.libraries import library

_AGE = "-----BEGIN AGE ENCRYPTED FILE-----"
_GPG = "-----BEGIN PGP MESSAGE-----"

_SECRET = re.compile(r"AGE-SECRET-KEY|AGE-PLUGIN|PRIVATE KEY", re.IGNORECASE)
_FINGERPRINT = re.compile(r"(?:[0-9A-F]{40}|[0-9A-F]{64})", re.IGNORECASE)


@dataclass(frozen=True)
class Keyring:
    """Where private keys are.

    Attributes:
        age_identity: the text of an age identity or an SSH private key.
        age_identity_file: a file with such a text.
        gpg_binary: name or path of the program.
        gpg_home: GnuPG's home folder, empty for its own default.
    """

    age_identity: str = field(default="", repr=False)
    age_identity_file: str = ""
    gpg_binary: str = "gpg"
    gpg_home: str = ""
    gpg_passphrase: str = field(default="", repr=False)


def keyring_from(options: Mapping[str, Any]) -> Keyring:
    """The keys that the options of a module name."""
    given = {name: str(options[name]) for name in Keyring.__dataclass_fields__ if options.get(name)}
    return Keyring(**given)


def misplaced_secrets(recipients: Iterable[Any]) -> list[str]:
    """Private keys among what should be public keys, to mask them in all output."""
    return [text for text in map(str, recipients) if _SECRET.search(text)]


@dataclass(frozen=True)
class Recipients:
    """Who can decrypt.

    Attributes:
        names: public keys or their fingerprints, as the header of a backup lists them.
    """

    names: tuple[str, ...]
    keyring: Keyring
    by_gpg: bool

    def seal(self, content: bytes) -> str:
        """The content as text that only the recipients can read.

        Raises:
            InvalidOption: a recipient is invalid.
            LibraryMissing: the library of age is missing.
        """
        if self.by_gpg:
            return _gpg_encrypt(content, self.names, self.keyring)
        return _age_encrypt(content, self.names)


def recipients_from(given: Sequence[Any], keyring: Keyring) -> Recipients:
    """The recipients: age's, SSH public keys, or full fingerprints of keys that GnuPG has.

    Raises:
        InvalidOption: one of them is something else, there is none, or they are not all of one kind.
    """
    if misplaced_secrets(given):
        raise InvalidOption(
            "recipients: one of them is a private key. Use the public key that belongs to it, and consider the private "
            "key known to anyone who can read this."
        )
    lines = [str(text).strip() for text in given]
    names = [_plain(line) for line in lines if line and not line.startswith("#")]
    if not names:
        raise InvalidOption("recipients is empty: a backup is only ever written encrypted to somebody.")
    by_gpg = [_FINGERPRINT.fullmatch(name) is not None for name in names]
    unknown = [
        name
        for name, gpg in zip(names, by_gpg)
        if not gpg and not name.startswith(("age1", "ssh-ed25519 ", "ssh-rsa "))
    ]
    if unknown:
        raise InvalidOption(
            f"recipients: '{unknown[0]}' is neither a recipient of age (age1…), nor an SSH public key (ssh-ed25519 …, "
            "ssh-rsa …), nor the full fingerprint of a key that GnuPG has (40 or 64 hexadecimal digits). Names and "
            "addresses are not accepted: anybody can make a key with them."
        )
    if len(set(by_gpg)) > 1:
        raise InvalidOption(
            "recipients: either all or none of them must be GnuPG's: the file is encrypted with one tool."
        )
    return Recipients(tuple(sorted(set(names))), keyring, by_gpg[0])


def _plain(line: str) -> str:
    """A recipient without the comment of an SSH key, a fingerprint in upper case without blanks."""
    if line.startswith("ssh-"):
        return " ".join(line.split()[:2])
    joined = "".join(line.split())
    return joined.upper() if _FINGERPRINT.fullmatch(joined) else line


def opened(sealed: str, keyring: Keyring, path: str) -> bytes:
    """The plaintext.

    Args:
        path: of the file, for messages.

    Raises:
        InvalidOption: it is damaged, or encrypted to others.
        LibraryMissing: the library of age is missing.
    """
    if sealed.startswith(_AGE):
        return _age_decrypt(sealed, keyring, path)
    if sealed.startswith(_GPG):
        return _gpg_decrypt(sealed, keyring, path)
    raise InvalidOption(f"{path} is damaged: what follows its header is encrypted neither with age nor with GnuPG.")


# age


def _age_encrypt(content: bytes, names: Sequence[str]) -> str:
    age = library("pyrage")
    recipients = []
    for name in names:
        kind = age.ssh if name.startswith("ssh-") else age.x25519
        try:
            recipients.append(kind.Recipient.from_str(name))
        except age.RecipientError:
            break
    if len(recipients) < len(names):
        raise InvalidOption(f"recipients: '{names[len(recipients)]}' is mistyped or cut off: age does not accept it.")
    return str(age.encrypt(content, recipients, armored=True).decode("ascii"))


def _age_decrypt(sealed: str, keyring: Keyring, path: str) -> bytes:
    age = library("pyrage")
    identities = _identities(age, keyring)
    try:
        return bytes(age.decrypt(sealed.strip().encode("utf-8") + b"\n", identities))
    except age.DecryptError as error:
        is_for_others = any("No matching keys" in str(word) for word in error.args)
    if is_for_others:
        raise InvalidOption(
            f"{path} is encrypted to others: the given age identity is not one of its recipients, which its header "
            "lists."
        )
    raise InvalidOption(f"{path} is damaged: age cannot decrypt it. Take another backup.")


def _identities(age: Any, keyring: Keyring) -> list[Any]:
    text = keyring.age_identity
    where = "age_identity"
    if not text:
        if not keyring.age_identity_file:
            raise InvalidOption(
                "The backup is encrypted with age: set age_identity_file (MLKEYS_AGE_IDENTITY_FILE) or "
                "age_identity (MLKEYS_AGE_IDENTITY)."
            )
        where = keyring.age_identity_file
        text = _identity_file(where)
    try:
        if "PRIVATE KEY-----" in text:
            found = [age.ssh.Identity.from_buffer(text.strip().encode("utf-8") + b"\n")]
        else:
            lines = (line.strip() for line in text.splitlines())
            found = [age.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (age.IdentityError, UnicodeError):
        found = []
    if not found:
        raise InvalidOption(
            f"{where} holds no age identity (AGE-SECRET-KEY-1…) and no SSH private key without a passphrase."
        )
    return found


def _identity_file(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        problem = error.strerror or "unknown error"
        raise InvalidOption(f"age_identity_file {path} cannot be read: {problem}.") from None
    except UnicodeDecodeError:
        raise InvalidOption(f"age_identity_file {path} cannot be read: it is not text.") from None


# GnuPG


def _gpg_encrypt(content: bytes, names: Sequence[str], keyring: Keyring) -> str:
    # A full fingerprint identifies the key, so GnuPG need not trust the name on it.
    arguments = ["--trust-model", "always", "--armor", "--encrypt"]
    for name in names:
        arguments += ["--recipient", name]
    sealed, said = _gpg(arguments, content, keyring)
    if sealed is not None:
        return sealed.decode("ascii")
    refused = re.search(r"^\[GNUPG:\] INV_RECP (\d+) (\S+)", said, re.MULTILINE)
    if refused:
        problem = _REFUSALS.get(refused.group(1), "it cannot be encrypted to")
        raise InvalidOption(f"recipients: GnuPG does not accept {refused.group(2)}: {problem}.")
    raise InvalidOption(f"GnuPG ({keyring.gpg_binary}) did not encrypt. Try: gpg --encrypt --recipient {names[0]}")


# The reasons of INV_RECP, by their numbers in GnuPG's document doc/DETAILS.
_REFUSALS = {
    "0": "it has no usable key of that fingerprint for encryption. Import it (gpg --import)",
    "1": "it has no key of that fingerprint. Import it (gpg --import)",
    "4": "it is revoked",
    "5": "it is expired",
    "13": "it is disabled",
}


def _gpg_decrypt(sealed: str, keyring: Keyring, path: str) -> bytes:
    content, said = _gpg(["--decrypt"], sealed.encode("utf-8"), keyring, passphrase=keyring.gpg_passphrase)
    if content is not None and "[GNUPG:] GOODMDC" in said:
        return content
    if "[GNUPG:] ERROR pkdecrypt" in said:
        raise InvalidOption(
            f"{path}: GnuPG could not use the private key. Unlock it (gpg-agent), or set gpg_passphrase."
        )
    if "[GNUPG:] NO_SECKEY" in said and "[GNUPG:] DECRYPTION_KEY" not in said:
        raise InvalidOption(
            f"{path} is encrypted to others: GnuPG has no private key of its recipients, which its header lists. Check "
            "gpg_home."
        )
    raise InvalidOption(f"{path} is damaged: GnuPG cannot decrypt it. Take another backup.")


def _gpg(
    arguments: Sequence[str], content: bytes, keyring: Keyring, *, passphrase: str = ""
) -> tuple[bytes | None, str]:
    """The program's output, ``None`` if it failed, and its status messages."""
    program = shutil.which(keyring.gpg_binary)
    if program is None:
        raise InvalidOption(f"The program {keyring.gpg_binary} was not found. Install GnuPG, or set gpg_binary.")
    command = [program, "--batch", "--no-tty", "--status-fd", "2"]
    if keyring.gpg_home:
        command += ["--homedir", os.path.expanduser(keyring.gpg_home)]
    with contextlib.ExitStack() as opened_pipes:
        pipe: tuple[int, ...] = ()
        if passphrase:
            reading = opened_pipes.enter_context(_pipe(passphrase.encode("utf-8") + b"\n"))
            command += ["--pinentry-mode", "loopback", "--passphrase-fd", str(reading)]
            pipe = (reading,)
        done = subprocess.run(
            [*command, *arguments],
            input=content,
            capture_output=True,
            pass_fds=pipe,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    return done.stdout if done.returncode == 0 else None, done.stderr.decode("utf-8", "replace")


@contextlib.contextmanager
def _pipe(content: bytes) -> Iterator[int]:
    """The reading end of a pipe that holds this content, which is short enough to fit in."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "wb") as file:
            file.write(content)
        yield reading
    finally:
        os.close(reading)
