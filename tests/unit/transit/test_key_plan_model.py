# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of keys against a model of the server: what can be reached is reached, and the rest is refused."""

from __future__ import annotations

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ChangeImpossible
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.attribute import AT_CREATION
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.key import KEY_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.key_types import NOT_DERIVABLE_TYPES
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key_plan import (
    KeyPlan,
    key_state,
    plan_key,
    plan_key_absence,
)
from hypothesis import event, example, given
from hypothesis import strategies as st

from tests.unit.transit.states import FRESH, State, key


class Refused(Exception):
    """The modelled server answers 400."""


class ModelledKey:
    """One key of a server that follows the documented rules."""

    def __init__(self, actual: State | None) -> None:
        self.actual = None if actual is None else dict(actual)

    def create(self, body: State) -> None:
        if self.actual is not None:
            return
        made = {
            **FRESH,
            **{name: value for name, value in body.items() if name not in ("key_size", "convergent_encryption")},
        }
        if made["derived"] and made["type"] in NOT_DERIVABLE_TYPES:
            raise Refused
        if body.get("convergent_encryption") and not made["derived"]:
            raise Refused
        if (made["type"] == "hmac") != ("key_size" in body):
            raise Refused
        self._check_period(made)
        if "key_size" in body:
            made["key_size"] = body["key_size"]
        if made["derived"]:
            made["convergent_encryption"] = body.get("convergent_encryption", False)
        self.actual = made

    def rotate(self) -> None:
        assert self.actual is not None
        self.actual["latest_version"] += 1

    def configure(self, body: State) -> None:
        assert self.actual is not None
        new = dict(self.actual)
        for name, value in body.items():
            if name in ("exportable", "allow_plaintext_backup"):
                new[name] = new[name] or value
            elif name == "min_decryption_version":
                new[name] = value or 1
            else:
                new[name] = value
        decryption, encryption = new["min_decryption_version"], new["min_encryption_version"]
        if decryption < 0 or encryption < 0:
            raise Refused
        if max(decryption, encryption) > new["latest_version"] or 0 < encryption < decryption:
            raise Refused
        if min(decryption, encryption) < new["min_available_version"]:
            raise Refused
        self._check_period(new)
        self.actual = new

    @staticmethod
    def _check_period(state: State) -> None:
        if 0 < state["auto_rotate_period"] < 3600:
            raise Refused


def apply_key(plan: KeyPlan, actual: State | None) -> State | None:
    server = ModelledKey(actual)
    if plan.create is not None:
        server.create(plan.create)
    if plan.rotate:
        server.rotate()
    if plan.configure:
        server.configure(plan.configure)
    return None if plan.delete else server.actual


def reachable(wanted: State, actual: State | None, *, rotate: bool) -> bool:
    """Whether sending the server simply everything gives what is wanted."""
    server = ModelledKey(actual)
    at_creation = {a.name: wanted[a.name] for a in KEY_ATTRIBUTES if a.name in wanted and a.at_creation}
    later = {a.name: wanted[a.name] for a in KEY_ATTRIBUTES if a.name in wanted and a.change != AT_CREATION}
    if wanted.get("type") == "hmac":
        at_creation.setdefault("key_size", 32)
    try:
        server.create(at_creation)
        if rotate:
            server.rotate()
        server.configure(later)
    except Refused:
        return False
    assert server.actual is not None
    state = key_state(server.actual)
    return all(
        state[name] == (value or (1 if name == "min_decryption_version" else value)) for name, value in wanted.items()
    )


TYPES = st.sampled_from(["aes256-gcm96", "chacha20-poly1305", "ed25519", "rsa-2048", "hmac"])
VERSIONS = st.integers(-1, 6)
PERIODS = st.sampled_from([0, 1, 3599, 3600, 86400])

wanted_keys = st.fixed_dictionaries(
    {},
    optional={
        "type": TYPES,
        "derived": st.booleans(),
        "convergent_encryption": st.booleans(),
        "exportable": st.booleans(),
        "allow_plaintext_backup": st.booleans(),
        "auto_rotate_period": PERIODS,
        "deletion_allowed": st.booleans(),
        "min_decryption_version": VERSIONS,
        "min_encryption_version": VERSIONS,
    },
)


@st.composite
def existing_keys(draw: st.DrawFn) -> State:
    key_type = draw(TYPES)
    latest = draw(st.integers(1, 6))
    decryption = draw(st.integers(1, latest))
    encryption = draw(st.just(0) | st.integers(decryption, latest))
    actual = key(
        type=key_type,
        exportable=draw(st.booleans()),
        allow_plaintext_backup=draw(st.booleans()),
        deletion_allowed=draw(st.booleans()),
        auto_rotate_period=draw(PERIODS.filter(lambda period: period == 0 or period >= 3600)),
        latest_version=latest,
        min_decryption_version=decryption,
        min_encryption_version=encryption,
        # Trimming needs a minimum for both.
        min_available_version=draw(st.integers(0, decryption)) if encryption else 0,
    )
    if key_type == "hmac":
        actual["key_size"] = 32
    elif key_type not in NOT_DERIVABLE_TYPES and draw(st.booleans()):
        actual.update(derived=True, convergent_encryption=draw(st.booleans()))
    return actual


@given(wanted_keys, st.none() | existing_keys(), st.sampled_from([None, 0, 3600]), st.floats(0, 7200))
@example({"min_decryption_version": 0}, None, None, 0.0)
@example({"min_decryption_version": 3, "min_encryption_version": 3}, key(latest_version=3), None, 0.0)
@example({"exportable": False}, key(exportable=True), None, 0.0)
def test_a_plan_reaches_what_can_be_reached_and_refuses_the_rest(
    wanted: State, actual: State | None, older_than: int | None, age: float
) -> None:
    rotate = actual is not None and older_than is not None and age >= older_than
    possible = reachable(wanted, actual, rotate=rotate)
    event(f"possible: {possible}")
    try:
        plan = plan_key("ml", wanted, actual, rotate_older_than=older_than, age=age)
    except ChangeImpossible:
        assert not possible
        return
    assert possible
    result = apply_key(plan, actual)
    assert result is not None
    assert key_state(result) == plan.after
    assert plan.before == (None if actual is None else key_state(actual))
    again = plan_key("ml", wanted, result)
    assert not again.changed
    assert again.before == again.after == plan.after


@given(existing_keys(), st.booleans())
def test_absence_is_reached_or_refused(actual: State, force: bool) -> None:
    try:
        plan = plan_key_absence("ml", actual, force=force)
    except ChangeImpossible:
        assert not force
        assert not actual["deletion_allowed"]
        return
    server = ModelledKey(actual)
    server.configure(plan.configure)
    assert server.actual is not None
    assert server.actual["deletion_allowed"], "the server would not delete it"
    assert plan.after is apply_key(plan, actual) is None
