"""Lanes: the deliveries of one endpoint in one process, and how many of them may be sent at a
time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from numdesk.domain.webhooks import WINDOW_START, DeliveryState, endpoint_pace_ms, next_window
from numdesk.storage.webhooks.deliveries import Outcome
from numdesk.usecases.webhooks.attempts import Prepared

#: An endpoint that answers well has leased ahead what it is sent in this time, so that its sends
#: never wait for the database.
AHEAD_MS = 250
#: ... but no more than this.
AHEAD_MAX = 96
#: Lanes remembered; above this, those without work are forgotten with their windows.
LANES_MAX = 10_000


@dataclass(slots=True)
class Lane:
    """Deliveries of one endpoint: waiting ones, the number being sent, the number that may be."""

    #: Prepared deliveries, each with the end of its lease.
    waiting: deque[tuple[Prepared, datetime]] = field(default_factory=deque)
    sending: int = 0
    window: int = WINDOW_START
    #: How many may be leased ahead; none unless the last send was a success.
    ahead: int = 0
    #: True when the last lease found nothing more due: a new one would find nothing either.
    is_dry: bool = False

    def free(self) -> int:
        """Return how many more deliveries may be leased."""
        return max(0, self.window + self.ahead - self.sending - len(self.waiting))

    def is_hungry(self) -> bool:
        """Return whether to lease more: not before half is gone, or batches would be small."""
        return (
            not self.is_dry and (self.sending + len(self.waiting)) * 2 <= self.window + self.ahead
        )

    def learn(self, outcome: Outcome, *, turn_ms: int) -> None:
        """Widen or narrow the window by the outcome of a send.

        `turn_ms` is how long a turn of this process's event loop takes; the endpoint is not to
        blame for it.
        """
        delivered = outcome.state is DeliveryState.DELIVERED
        pace_ms = endpoint_pace_ms(outcome.elapsed_ms, turn_ms=turn_ms)
        self.window = next_window(self.window, delivered=delivered, elapsed_ms=pace_ms)
        self.ahead = min(AHEAD_MAX, self.window * AHEAD_MS // (pace_ms or 1)) if delivered else 0


class Lanes:
    """The lanes of one process, by endpoint."""

    def __init__(self) -> None:
        """Start without lanes."""
        self._lanes: dict[int, Lane] = {}

    def lane(self, endpoint_id: int) -> Lane:
        """Return the lane of an endpoint, a new one if there is none."""
        found = self._lanes.get(endpoint_id)
        if found is None:
            found = self._lanes[endpoint_id] = Lane()
        return found

    def free(self) -> dict[int, int]:
        """Return how many more deliveries each known endpoint may have leased."""
        if len(self._lanes) > LANES_MAX:
            self._lanes = {
                endpoint_id: lane
                for endpoint_id, lane in self._lanes.items()
                if lane.sending or lane.waiting
            }
        return {endpoint_id: lane.free() for endpoint_id, lane in self._lanes.items()}

    def note_dry(
        self, leased: Counter[int], *, free: Mapping[int, int], after: int, is_full: bool
    ) -> None:
        """Note which endpoints behind `after` were given less than they had room for.

        `leased` has the deliveries by endpoint of one lease, `free` the room that it was given;
        a lease that `is_full` says nothing of the endpoints that got less.
        """
        for endpoint_id, lane in self._lanes.items():
            if endpoint_id > after:
                room = free.get(endpoint_id, WINDOW_START)
                lane.is_dry = not is_full and leased[endpoint_id] < room
