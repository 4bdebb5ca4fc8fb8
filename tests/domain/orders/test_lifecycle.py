"""Orders: every pair of state and event, every window, every capability."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.domain.errors import Refusal, StateForbids
from numdesk.domain.orders.lifecycle import (
    EVIDENCE_STATES,
    LIFETIME,
    MOVES,
    OPEN_STATES,
    RESEND_COOLDOWN,
    Capabilities,
    Event,
    Order,
    State,
    capabilities,
    check_cancel,
    check_finish,
    check_resend,
    move,
)
from numdesk.domain.orders.refusals import CancelTooEarly
from numdesk.domain.stock.routing import FINAL_AFTER

CREATED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ORDER = Order(
    id=1, customer_id=1, dialect="smscode", state=State.ACTIVE, offer_id=1, catalogue_id=1, country_id=6, service_id=3, operator_id=None,
    operator_name=None, provider="local", provider_ref=None, msisdn=6281, currency="IDR", price=15_000, cost=0, created_at=CREATED,
    expires_at=CREATED + LIFETIME, otp_code=None, otp_message=None, sms_revision=0, first_sms_at=None, resend_at=None, ended_at=None,
    failed_reason=None, reactivatable=True, number_free=True, revision=1,
)  # fmt: skip
WITH_MESSAGE = (State.RECEIVED, State.RESENT)
ages = st.floats(0, 2 * LIFETIME.total_seconds()).map(lambda seconds: timedelta(seconds=seconds))

#: The life of an order, written out once more by hand: state, event -> next; what is missing is
#: refused.
LIFE = {
    "PENDING": {"assign": "ACTIVE", "fail": "FAILED"},
    "ACTIVE": {"receive": "RECEIVED", "cancel": "CANCELED", "expire": "EXPIRED"},
    "RECEIVED": {
        "receive": "RECEIVED",
        "resend": "RESENT",
        "finish": "COMPLETED",
        "expire": "COMPLETED",
    },
    "RESENT": {
        "receive": "RECEIVED",
        "resend": "RESENT",
        "finish": "COMPLETED",
        "expire": "COMPLETED",
    },
}


def at(
    state: State, age_s: float = 0.0, *, resend_s: float | None = None, **changes: object
) -> tuple[Order, datetime]:
    """Returns an order in a state and the moment at which it has the age."""
    resend_at = None if resend_s is None else CREATED + timedelta(seconds=resend_s)
    return replace(ORDER, state=state, resend_at=resend_at, **changes), CREATED + timedelta(
        seconds=age_s
    )


class TestMove:
    """The table of moves."""

    @pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
    def test_makes_the_legal_moves_and_no_other(self, state: State, event: Event) -> None:
        """Each of the 56 pairs goes where the life of an order says, or refuses with the state's
        name."""
        following = LIFE.get(state.name, {}).get(event.value)
        if following is not None:
            assert move(state, event) is State[following]
            return
        with pytest.raises(StateForbids) as caught:
            move(state, event)
        assert caught.value.state == state.name.lower()

    def test_leads_every_open_order_to_an_end(self) -> None:
        """From each open state an end can be reached without the customer, and no end is ever
        left."""
        assert {state for state, _ in MOVES} == OPEN_STATES
        for state in OPEN_STATES - {State.PENDING}:
            assert MOVES[state, Event.EXPIRE] not in OPEN_STATES

    def test_never_forgets_a_message(self) -> None:
        """An order that had a message can only come to states that know of it."""
        assert all(
            following in EVIDENCE_STATES
            for (state, _), following in MOVES.items()
            if state in EVIDENCE_STATES
        )


def test_is_over_before_its_day_counts_as_final() -> None:
    """Scores of providers count a day once, so no order may still be open when its day is final."""
    assert LIFETIME <= FINAL_AFTER


class TestCheckCancel:
    """Cancelling has a window."""

    @pytest.mark.parametrize(("age_s", "refusal"), [
        (0, CancelTooEarly), (114.999, CancelTooEarly), (115, None), (120, None), (1199.999, None), (1200, StateForbids),
        (9999, StateForbids),
    ])  # fmt: skip
    def test_opens_a_little_before_the_sign_and_closes_at_expiry(
        self, age_s: float, refusal: type[Refusal] | None
    ) -> None:
        """The sign says 120 s, the door opens at 115 s, and what has run out is no longer
        cancelled."""
        order, now = at(State.ACTIVE, age_s)
        if refusal is None:
            assert check_cancel(order, now=now) is State.CANCELED
            return
        with pytest.raises(refusal) as caught:
            check_cancel(order, now=now)
        if isinstance(caught.value, CancelTooEarly):
            assert caught.value.allowed_at == CREATED + timedelta(seconds=120)

    @pytest.mark.parametrize("state", set(State) - {State.ACTIVE})
    def test_is_for_orders_without_a_message(self, state: State) -> None:
        """In every other state the state is the reason, whatever the age."""
        for age_s in (0, 119, 600, 1300):
            order, now = at(state, age_s)
            with pytest.raises(StateForbids):
                check_cancel(order, now=now)


class TestCheckFinishAndResend:
    """What needs a message."""

    @pytest.mark.parametrize("state", State)
    def test_finish_needs_a_message_and_time(self, state: State) -> None:
        """Finishing is for orders with a message until they run out."""
        for age_s in (0, 1199, 1200):
            order, now = at(state, age_s)
            if state in WITH_MESSAGE and age_s < 1200:
                assert check_finish(order, now=now) is State.COMPLETED
            else:
                with pytest.raises(StateForbids):
                    check_finish(order, now=now)

    @pytest.mark.parametrize(("age_s", "resend_s", "allowed"), [
        (10, None, True), (39.9, 40, False), (40, 40, True), (1199, 40, True), (1200, 40, False), (1200, None, False),
    ])  # fmt: skip
    def test_resend_waits_for_its_cooldown(
        self, age_s: float, resend_s: float | None, *, allowed: bool
    ) -> None:
        """One more message may be asked for when the supplier has had its moment, until the order
        runs out."""
        for state in WITH_MESSAGE:
            order, now = at(state, age_s, resend_s=resend_s)
            if allowed:
                assert check_resend(order, now=now) is State.RESENT
            else:
                with pytest.raises(StateForbids):
                    check_resend(order, now=now)


class TestCapabilities:
    """What a customer is told that they may do."""

    @given(
        st.sampled_from(State), ages, st.none() | st.floats(0, 1300), st.booleans(), st.booleans()
    )
    def test_promise_what_the_checks_allow(
        self, state: State, age: timedelta, resend_s: float | None, reactivatable: bool, free: bool
    ) -> None:
        """What is promised is allowed.

        What is allowed is promised, but for the five seconds before the sign of cancelling.
        """
        order, now = at(
            state,
            age.total_seconds(),
            resend_s=resend_s,
            reactivatable=reactivatable,
            number_free=free,
        )
        promised = capabilities(order, now=now)
        assert promised.finish == _allows(check_finish, order, now)
        assert promised.resend == _allows(check_resend, order, now)
        early = timedelta(seconds=115) <= now - CREATED < timedelta(seconds=120)
        assert promised.cancel == (_allows(check_cancel, order, now) and not early)
        assert promised.reactivate == (state is State.COMPLETED and reactivatable and free)

    @pytest.mark.parametrize(("state", "age_s", "resend_s", "expected"), [
        (State.ACTIVE, 0, None, Capabilities(False, False, False, False, None, CREATED + timedelta(seconds=120))),
        (State.ACTIVE, 120, None, Capabilities(False, False, True, False, None, None)),
        (State.RECEIVED, 60, None, Capabilities(True, True, False, False, None, None)),
        (State.RESENT, 60, 90, Capabilities(True, False, False, False, CREATED + timedelta(seconds=60) + RESEND_COOLDOWN, None)),
        (State.COMPLETED, 60, 90, Capabilities(False, False, False, True, None, None)),
        (State.CANCELED, 60, None, Capabilities(False, False, False, False, None, None)),
        (State.EXPIRED, 1300, None, Capabilities(False, False, False, False, None, None)),
    ])  # fmt: skip
    def test_say_when(
        self, state: State, age_s: float, resend_s: float | None, expected: Capabilities
    ) -> None:
        """A time is told only while it is to come and only where it matters."""
        order, now = at(state, age_s, resend_s=resend_s)
        assert capabilities(order, now=now) == expected


def _allows(check: object, order: Order, now: datetime) -> bool:
    try:
        check(order, now=now)  # type: ignore[operator] - one of three
    except Refusal:
        return False
    return True
