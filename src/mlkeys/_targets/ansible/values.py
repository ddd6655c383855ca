# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Values of a program as values of a playbook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from mlkeys._analysis.view import View
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.inventory import Template
from mlkeys._constructs.signing import Signature
from mlkeys._model.attributes import Value
from mlkeys._model.data import mapped
from mlkeys._model.duration import Duration
from mlkeys._model.element import Element
from mlkeys._model.marks import Target, has_marks, parts
from mlkeys._model.secret import DataKeySecret, EnvSecret, FileSecret, GeneratedSecret, KvSecret, PromptSecret, Secret
from mlkeys._model.stack import Stack
from mlkeys._targets.ansible import jinja
from mlkeys._targets.ansible.jinja import Expression, literal
from mlkeys._targets.ansible.yaml import Yaml
from mlkeys._targets.names import MOVED, NEW_VALUES_OF, variable_name
from mlkeys._targets.state_names import folder_of, vars_file_of

LOOKUP = "mlkeys.transit.vault_transit"
#: The test for a ciphertext. In check mode, a new secret has another text.
IS_CIPHERTEXT = "mlkeys.transit.ciphertext"
#: What stands for a value that a check cannot know.
UNKNOWN = "'(known after deployment)'"
#: What a check knows of stored ciphertexts: those that stay, and those whose value stays.
STAYING = "ciphertexts_that_stay"
SAME = "ciphertexts_of_same_values"
#: Bytes of a line that a terminal gives to a program such as Ansible, which lets it edit lines. It drops the others.
_LONGEST_LINE = 4095


class Values:
    """Renders the values of a stack, for the play on the controller or (`on_hosts`) for those on hosts."""

    def __init__(self, view: View, stack: Stack, program_folder: str, *, on_hosts: bool = False) -> None:
        self.view = view
        self.stack = stack
        self.program_folder = program_folder
        self._on_hosts = on_hosts
        self._names_by_key: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
        self._known_texts: dict[str, str] = {}
        #: The variable with the results of keys that a task makes together, and the place of each among them.
        self.key_places: Mapping[Element, tuple[str, int]] = {}
        #: The variable with the results of the task that writes a file of ciphertexts, alone or with others.
        self.file_results: Mapping[Element, str] = {}

    @cached_property
    def keys_of_files(self) -> frozenset[Element]:
        """The keys of the encrypted vars files of the stack."""
        return frozenset(file.key for file in self.view.of_kind(self.stack, EncryptedVars))

    @cached_property
    def _files_by_key(self) -> dict[tuple[str, str], list[EncryptedVars]]:
        found: dict[tuple[str, str], list[EncryptedVars]] = {}
        for file in self.view.of_kind(self.stack, EncryptedVars):
            found.setdefault(self.key_of(file), []).append(file)
        return found

    def files_of_key(self, file: EncryptedVars) -> Sequence[EncryptedVars]:
        """Return the files of the stack with the same key as this one, which are one file."""
        return self._files_by_key[self.key_of(file)]

    def key_of(self, file: EncryptedVars) -> tuple[str, str]:
        """Return the engine and the name of the key of a file."""
        return self.view.text(str(file.key.backend)).strip("/"), self.view.text(str(file.key.name))

    def entries_of_key(self, file: EncryptedVars) -> list[Encrypted]:
        """Return the secrets of all files of the stack with the same key as this one."""
        return [entry for one in self.files_of_key(file) for entry in one.entries]

    def names_of_key(self, file: EncryptedVars) -> tuple[list[str], list[str]]:
        """Return the names of the secrets of all files of the stack with the same key as this one.

        Returns:
            Those that are given, and the random ones: one list of each for all files of a key, since the output would
            otherwise grow with the square of their number.
        """
        key = self.key_of(file)
        if key not in self._names_by_key:
            entries = self.entries_of_key(file)
            random = {entry.name for entry in entries if isinstance(entry.plaintext, GeneratedSecret)}
            given = {entry.name for entry in entries} - random
            self._names_by_key[key] = (sorted(given), sorted(random))
        return self._names_by_key[key]

    def file_of_entry(self, entry: Encrypted) -> str:
        """Return the path of the file with the ciphertext of a secret, relative to the project."""
        backend, key = (self.view.text(str(name)) for name in (entry.key.backend, entry.key.name))
        return self.state(vars_file_of(backend, key))

    def state(self, file: str) -> str:
        """Return the path of a file of what must last, relative to the project."""
        return f"{self.program_folder}/{folder_of(self.stack.stored_as)}/{file}"

    def text(self, text: str) -> str | Template:
        """Return a text as the value of an option."""
        text = str(text)
        if not has_marks(text):
            return text
        if text in self._known_texts:
            return self._known_texts[text]
        value = jinja.value(parts(text), self.meaning)
        if isinstance(value, str):
            # What only deployment knows depends on which task makes it.
            self._known_texts[text] = value
        return value

    def expression(self, text: str) -> str:
        """Return a text as an expression."""
        return jinja.expression(parts(text), self.meaning)

    def pieces(self, text: str) -> list[str | Expression]:
        """Split a text into known text and expressions."""
        return jinja.joined([part if isinstance(part, str) else self.meaning(part) for part in parts(text)])

    def plain(self, value: Value) -> Yaml:
        """Return an attribute as the value of an option."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Duration):
            return str(value)
        plain: Yaml = self.data(value)
        return plain

    def data(self, data: Any) -> Any:
        """Render nested data: strings are literal, templates and references are rendered."""
        if isinstance(data, Template):
            return data
        if isinstance(data, dict):
            return {str(name): self.data(value) for name, value in data.items()}
        if isinstance(data, (list, tuple)):
            return [self.data(value) for value in data]
        return self.text(data) if isinstance(data, str) else data

    def raw(self, data: Any) -> Any:
        """Render references in nested data whose strings are templates already."""
        return mapped(data, self._raw_text)

    def _raw_text(self, text: str) -> Template | str:
        done = []
        for part in parts(text):
            meant = part if isinstance(part, str) else self.meaning(part)
            done.append(meant if isinstance(meant, str) else f"{{{{ {meant.code} }}}}")
        joined = "".join(done)
        return Template(joined) if "{" in joined else joined

    def meaning(self, target: Target) -> str | Expression:
        """Return what a reference stands for."""
        pointer = self.view.pointer(target)
        if pointer is None:
            raise ValueError(f"{target.path} has no {target.attribute}")
        element, attribute = pointer.element, pointer.attribute
        if isinstance(element, Encrypted):
            is_here = self.view.stack_of[element] is self.stack
            return Expression(element.name if is_here else self._elsewhere(element), ciphertext=True)
        if isinstance(element, Decrypted):
            return Expression(self._decrypting(element), plaintext=True)
        if isinstance(element, Signature):
            return Expression(self._signature(element))
        if pointer.runtime:
            # In check mode nothing is known of what does not exist yet.
            return Expression(f"({self._key(element)}).{attribute} | default({UNKNOWN})")
        return self.view.text(str(element.known(attribute)))

    def _elsewhere(self, element: Encrypted) -> str:
        """Return an expression for a ciphertext of another stack, which is deployed before this one."""
        stack = self.view.stack_of[element]
        if stack is None:
            raise ValueError(f"{element.node.path} is in no stack")
        file = Values(self.view, stack, self.program_folder).file_of_entry(element)
        path = f"playbook_dir ~ {literal(f'/{file}')}"
        found = f"lookup('ansible.builtin.file', {path}) | from_yaml"
        # The file may be older than a secret that comes into it.
        there = f"({path}) is file and (not ansible_check_mode or '{element.name}' in {found})"
        there += f" and '{element.name}' not in {NEW_VALUES_OF}[{literal(stack.node.id)}] | default([])"
        return f"(({found}).{element.name} if {there} else {UNKNOWN})"

    def _key(self, key: Element) -> str:
        if key in self.key_places:
            return f"{self.key_result(key)}.key | default({{}}, true)"
        variable = self.register(key)
        found = f"hostvars['localhost'].{variable}" if self._on_hosts else variable
        return f"{found}.transit_keys | default([]) | first | default({{}})"

    def key_result(self, key: Element) -> str:
        """Return an expression for the result of a key, undefined where the task was skipped."""
        name, number = self.key_places[key]
        variable = f"hostvars['localhost'].{name}" if self._on_hosts else name
        return f"{variable}.results[{number}]"

    def results_of(self, files: Iterable[Element]) -> list[str]:
        """Return expressions for the results of the tasks that write files of ciphertexts, each once."""
        names = dict.fromkeys(self.file_results[file] for file in files)
        return [f"hostvars['localhost'].{name}" if self._on_hosts else name for name in names]

    def register(self, element: Element) -> str:
        """Return the variable that holds the result of a task."""
        return variable_name(f"{self.name(element)}/result")

    def name(self, element: Element) -> str:
        """Return the path of an element within its stack, or the whole path of one in another stack."""
        return element.node.path.removeprefix(f"{self.stack.node.path}/")

    def _decrypting(self, element: Decrypted) -> str:
        options: dict[str, str] = {"key": element.key.name, "backend": element.key.backend}
        context = element.effective_context()
        if context is not None and element.key.takes_context:
            options["context"] = context
        named = ", ".join(f"{name}={self.expression(value)}" for name, value in options.items())
        ciphertext = self.expression(element.text)
        source = element.source()
        if source is None:
            return f"lookup('{LOOKUP}', {ciphertext}, {named})"
        if self.view.stack_of[source] is self.stack:
            # What a deployment rewraps has the same value.
            ciphertext = f"{SAME}.{source.name} | default({ciphertext})"
        found = f"lookup('{LOOKUP}', {ciphertext}, {named})"
        # Check mode encrypts nothing, so there is no ciphertext of a new secret to decrypt.
        ciphertext = f"({ciphertext})"
        stack = self.view.stack_of[source]
        if may_move(source) and stack is not None:
            moved = f"{self.moved(stack)}.{source.name}"
            given = ", ".join(f"{name}={moved}.{name}" for name in ("key", "backend", "context"))
            found = f"lookup('{LOOKUP}', {moved}.value, {given}) if {moved} is defined else {found}"
        return f"({found} if not ansible_check_mode or {ciphertext} is {IS_CIPHERTEXT} else {UNKNOWN})"

    def moved(self, stack: Stack) -> str:
        """Return an expression for the secrets of a stack that a deployment moves, undefined where none does."""
        return f"{MOVED}[{literal(stack.node.id)}]"

    def _signature(self, element: Signature) -> str:
        """Return an expression that signs a text, or checks a signature."""
        options: dict[str, str] = {"key": element.key.name, "backend": element.key.backend}
        if element.context is not None:
            options["context"] = element.context
        options |= {name: str(value) for name, value in element.options.items()}
        named = ", ".join(f"{name}={self.expression(value)}" for name, value in options.items())
        term = self.expression(element.text)
        if element.signature is not None:
            term = f"{{'value': {term}, 'signature': {self.expression(element.signature)}}}"
        return f"lookup('{LOOKUP}', {term}, operation='{element.OPERATION}', {named})"

    def plaintext(self, element: Encrypted, key_was_there: str = "true") -> Template:
        """Return a template that reads a secret from its source.

        It is empty if the source is missing, which keeps a stored ciphertext.

        Args:
            key_was_there: the condition that the key existed before the run. A new key decrypts no stored ciphertext.
        """
        source = element.plaintext
        if isinstance(source, Secret):
            code = self._finding(element, source, key_was_there)
        else:
            code = self.expression(source_text(source))
        return Template(f"{{{{ {code} }}}}")

    def material(self, source: Secret) -> Template:
        """Return a template that reads material, or its passphrase. It is empty if the source is missing."""
        return Template(f"{{{{ {self._finding(None, source, 'true')} }}}}")

    def _finding(self, element: Encrypted | None, secret: Secret, key_was_there: str) -> str:
        if isinstance(secret, EnvSecret):
            missing = _missing(f"Set {secret.variable}", key_was_there)
            return f"lookup('ansible.builtin.env', {literal(secret.variable)}, default={missing})"
        if isinstance(secret, FileSecret):
            path = self._program_file(secret.path)
            found = f"lookup('ansible.builtin.file', {path})"
            return f"{found} if ({path}) | expanduser is file else {_missing(f'Write {secret.path}', key_was_there)}"
        if isinstance(secret, PromptSecret) and element is not None:
            # Without a terminal nobody is asked, and the answer is the string "None".
            answer = prompt_variable(element)
            missing = _missing(f"Answer the question for {element.name}, on a terminal", key_was_there)
            hint = literal(
                f"The terminal has cut the answer for {element.name} after {_LONGEST_LINE} bytes. Use Secret.file"
            )
            is_cut = f"({answer} | string).encode() | length == {_LONGEST_LINE}"
            return f"undef(hint={hint}) if {is_cut} else {answer} if {answer} not in ['', 'None'] else {missing}"
        if isinstance(secret, KvSecret):
            return stored_in_kv(secret.mount, secret.path, secret.field)
        if isinstance(secret, DataKeySecret) and element is not None:
            options = {"key": element.key.name, "backend": element.key.backend}
            context = {"context": element.name} if element.key.takes_context else {}
            named = ", ".join(f"{name}={self.expression(value)}" for name, value in {**options, **context}.items())
            made = f"operation='datakey', type='plaintext', bits={secret.length * 8}, {named}"
            return f"lookup('{LOOKUP}', {made}).plaintext"
        if isinstance(secret, GeneratedSecret):
            characters = literal(secret.characters)
            return f"lookup('ansible.builtin.password', '/dev/null', length={secret.length}, chars=[{characters}])"
        raise TypeError(f"unknown source of secrets: {type(secret).__name__}")

    def _program_file(self, path: str) -> str:
        if path.startswith(("/", "~")):
            return literal(path)
        return f"playbook_dir ~ {literal(f'/{self.program_folder}/{path}')}"


def may_move(entry: Encrypted) -> bool:
    """Whether the ciphertext of a secret may be stored under a former name, of it or of its key."""
    return bool(entry.aliases or entry.key.aliases)


def _missing(hint: str, key_was_there: str) -> str:
    """Return what stands for a missing plaintext. With `undef` the error says what to do."""
    if key_was_there == "true":
        return "''"
    return f"('' if {key_was_there} else undef(hint={literal(hint)}))"


def stored_in_kv(mount: str, path: str, field: str | None = None, *, errors: str | None = None) -> str:
    """Return an expression for a field of a secret in a KV engine, or for a dictionary of all.

    Args:
        errors: with `warn`, the value is None where the engine does not answer, and Ansible shows why. Default: fail.
    """
    term = f"{literal(field)}, " if field is not None else ""
    end = "" if errors is None else f", errors={literal(errors)}"
    return f"lookup('{LOOKUP}', {term}operation='kv_get', kv_mount={literal(mount)}, kv_path={literal(path)}{end})"


def source_text(source: object) -> str:
    """Return the plaintext that another construct provides, as a text with a reference."""
    if not isinstance(source, str):
        raise TypeError(f"not a plaintext: {type(source).__name__}")
    return source


def prompt_variable(element: Encrypted) -> str:
    """Return the variable that holds the answer to a prompt."""
    return f"{element.name}_answer"
