"""The sender of one process: leases due deliveries, sends each endpoint its share, ends them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from numdesk.domain.errors import Unavailable
from numdesk.domain.webhooks import WINDOW_START, DeliveryState
from numdesk.kit.log import get_logger
from numdesk.kit.outgoing.policy import EgressPolicy
from numdesk.storage.webhooks import deliveries as rows
from numdesk.storage.webhooks.deliveries import Outcome, Room, Taken
from numdesk.usecases.jobs import sweeps
from numdesk.usecases.webhooks.aside import SWEEP, Aside
from numdesk.usecases.webhooks.attempts import Prepared, attempt, prepare
from numdesk.usecases.webhooks.lanes import Lane, Lanes
from numdesk.usecases.webhooks.recorder import Recorder

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

#: Deliveries leased and not yet sent by one process; each that is being sent holds a connection.
LEASED_MAX = 1024
#: Deliveries taken by one command.
TAKE_MAX = 512
#: Room below which none is taken: many small commands would cost more than they bring.
TAKE_MIN = 128
#: With so many outcomes not recorded yet, nothing more is taken.
ENDED_MAX = 4096
#: How much longer than the longest send a lease is: for looking up the name and recording.
LEASE_SLACK_S = 12.0
#: How long one connection may take to be made.
CONNECT_TIMEOUT_S = 5.0

_log = get_logger(__name__)


class Sender:
    """The webhooks on their way from this process."""

    def __init__(self, rt: Runtime) -> None:
        """Start with nothing on its way."""
        self.woken = asyncio.Event()
        #: Exact (host, port) pairs that pass every address guard.
        self.excused: frozenset[tuple[str, int]] = frozenset()
        self.aside = Aside(rt)
        self._rt = rt
        self._lease_s = (
            max((r.timeout_s for r in rt.renderers.values()), default=0.0) + LEASE_SLACK_S
        )
        self._lanes = Lanes()
        self._recorder = Recorder(
            rt, self.aside, is_busy=lambda: self._leased > 0, on_idle=self._note_idle
        )
        self._workers: set[asyncio.Task[None]] = set()
        self._leased = 0
        #: The endpoint that was served last when a lease was too small for all.
        self._after = 0
        self._turn_ms = 0
        self._pumping = asyncio.Lock()
        self._policies: dict[float, EgressPolicy] = {}

    def policy(self, timeout_s: float) -> EgressPolicy:
        """Return where webhooks of a dialect with this timeout may go: https on the web's ports,
        and the excused addresses."""
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
        """Take due deliveries, as far as there is room, and start to send them; return how many."""
        taken = 0
        self.woken.clear()
        async with self._pumping:
            self._turn_ms = await self._measure_turn()
            await self.aside.refresh()
            has_passed_over = self._after > 0
            while (limit := self._room()) >= TAKE_MIN:
                taken += await self._take(limit)
                if self._after:
                    continue
                if not has_passed_over:
                    break
                has_passed_over = False
        return taken

    async def rest(self, *, timeout_s: float) -> None:
        """Wait until there is a reason to pump again, or for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.woken.wait()

    async def wait(self, *, timeout_s: float) -> bool:
        """Wait until everything on its way has ended and is recorded; return whether it has."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self.is_idle():
                    self.woken.clear()
                    await self.woken.wait()
        return self.is_idle()

    def is_idle(self) -> bool:
        """Return whether nothing is on its way."""
        return not self._leased and self._recorder.is_idle()

    def _room(self) -> int:
        """Return how many deliveries the next command may take."""
        return min(TAKE_MAX, LEASED_MAX - self._leased, ENDED_MAX - len(self._recorder))

    async def _measure_turn(self) -> int:
        """Give everybody else in this process a turn; return how many milliseconds that took."""
        started = self._rt.clock.monotonic()
        await asyncio.sleep(0)
        return round((self._rt.clock.monotonic() - started) * 1000)

    async def _take(self, limit: int) -> int:
        """Lease due deliveries and put them into their endpoints' lanes; return how many."""
        wall = self._rt.clock.steady()
        room = Room(
            after=self._after,
            total=limit,
            other=WINDOW_START,
            free=self._lanes.free(),
            without=self.aside.waiting(),
        )
        batch = await self._lease(room, wall)
        sizes = Counter[int]()
        for endpoint in batch:
            sizes[endpoint.endpoint_id] += len(endpoint.deliveries)
        size = sizes.total()
        self._leased += size
        # A batch too small for all begins the next one behind the endpoint that it served last.
        self._after = batch[-1].endpoint_id if size == limit else 0
        lease_until = wall + timedelta(seconds=self._lease_s)
        for place, endpoint in enumerate(batch):
            if place:  # preparing hundreds without a pause would stop everybody else
                await asyncio.sleep(0)
            lane = self._lanes.lane(endpoint.endpoint_id)
            for prepared in prepare(self._rt, endpoint):
                lane.waiting.append((prepared, lease_until))
                self._start_worker(lane)
        self._lanes.note_dry(sizes, free=room.free, after=room.after, is_full=size == limit)
        return size

    async def _lease(self, room: Room, wall: datetime) -> list[Taken]:
        """Take due deliveries; when that fails, take them in halves until the ones that cannot be
        taken stand alone, and set those aside."""
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
        except Exception as error:  # noqa: BLE001 - one delivery is to blame, the others are taken
            _log.warning(
                "webhooks are taken in parts", error=type(error).__name__, reason=str(error)
            )
        ids = await rt.repeat(
            "webhooks.due_ids", lambda tx: rows.due(tx, now=now, wall=wall, room=room)
        )
        batch = await sweeps.apart(rt, SWEEP, ids, take)
        await self.aside.read()
        return batch

    def _start_worker(self, lane: Lane) -> None:
        """Start one more worker for a lane when there is work and room for it."""
        if lane.waiting and lane.sending < lane.window:
            lane.sending += 1
            worker = asyncio.get_running_loop().create_task(self._work(lane))
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _work(self, lane: Lane) -> None:
        """Send what waits in a lane, one after another, while there is work and room."""
        try:
            while lane.waiting and lane.sending <= lane.window:
                prepared, lease_until = lane.waiting.popleft()
                # A process paused past the lease must not send what another has sent by now.
                if self._rt.clock.steady() < lease_until:
                    outcome = await attempt(self._rt, prepared, policy=self.policy)
                    self._end_attempt(lane, prepared, outcome)
                else:
                    self._release()
                if lane.is_hungry():
                    self.woken.set()
        finally:
            lane.sending -= 1

    def _end_attempt(self, lane: Lane, prepared: Prepared, outcome: Outcome) -> None:
        """See an outcome recorded; teach the lane by it if anything was to be sent."""
        self._end(outcome)
        if outcome is prepared.made:
            return
        lane.learn(outcome, turn_ms=self._turn_ms)
        if lane.ahead:
            self._start_worker(lane)
        elif outcome.state is not DeliveryState.DELIVERED:
            self._give_back(lane)

    def _give_back(self, lane: Lane) -> None:
        """End the leases taken ahead for an endpoint that fails now; they are due again at once."""
        now = self._rt.clock.now()
        while lane.waiting:
            delivery = lane.waiting.popleft()[0].delivery
            self._end(
                Outcome(delivery.delivery_id, delivery.lease_no, DeliveryState.DUE, now, due_at=now)
            )

    def _end(self, outcome: Outcome) -> None:
        """Let go of a delivery and see its outcome recorded."""
        self._recorder.add(outcome)
        self._release()

    def _release(self) -> None:
        self._leased -= 1
        self._note_idle()

    def _note_idle(self) -> None:
        if self.is_idle():
            self.woken.set()
