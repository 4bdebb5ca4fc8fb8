"""One attempt at a webhook: render, sign, post under the address guard, and judge the answer."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

import msgspec
from prometheus_client import Counter

from numdesk.domain.ids import typed
from numdesk.domain.webhooks import DeliveryState, asked_pause_s, is_delivered, next_attempt
from numdesk.kit.log import get_logger
from numdesk.kit.outgoing.lookups import on_account_of
from numdesk.kit.outgoing.policy import EgressPolicy, HttpFailure
from numdesk.ports.rendering import EventFacts, EventRenderer, Post, StampedRenderer
from numdesk.runtime import ProcessState
from numdesk.storage.webhooks.deliveries import Leased, Outcome, Taken

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

#: Of an answer that was no success, this much is kept for the endpoint's owner.
ANSWER_CHARS_MAX = 2000
#: What the event webhook.test says.
TEST_MESSAGE = "This is a test of your webhook."
#: Opened secrets that a process remembers.
SECRETS_MAX = 10_000

_log = get_logger(__name__, "customer_id", "delivery_id", "dialect", "kind")
_attempts = Counter(
    "numdesk_webhook_attempts_total",
    "Webhooks posted, by how it went (our_failure: name look-ups, routes and resources of this "
    "machine)",
    ["dialect", "result"],
)


#: Looking a counter up by its labels costs more than counting.
_counter = lru_cache(_attempts.labels)


class Prepared(NamedTuple):
    """A delivery and the request to send; where nothing is, how it ended."""

    endpoint: Taken
    delivery: Leased
    made: Post | Outcome


def prepare(rt: Runtime, endpoint: Taken) -> list[Prepared]:
    """Render and sign the deliveries taken for an endpoint.

    Done for all of it together: between two posts, nothing that it needs would be in the
    processor's cache.
    """
    return [_prepared(rt, endpoint, delivery) for delivery in endpoint.deliveries]


async def attempt(
    rt: Runtime, prepared: Prepared, *, policy: Callable[[float], EgressPolicy]
) -> Outcome:
    """Send a prepared delivery, and return its outcome.

    `policy` gives the egress policy of a time limit.
    """
    if isinstance(prepared.made, Outcome):
        return prepared.made
    try:
        return await _send(rt, prepared, prepared.made, policy)
    except Exception:  # noqa: BLE001 - one bad delivery must not stop the others
        _log.exception(
            "webhook could not be sent",
            dialect=prepared.endpoint.dialect,
            kind=prepared.delivery.kind,
        )
        return _failed(rt, prepared, _Seen(rt.clock.now(), 0, None, "internal", "", ours=True))


async def send_test(
    rt: Runtime, *, url: str, secret: bytes | None, renderer: EventRenderer, policy: EgressPolicy
) -> int:
    """Send the event webhook.test outside the queue.

    Return the status answered, 0 when no answer came.
    """
    body = renderer.render(EventFacts(0, "webhook.test", rt.clock.now(), {"message": TEST_MESSAGE}))
    assert body is not None, "every dialect whose customers can ask for it has a word for the test"
    headers = renderer.headers(body, secret=secret, delivery_id=f"whd_test_{secrets.token_hex(8)}")
    try:
        answer = await rt.http.post(url, body=body, headers=headers, policy=policy)
    except HttpFailure:
        return 0
    return answer.status


def secret_context(customer_id: int, dialect: str) -> str:
    """Return the place that a webhook secret is sealed for, so that it opens nowhere else."""
    return f"webhook_endpoints.secret:{customer_id}:{dialect}"


def _prepared(rt: Runtime, endpoint: Taken, delivery: Leased) -> Prepared:
    try:
        post = _post(rt, endpoint, delivery)
    except Exception:  # noqa: BLE001 - one bad delivery must not stop the others
        return Prepared(endpoint, delivery, _given_up(rt, endpoint, delivery))
    if post is None:
        return Prepared(
            endpoint,
            delivery,
            Outcome(
                delivery.delivery_id, delivery.lease_no, DeliveryState.DELIVERED, rt.clock.now()
            ),
        )
    return Prepared(endpoint, delivery, post)


def _given_up(rt: Runtime, endpoint: Taken, delivery: Leased) -> Outcome:
    """Return the outcome of what fails by a fault of ours, never the endpoint's: given up, to be
    replayed once that is mended."""
    _log.exception(
        "webhook cannot be sent",
        delivery_id=delivery.delivery_id,
        dialect=endpoint.dialect,
        kind=delivery.kind,
    )
    return Outcome(
        delivery.delivery_id,
        delivery.lease_no,
        DeliveryState.GIVEN_UP,
        rt.clock.now(),
        failure="internal",
    )


async def _send(
    rt: Runtime, prepared: Prepared, post: Post, policy: Callable[[float], EgressPolicy]
) -> Outcome:
    """Make the attempt; whatever it raises is a fault of ours."""
    endpoint, delivery, _ = prepared
    renderer = rt.renderers[endpoint.dialect]
    at, started = rt.clock.now(), rt.clock.monotonic()
    try:
        with on_account_of(endpoint.customer_id):
            answer = await rt.http.post(
                endpoint.url,
                body=post.body,
                headers=post.headers,
                policy=policy(renderer.timeout_s),
            )
    except HttpFailure as failure:
        elapsed_ms = round((rt.clock.monotonic() - started) * 1000)
        if failure.ours:
            _log.warning(
                "webhook not sent",
                customer_id=endpoint.customer_id,
                dialect=endpoint.dialect,
                reason=str(failure),
            )
        return _failed(
            rt, prepared, _Seen(at, elapsed_ms, None, failure.kind, failure.text, ours=failure.ours)
        )
    if not is_delivered(answer.status):
        seen = _Seen(at, answer.elapsed_ms, answer.status, None, _readable(answer.body_head))
        return _failed(
            rt,
            prepared,
            seen,
            pause_s=asked_pause_s(answer.status, answer.retry_after, wall=rt.clock.wall()),
        )
    _counter(endpoint.dialect, "delivered").inc()
    return Outcome(
        delivery.delivery_id,
        delivery.lease_no,
        DeliveryState.DELIVERED,
        at,
        status=answer.status,
        elapsed_ms=answer.elapsed_ms,
        failures_max=renderer.failures_max,
        reason=renderer.disabled_reason,
    )


class _Seen(NamedTuple):
    """The traces of a failed attempt."""

    at: datetime
    elapsed_ms: int
    status: int | None
    failure: str | None
    answer: str
    #: The endpoint is not to blame.
    ours: bool = False


def _post(rt: Runtime, endpoint: Taken, delivery: Leased) -> Post | None:
    """Return body and headers, or None when the dialect has no word for the event."""
    renderer, secret = rt.renderers[endpoint.dialect], endpoint.secret
    if secret is not None:
        secret = _open(rt, secret, secret_context(endpoint.customer_id, endpoint.dialect))
    facts = EventFacts(
        delivery.delivery_id, delivery.kind, delivery.at, msgspec.json.decode(delivery.document)
    )
    delivery_id = typed("whd", delivery.delivery_id)
    if _is_stamped(renderer):
        return renderer.post(facts, secret=secret, delivery_id=delivery_id, wall=rt.clock.wall())
    body = renderer.render(facts)
    return (
        None
        if body is None
        else Post(body, renderer.headers(body, secret=secret, delivery_id=delivery_id))
    )


def _is_stamped(renderer: EventRenderer) -> TypeGuard[StampedRenderer]:
    """Say whether a renderer makes a body of its own for every attempt."""
    return _is_stamped_kind(type(renderer))


@lru_cache
def _is_stamped_kind(kind: type) -> bool:
    """Asked once per kind, because it costs more than rendering."""
    return issubclass(kind, StampedRenderer)


_OPENED = ProcessState[dict[tuple[bytes, str], bytes]](lambda _: {})


def _open(rt: Runtime, sealed: bytes, context: str) -> bytes:
    """Return an opened secret; remembered, because an endpoint gets many webhooks under one."""
    opened = _OPENED.of(rt)
    secret = opened.get((sealed, context))
    if secret is None:
        if len(opened) >= SECRETS_MAX:
            opened.clear()
        secret = opened[sealed, context] = rt.keys.open(sealed, context=context)
    return secret


def _failed(rt: Runtime, prepared: Prepared, seen: _Seen, *, pause_s: float = 0.0) -> Outcome:
    """Return the outcome of a failed attempt: to be tried again by the dialect's schedule, or given
    up."""
    endpoint, delivery, _ = prepared
    renderer = rt.renderers[endpoint.dialect]
    tried, luck = delivery.attempts + 1, random.random()  # noqa: S311 - jitter
    delay_s = next_attempt(renderer.retry_delays_s, attempt=tried, random=luck, pause_s=pause_s)
    _counter(
        endpoint.dialect,
        "our_failure" if seen.ours else "given_up" if delay_s is None else "failed",
    ).inc()
    return Outcome(
        delivery.delivery_id,
        delivery.lease_no,
        DeliveryState.GIVEN_UP if delay_s is None else DeliveryState.DUE,
        seen.at,
        due_at=None if delay_s is None else rt.clock.now() + timedelta(seconds=delay_s),
        status=seen.status,
        failure=seen.failure,
        elapsed_ms=seen.elapsed_ms,
        answer=seen.answer,
        failures_max=None if seen.ours else renderer.failures_max,
        reason=renderer.disabled_reason,
    )


def _readable(answer: bytes) -> str:
    """Return what can be kept of an answer, whatever its bytes."""
    return answer.decode("utf-8", "replace").replace("\0", "")[:ANSWER_CHARS_MAX]
