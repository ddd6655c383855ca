# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""One task for many elements: a task costs far more than the requests that it makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlkeys._analysis.places import place
from mlkeys._analysis.segments import BARRIER, Segment, segments
from mlkeys._analysis.view import View
from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.auth import AppRoleAuth
from mlkeys._constructs.backend import TransitSecretBackend, TransitSecretCacheConfig
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.inventory import Template
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.policy import Policy
from mlkeys._constructs.raw import AnsibleTask
from mlkeys._model.element import Element, Resource
from mlkeys._shared._attributes.key import KEY_ATTRIBUTES
from mlkeys._targets.ansible.ciphertexts import RESULT, VARS, former_managers, manager
from mlkeys._targets.ansible.departures import absent_keys_task, is_own, own_alone
from mlkeys._targets.ansible.lost import ANY_MUST_EXIST, MUST_EXIST, if_wanted, random_in, stored_under
from mlkeys._targets.ansible.many_files import (
    SECRETS,
    files_task,
    many_random,
    random_file,
    reading_again,
    secrets_of,
    variable_of,
)
from mlkeys._targets.ansible.tasks import (
    KEYS,
    KEYS_ONLY,
    POLICY,
    Task,
    absent_tasks_of,
    comment_of,
    has_floor,
    key_options,
    tasks_of,
    unless_new,
    was_there,
)
from mlkeys._targets.ansible.values import Values, may_move
from mlkeys._targets.ansible.yaml import Commented

# In the order in which they are made.
_KINDS: tuple[type[Element], ...] = (
    TransitSecretBackend,
    TransitSecretCacheConfig,
    TransitSecretBackendKey,
    EncryptedVars,
    Policy,
    AppRoleAuth,
    AppRole,
)
_KEYS, _VARS, _POLICIES, _ROLES = (
    _KINDS.index(kind) for kind in (TransitSecretBackendKey, EncryptedVars, Policy, AppRole)
)

#: What was found for classes, of which a program has few.
_NUMBER_OF: dict[type[Element], int | None] = {}

_MANY = {
    TransitSecretBackend: "engines",
    EncryptedVars: "files of ciphertexts",
    Policy: "policies",
    AppRoleAuth: "auth methods",
    AppRole: "AppRoles",
}

#: Options of one of many keys. All others are options of the whole task.
_OF_A_KEY = frozenset({attribute.name for attribute in KEY_ATTRIBUTES}) | {
    *("name", "backend", "state", "force", "rotate_older_than", "min_available_version", "soft_deleted", "import"),
}

#: The prefix of variables with results of tasks that make keys.
KEYS_RESULT = "keys_result_"


@dataclass(frozen=True, slots=True)
class KeysTask:
    """Keys that one task makes."""

    register: str
    keys: Sequence[TransitSecretBackendKey]


class Plan:
    """Which elements of a stack are made together, and in which order."""

    def __init__(self, view: View, elements: Iterable[Element], values: Values) -> None:
        self._segments = segments(elements, _kind_of, view.references, view.below, _VARS)
        self._keys: dict[int, list[KeysTask]] = {}
        self._made: dict[Element, list[Task]] = {}
        self.key_places: dict[Element, tuple[str, int]] = {}
        self.file_results: dict[Element, str] = {}
        number = writers = 0
        for segment in self._segments:
            for keys in _together(segment.of_kind.get(_KEYS, ()), values):
                number += 1
                made = KeysTask(f"{KEYS_RESULT}{number}", keys)
                self._keys.setdefault(id(segment), []).append(made)
                self.key_places |= {key: (made.register, place) for place, key in enumerate(keys)}
            for files in self._files(segment):
                writers += 1
                self.file_results |= dict.fromkeys(files, f"{RESULT}{writers}")

    def tasks(self, values: Values, read_again: Mapping[Element, str]) -> Iterator[Any]:
        """Yield the tasks.

        Args:
            read_again: paths of files of ciphertexts that the play needs itself.
        """
        for segment in self._segments:
            yield from self._tasks_of(segment, values, read_again)

    def absent_tasks(self, values: Values) -> Iterator[Any]:
        """Yield the tasks that delete everything, in the opposite order."""
        for segment in reversed(self._segments):
            for kind, elements in sorted(segment.of_kind.items(), reverse=True):
                found = [(one, task) for one in reversed(elements) for task in absent_tasks_of(one, values)]
                places = [place(values.view, one) for one, _ in found]
                if kind == _KEYS and len(found) > 1:
                    yield absent_keys_task(found, [one[1] if one is not None else "" for one in places])
                elif len(found) > 1:
                    yield own_alone(_looped(f"{len(found)} {_MANY[_KINDS[kind]]}", found), places)
                else:
                    yield from (
                        Commented(comment_of(element), task if one is None else {**task, "when": is_own(*one)})
                        for (element, task), one in zip(found, places, strict=True)
                    )

    def variables(self, values: Values) -> dict[str, Any]:
        """Return variables of the play that the tasks use."""
        return {
            f"{SECRETS}{variable_of(file, values)}": Commented(
                comment_of(file), self._task(file, values)[VARS]["secrets"]
            )
            for segment in self._segments
            for files in self._files(segment)
            for file in files
            if len(files) > 1 or any(map(may_move, file.entries))
        }

    def random_files(self, values: Values) -> dict[str, list[Any]]:
        """Return files of tasks that make random secrets, by path. A run without changes reads none of them."""
        return {
            random_file(file, values): [Commented(comment_of(file), task) for task in self._random_tasks(file, values)]
            for segment in self._segments
            for files in self._files(segment)
            if many_random(files)
            for file in files
            if any(random_in(file))
        }

    def _tasks_of(self, segment: Segment, values: Values, read_again: Mapping[Element, str]) -> Iterator[Any]:
        for kind, elements in sorted(segment.of_kind.items()):
            if kind == _KEYS:
                yield from (_keys_task(made, values) for made in self._keys[id(segment)])
            elif kind == _POLICIES and len(elements) > 1:
                yield _policies_task([(one, self._task(one, values)) for one in elements], values)
            elif kind == _ROLES and len(elements) > 1:
                yield _looped(f"{len(elements)} AppRoles", [(role, self._task(role, values)) for role in elements])
            elif kind == _VARS:
                for files in self._files(segment):
                    yield from self._tasks_of_files(files, values)
            else:
                for element in elements:
                    yield from (Commented(comment_of(element), task) for task in tasks_of(element, values))
            yield from reading_again(read_again, elements, values)

    def _tasks_of_files(self, files: Sequence[EncryptedVars], values: Values) -> Iterator[Any]:
        if many_random(files):
            yield self._random_task([file for file in files if any(random_in(file))], values)
        else:
            yield from (
                Commented(comment_of(file), task) for file in files for task in self._random_tasks(file, values)
            )
        if len(files) > 1:
            task = files_task([(file, self._task(file, values)) for file in files], values, self.key_places)
            yield {**task, "register": self.file_results[files[0]]}
        else:
            (file,) = files
            task = {**self._task(file, values), "register": self.file_results[file]}
            if any(map(may_move, file.entries)):
                task[VARS] = {**task[VARS], "secrets": secrets_of(f"'{variable_of(file, values)}'", files, values)}
            yield Commented(comment_of(file), task)

    def _random_task(self, files: Sequence[EncryptedVars], values: Values) -> Task:
        register, _ = self.key_places.get(files[0].key, ("", 0))
        there = was_there(f"{register}.results[one.key_place]") if register else "true"
        places = [{"key_place": self.key_places[file.key][1]} if register else {} for file in files]
        found = [(random_file(file, values), file, place) for file, place in zip(files, places, strict=True)]
        return if_wanted(found, there, values)

    def _all_tasks(self, element: Element, values: Values) -> list[Task]:
        """Return the tasks of an element. Those of a file of ciphertexts are used in several places."""
        if element not in self._made:
            self._made[element] = list(tasks_of(element, values))
        return self._made[element]

    def _task(self, element: Element, values: Values) -> Task:
        """Return the task of an element; of a file of ciphertexts, the one after those of its random secrets."""
        return self._all_tasks(element, values)[-1]

    def _random_tasks(self, file: EncryptedVars, values: Values) -> list[Task]:
        """Return the tasks that make the random secrets of a file."""
        return self._all_tasks(file, values)[:-1]

    def _files(self, segment: Segment) -> list[list[EncryptedVars]]:
        """Return the files of ciphertexts that one task each writes, by the task that makes their keys."""
        found: dict[str, list[EncryptedVars]] = {}
        for file in segment.of_kind.get(_VARS, ()):
            if isinstance(file, EncryptedVars):
                register, _ = self.key_places.get(file.key, ("", 0))
                found.setdefault(register, []).append(file)
        return list(found.values())


def _kind_of(element: Element) -> int | None:
    if isinstance(element, AnsibleTask):
        return BARRIER
    if isinstance(element, Resource) and not element.managed:
        return None
    found = type(element)
    if found not in _NUMBER_OF:
        _NUMBER_OF[found] = next((number for number, kind in enumerate(_KINDS) if issubclass(found, kind)), None)
    return _NUMBER_OF[found]


def _together(keys: Iterable[Element], values: Values) -> list[list[TransitSecretBackendKey]]:
    """Group keys by what holds for a whole task: its condition, and options that a program overrides."""
    found: dict[str, list[TransitSecretBackendKey]] = {}
    conditions: dict[str, Task] = {}
    for key in keys:
        if isinstance(key, TransitSecretBackendKey):
            overrides = [
                (path, given)
                for target, path, given in key.overrides
                if target != "terraform" and path.partition(".")[0] not in _OF_A_KEY
            ]
            backend = str(key.values["backend"])
            if backend not in conditions:
                conditions[backend] = unless_new(backend, values)
            condition = conditions[backend]
            found.setdefault(repr((condition, overrides)), []).append(key)
    return list(found.values())


def _keys_task(made: KeysTask, values: Values) -> Task:
    options = [key_options(key, values) for key in made.keys]
    entries = [
        Commented(comment_of(key), {name: value for name, value in given.items() if name in _OF_A_KEY})
        for key, given in zip(made.keys, options, strict=True)
    ]
    first = values.name(made.keys[0])
    whole = {name: value for name, value in options[0].items() if name not in _OF_A_KEY}
    # A prediction shows all differences, and not only that there is one which cannot be overcome.
    going_on = Template("{{ 'continue' if ansible_check_mode else 'fail' }}")
    # Rotations raise them.
    floors = {"floors": Template("{{ floors }}")} if any(has_floor(key, values) for key in made.keys) else {}
    condition = unless_new(made.keys[0].values["backend"], values)
    stored = stored_under(made.keys, values)
    needed = {"must_exist": Template(f"{{{{ {MUST_EXIST} }}}}")} if stored else {}
    if stored and condition:
        # Where the engine does not exist either, a check shows the refusal.
        condition = {"when": Template(f"{condition['when'].text} or {ANY_MUST_EXIST}")}
    return {
        "name": f"Key {first}" if len(entries) == 1 else f"{len(entries)} keys",
        KEYS: {"keys": entries, **floors, **needed, "on_error": going_on, **whole},
        **condition,
        "register": made.register,
        **({"vars": stored} if stored else {}),
        **KEYS_ONLY,
    }


def _looped(name: str, found: Sequence[tuple[Element, Task]]) -> Task:
    """Return one task for many that use one module, each with nothing but a name and options."""
    ((module, first),) = ((word, given) for word, given in found[0][1].items() if word != "name")
    options = [task[module] for _, task in found]
    shared = {
        word: value for word, value in first.items() if all(word in given and given[word] == value for given in options)
    }
    single = {word: None for given in options for word in given if word not in shared}
    items = [
        Commented(comment_of(element), {word: value for word, value in given.items() if word not in shared})
        for (element, _), given in zip(found, options, strict=True)
    ]
    label = "name" if "name" in single else "path"
    return {
        "name": name,
        module: {**{word: Template(f"{{{{ item.{word} | default(omit) }}}}") for word in single}, **shared},
        "loop": items,
        "loop_control": {"label": Template(f"{{{{ item.{label} }}}}")},
    }


def _policies_task(given: Sequence[tuple[Element, Task]], values: Values) -> Task:
    """Return one task for many policies, which are all in files under their names."""
    return {
        "name": f"{len(given)} policies",
        POLICY: {
            "name": Template("{{ item }}"),
            "managed_by": manager(values.stack),
            "former_managers": former_managers(),
            "rules": Template("{{ lookup('ansible.builtin.file', 'policies/' ~ item ~ '.hcl') }}"),
        },
        "loop": [Commented(comment_of(policy), task[POLICY]["name"]) for policy, task in given],
        # A report names what has a label.
        "loop_control": {"label": Template("{{ item }}")},
    }
