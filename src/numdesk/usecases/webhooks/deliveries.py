"""Sends webhooks: takes what is due in batches, lets each endpoint have its share, and records in batches how it went."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from numdesk.domain.errors import Unavailable
from numdesk.domain.webhooks import WINDOW_START, DeliveryState, endpoint_pace_ms, next_window
from numdesk.kit.log import get_logger
from numdesk.kit.outgoing.policy import EgressPolicy
from numdesk.storage import webhooks as rows
from numdesk.storage.webhooks import Outcome, Room, Taken
from numdesk.usecases.jobs import sweeps
from numdesk.usecases.webhooks.attempts import Prepared, attempt, prepare

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

#: Deliveries leased and not yet sent by one process, whoever they are for; each that is being sent holds a connection.
LEASED_MAX = 1024
#: An endpoint that answers well has leased ahead what it is sent in this time, so that its sends never wait for the database.
AHEAD_MS = 250
#: ... but no more than this.
AHEAD_MAX = 96
#: Deliveries taken by one command.
TAKE_MAX = 512
#: ... and with room for fewer than this none is asked for: many small commands would cost more than they bring.
TAKE_MIN = 128
#: Outcomes recorded by one command.
RECORD_MAX = 1024
#: How long outcomes gather before they are written down.
GATHER_S = 0.01
#: With so many outcomes that the database has not written down yet, nothing more is taken.
ENDED_MAX = 4096
#: Under this name deliveries are set aside that cannot be taken, or of which no outcome can be recorded.
SWEEP = "webhooks"
#: How soon a process learns which of them another has set aside: before a lease that was lost with the outcome has run out.
ASIDE_LOOK = timedelta(seconds=10)
#: How soon an event that another process wrote is noticed.
POLL_S = 0.5
#: A lease outlives the longest send by this much, for looking the name up before it and recording it after.
LEASE_SLACK_S = 12.0
#: Windows remembered of endpoints to which nothing is on its way.
LANES_MAX = 10_000
#: How long a stopping process waits for sends on their way.
STOP_PATIENCE_S = 8.0
#: How soon `deliver_due` notices that another process is done.
LOOK_S = 0.02
#: How long `deliver_due` goes on before it leaves the rest to the loop.
DRAIN_PATIENCE_S = 30.0
#: How long one connection may take to be made.
CONNECT_TIMEOUT_S = 5.0

_log = get_logger(__name__, "customer_id")


@dataclass(slots=True)
class _Lane:
    """One endpoint: what waits to be sent, how many are being sent, how many may be."""

    waiting: deque[tuple[Prepared, datetime]] = field(default_factory=deque)
    sending: int = 0
    window: int = WINDOW_START
    #: How many may wait; none unless the last send was a success.
    ahead: int = 0
    #: Was nothing more due at the last look? Then there is no use in looking again before something happens.
    is_dry: bool = False

    def free(self) -> int:
        """Returns how many more may be leased."""
        return max(0, self.window + self.ahead - self.sending - len(self.waiting))

    def is_hungry(self) -> bool:
        """Is it time to lease more? Not before half is gone: going back for every single one would make the batches small."""
        return (
            not self.is_dry and (self.sending + len(self.waiting)) * 2 <= self.window + self.ahead
        )

    def learn(self, outcome: Outcome, *, turn_ms: int) -> None:
        """Widens or narrows the lane by how a send to its endpoint ended, when a turn in this process takes `turn_ms`."""
        delivered = outcome.state is DeliveryState.DELIVERED
        pace_ms = endpoint_pace_ms(outcome.elapsed_ms, turn_ms=turn_ms)
        self.window = next_window(self.window, delivered=delivered, elapsed_ms=pace_ms)
        self.ahead = min(AHEAD_MAX, self.window * AHEAD_MS // (pace_ms or 1)) if delivered else 0


class Sender:
    """The webhooks on their way from this process."""

    def __init__(self, rt: Runtime) -> None:
        self.woken = asyncio.Event()
        #: Exact (host, port) pairs that pass every guard; see `allow`.
        self.excused: frozenset[tuple[str, int]] = frozenset()
        self._rt = rt
        self._lease_s = (
            max((r.timeout_s for r in rt.renderers.values()), default=0.0) + LEASE_SLACK_S
        )
        self._lanes: dict[int, _Lane] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._leased = 0
        self._after = 0
        self._turn_ms = 0
        self._pumping = asyncio.Lock()
        self._policies: dict[float, EgressPolicy] = {}
        self._ended: list[Outcome] = []
        self._recorder: asyncio.Task[None] | None = None
        #: Deliveries that were set aside, and when each is tried again; remembered, so that taking asks nobody.
        self._aside: dict[int, datetime] = {}
        self._look_aside_at: datetime | None = None

    def policy(self, timeout_s: float) -> EgressPolicy:
        """Returns where webhooks of a dialect with this timeout may go: https and the web's ports, and what is excused."""
        policy = self._policies.get(timeout_s)
        if policy is None or policy.allowed != self.excused:
            policy = self._policies[timeout_s] = EgressPolicy(
                allowed=self.excused,
                total_timeout_s=timeout_s,
                connect_timeout_s=min(timeout_s, CONNECT_TIMEOUT_S),
                needs_body=False,
            )
        return policy

    async def pump(self) -> int:
        """Takes what is due, as far as there is room, and starts to send it; returns how many were taken."""
        taken = 0
        self.woken.clear()
        async with self._pumping:
            self._turn_ms = await self._take_turn()
            await self._look_aside()
            has_passed_over = self._after > 0
            while (
                limit := min(TAKE_MAX, LEASED_MAX - self._leased, ENDED_MAX - len(self._ended))
            ) >= TAKE_MIN:
                taken += await self._take(limit)
                if self._after:
                    continue
                if not has_passed_over:
                    break
                has_passed_over = False
        return taken

    async def rest(self, *, timeout_s: float) -> None:
        """Waits until there is a reason to pump again, or for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.woken.wait()

    async def wait(self, *, timeout_s: float) -> bool:
        """Waits until everything on its way has ended and is recorded; says whether it has."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self.is_idle():
                    self.woken.clear()
                    await self.woken.wait()
        return self.is_idle()

    def is_idle(self) -> bool:
        """Is nothing on its way?"""
        return not self._leased and self._recorder is None

    async def _take_turn(self) -> int:
        """Lets everybody else in this process have a turn; returns how many milliseconds that took."""
        started = self._rt.clock.monotonic()
        await asyncio.sleep(0)
        return round((self._rt.clock.monotonic() - started) * 1000)

    async def _take(self, limit: int) -> int:
        """Leases due deliveries and hands them to their endpoints' lanes; returns how many."""
        if len(self._lanes) > LANES_MAX:
            self._lanes = {
                endpoint: lane
                for endpoint, lane in self._lanes.items()
                if lane.sending or lane.waiting
            }
        wall = self._rt.clock.steady()
        free = {endpoint: lane.free() for endpoint, lane in self._lanes.items()}
        room = Room(
            after=self._after,
            total=limit,
            other=WINDOW_START,
            free=free,
            without=self.waiting_aside(),
        )
        batch = await self._lease(room, wall)
        sizes = Counter[int]()
        for endpoint in batch:
            sizes[endpoint.endpoint_id] += len(endpoint.deliveries)
        size = sum(sizes.values())
        self._leased += size
        # When the batch was too small for all, who comes after the last one served is served next.
        self._after = batch[-1].endpoint_id if size == limit else 0
        lease_until = wall + timedelta(seconds=self._lease_s)
        for place, endpoint in enumerate(batch):
            if place:
                await asyncio.sleep(
                    0
                )  # preparing hundreds without a pause would stop everybody else
            self._line_up(endpoint, lease_until)
        for endpoint_id, lane in self._lanes.items():
            if endpoint_id > room.after:
                lane.is_dry = size < limit and sizes[endpoint_id] < free.get(
                    endpoint_id, WINDOW_START
                )
        return size

    async def _lease(self, room: Room, wall: datetime) -> list[Taken]:
        """Takes due deliveries; when that fails in halves, until those that cannot be taken stand alone and are set aside."""
        rt, now = self._rt, self._rt.clock.now()

        async def take(only: Sequence[int] | None) -> list[Taken]:
            return await rt.repeat(
                "webhooks.take",
                lambda tx: rows.take(
                    tx, now=now, wall=wall, lease_s=self._lease_s, room=room, only=only
                ),
            )

        try:
            return await take(None)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one delivery is to blame: the others are taken without it
            _log.warning(
                "webhooks are taken in parts", error=type(error).__name__, reason=str(error)
            )
        ids = await rt.repeat(
            "webhooks.due_ids", lambda tx: rows.due(tx, now=now, wall=wall, room=room)
        )
        batch = await sweeps.apart(rt, SWEEP, ids, take)
        await self._learn_aside()
        return batch

    def waiting_aside(self) -> list[int]:
        """Returns the deliveries that were set aside and are not to be tried yet."""
        now = self._rt.clock.now()
        return [delivery_id for delivery_id, again_at in self._aside.items() if again_at > now]

    async def _look_aside(self) -> None:
        """Learns now and then what is set aside, and forgets what has ended."""
        rt, now = self._rt, self._rt.clock.now()
        if self._look_aside_at is not None and now < self._look_aside_at:
            return
        self._look_aside_at = now + ASIDE_LOOK
        await self._learn_aside()
        again = sorted(self._aside.keys() - set(self.waiting_aside()))
        if again:
            await self._forget_aside(
                await rt.repeat("webhooks.ended", lambda tx: rows.ended(tx, again))
            )

    async def _learn_aside(self) -> None:
        self._aside = {
            int(one.item): one.again_at for one in await sweeps.of_sweep(self._rt, SWEEP)
        }

    async def _forget_aside(self, delivery_ids: Iterable[int]) -> None:
        """Forgets that deliveries were set aside."""
        for delivery_id in self._aside.keys() & set(delivery_ids):
            await sweeps.forget(self._rt, SWEEP, str(delivery_id))
            self._aside.pop(delivery_id, None)

    def _line_up(self, endpoint: Taken, lease_until: datetime) -> None:
        """Lets what was taken for an endpoint wait in its lane, and workers begin with it."""
        lane = self._lanes.get(endpoint.endpoint_id)
        if lane is None:
            lane = self._lanes[endpoint.endpoint_id] = _Lane()
        for prepared in prepare(self._rt, endpoint):
            lane.waiting.append((prepared, lease_until))
            self._staff(lane)

    def _staff(self, lane: _Lane) -> None:
        """Lets one more worker send for a lane when there is work and room for it."""
        if lane.waiting and lane.sending < lane.window:
            lane.sending += 1
            worker = asyncio.get_running_loop().create_task(self._work(lane))
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _work(self, lane: _Lane) -> None:
        """Sends what waits in a lane, one after another, while there is work and room."""
        try:
            while lane.waiting and lane.sending <= lane.window:
                prepared, lease_until = lane.waiting.popleft()
                # A process that was paused past the lease must not send what somebody else has sent by now.
                if self._rt.clock.steady() < lease_until:
                    self._settle(
                        lane, prepared, await attempt(self._rt, prepared, policy=self.policy)
                    )
                else:
                    self._release()
                if lane.is_hungry():
                    self.woken.set()
        finally:
            lane.sending -= 1

    def _settle(self, lane: _Lane, prepared: Prepared, outcome: Outcome) -> None:
        """Sees the outcome recorded and lets the lane learn from it, if anything was to be sent."""
        self._end(outcome)
        if outcome is prepared.made:
            return
        lane.learn(outcome, turn_ms=self._turn_ms)
        if lane.ahead:
            self._staff(lane)
        elif outcome.state is not DeliveryState.DELIVERED:
            self._give_back(lane)

    def _give_back(self, lane: _Lane) -> None:
        """Ends the leases that were taken ahead for an endpoint that fails now; they are due again at once."""
        now = self._rt.clock.now()
        while lane.waiting:
            prepared, _ = lane.waiting.popleft()
            self._end(
                Outcome(
                    prepared.delivery.delivery_id,
                    prepared.delivery.lease_no,
                    DeliveryState.DUE,
                    now,
                    due_at=now,
                )
            )

    def _end(self, outcome: Outcome) -> None:
        """Lets go of a delivery and sees its outcome recorded, together with all others that end while a batch is being written."""
        self._ended.append(outcome)
        if self._recorder is None:
            self._recorder = asyncio.get_running_loop().create_task(self._record())
        self._release()

    def _release(self) -> None:
        self._leased -= 1
        if self.is_idle():
            self.woken.set()

    async def _record(self) -> None:
        """Records what has ended until nothing is left."""
        while self._ended:
            if self._leased:
                await asyncio.sleep(GATHER_S)
            batch, self._ended = self._ended[:RECORD_MAX], self._ended[RECORD_MAX:]
            await self._write(batch)
        self._recorder = None
        if self.is_idle():
            self.woken.set()

    async def _write(self, outcomes: list[Outcome]) -> None:
        """Records outcomes; one that cannot be recorded is set aside, so that its event is not sent again each time its lease runs out.

        In an outage the leases run out, and the deliveries are sent again.
        """
        try:
            await self._write_in_parts(outcomes)
        except Exception as error:  # noqa: BLE001 - the next batch is none the worse for it
            _log.warning(
                "webhook outcomes not recorded", error=type(error).__name__, count=len(outcomes)
            )

    async def _write_in_parts(self, outcomes: list[Outcome]) -> None:
        try:
            await self._write_batch(outcomes)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - one bad outcome must not spoil the others
            await sweeps.apart(
                self._rt,
                SWEEP,
                outcomes,
                self._write_batch,
                text=lambda outcome: str(outcome.delivery_id),
            )
            await self._learn_aside()

    async def _write_batch(self, outcomes: Sequence[Outcome]) -> list[None]:
        """Records outcomes in one command."""
        rt = self._rt
        for off in await rt.repeat(
            "webhooks.record", lambda tx: rows.record(tx, now=rt.clock.now(), outcomes=outcomes)
        ):
            _log.warning(
                "webhook endpoint switched off",
                customer_id=off["customer_id"],
                reason=off["reason"],
            )
        if self._aside:
            await self._forget_aside(outcome.delivery_id for outcome in outcomes)
        return []


def sender_of(rt: Runtime) -> Sender:
    """Returns the sender of this process."""
    sender: Sender | None = rt.local.get(__name__)
    if sender is None:
        sender = rt.local[__name__] = Sender(rt)
    return sender


def allow(rt: Runtime, *, addresses: Iterable[tuple[str, int]]) -> None:
    """Lets webhooks of this process through to exactly these (host, port) pairs, by plain http too: an inbox of our own."""
    sender_of(rt).excused = frozenset(addresses)


def wake(rt: Runtime) -> None:
    """Says that an event was written in this process; its delivery then begins at once."""
    sender_of(rt).woken.set()


async def keep_delivering(rt: Runtime, *, stop: asyncio.Event) -> None:
    """Delivers what is due until told to stop, then waits for what is on its way."""
    sender = sender_of(rt)
    while not stop.is_set():
        await sender.pump()
        await sender.rest(timeout_s=POLL_S)
    await sender.wait(timeout_s=STOP_PATIENCE_S)


async def deliver_due(rt: Runtime) -> int:
    """Delivers everything that is due at this moment, in whatever process it is on its way; returns how many were sent from here."""
    sender = sender_of(rt)
    sent = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_PATIENCE_S):
            while True:
                sent += await sender.pump()
                if sender.is_idle() and not await rt.repeat(
                    "webhooks.due",
                    lambda tx: rows.is_anything_due(
                        tx, now=rt.clock.now(), without=sender.waiting_aside()
                    ),
                ):
                    break
                await sender.rest(timeout_s=LOOK_S)
    return sent
