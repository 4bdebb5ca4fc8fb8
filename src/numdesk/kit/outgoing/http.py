"""Outgoing HTTP: bounded in time and memory, never redirected, and never to a refused address."""

import asyncio
import ssl
from collections.abc import Mapping

import aiohttp

from numdesk.kit.clock import Clock
from numdesk.kit.outgoing.failures import name_failure
from numdesk.kit.outgoing.lane import Exchange, Lane, current_exchange
from numdesk.kit.outgoing.lookups import Lookups
from numdesk.kit.outgoing.network import assert_network_allowed
from numdesk.kit.outgoing.policy import EgressPolicy, HttpAnswer, check_headers
from numdesk.kit.outgoing.resolver import CheckedResolver, Resolver, SystemResolver
from numdesk.kit.outgoing.urls import Target, parse_url

#: A body that only is kept for display is waited for no longer than this.
BODY_WAIT_S = 0.25
#: Policies are few and made at start; more of them than this is a fault of the program.
POLICIES_MAX = 32


class OutgoingHttp:
    """Sends requests; one per process, closed at its end."""

    def __init__(
        self,
        clock: Clock,
        *,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        user_agent: str = "numdesk",
    ) -> None:
        """Send with the system's names and trust unless told otherwise."""
        self._clock = clock
        self._lookups = Lookups(SystemResolver() if resolver is None else resolver, clock)
        self._tls = tls
        self._user_agent = user_agent
        self._lanes: dict[EgressPolicy, Lane] = {}

    async def post(
        self, url: str, *, body: bytes, headers: Mapping[str, str], policy: EgressPolicy
    ) -> HttpAnswer:
        """Send `body` and return the answer.

        Raise HttpFailure, or NetworkForbidden inside a transaction.
        """
        return await self._send("POST", url, body=body, headers=headers, policy=policy)

    async def get(
        self, url: str, *, headers: Mapping[str, str], policy: EgressPolicy
    ) -> HttpAnswer:
        """Fetch `url` and return the answer.

        Raise HttpFailure, or NetworkForbidden inside a transaction.
        """
        return await self._send("GET", url, body=None, headers=headers, policy=policy)

    async def validate_url(self, url: str, *, policy: EgressPolicy) -> None:
        """Judge a URL when it is registered, by text and by addresses; raise HttpFailure.

        The judgement is for the writer of the URL. Sending judges again, because names change.
        """
        assert_network_allowed()
        target = parse_url(url, policy)
        # Not from memory: who has just corrected a name is not told what it was before.
        checked = CheckedResolver(self._lookups.fresh, policy)
        if target.is_address:
            checked.check_address(target.host, target.port)
        else:
            await checked.addresses_of(target.host, target.port)

    async def close(self) -> None:
        """Close every connection."""
        for lane in self._lanes.values():
            await lane.session.close()
        self._lanes.clear()
        await self._lookups.close()

    async def _send(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        policy: EgressPolicy,
    ) -> HttpAnswer:
        """Do one exchange and name whatever goes wrong."""
        assert_network_allowed()
        check_headers(headers)
        target = parse_url(url, policy)
        lane = self._lanes.get(policy) or self._open_lane(policy)
        if target.is_address:
            # The HTTP library asks no resolver about addresses.
            lane.checked.check_address(target.host, target.port)
        await lane.enter(target.host)
        exchange = Exchange(self._clock.monotonic())
        mark = current_exchange.set(exchange)
        try:
            async with asyncio.timeout(policy.total_timeout_s) as exchange.deadline:
                return await self._exchange(lane, method, target, body, headers)
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError, MemoryError) as error:
            answer = None if policy.needs_body else exchange.answer(self._clock.monotonic())
            if answer is None:
                raise name_failure(error) from error
            return answer
        finally:
            current_exchange.reset(mark)
            lane.turns.leave(target.host)

    async def _exchange(
        self,
        lane: "Lane",
        method: str,
        target: Target,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> HttpAnswer:
        """Send one request and read its answer as far as the policy wants it."""
        async with lane.session.request(
            method, target.url, data=body, headers=headers, allow_redirects=False
        ) as response:
            exchange = current_exchange.get()
            status = response.status
            retry_after = response.headers.get("Retry-After") if status >= 400 else None
            if not lane.policy.needs_body:
                elapsed_ms = exchange.elapsed_ms(self._clock.monotonic())
                head, is_cut = await _read_shown(response, lane.policy)
                return HttpAnswer(status, head, elapsed_ms, is_cut, retry_after)
            kept = bytearray()
            is_cut = await _read_head(response, lane.policy, kept)
            return HttpAnswer(
                status,
                bytes(kept),
                exchange.elapsed_ms(self._clock.monotonic()),
                is_cut,
                retry_after,
            )

    def _open_lane(self, policy: EgressPolicy) -> "Lane":
        """Make the connections' pool of a policy.

        Pools are not shared, so no policy rides on another's permission.
        """
        if len(self._lanes) >= POLICIES_MAX:
            raise RuntimeError("Egress policies are made at start, not per request.")
        lane = self._lanes[policy] = Lane(self._lookups, policy, self._tls, self._user_agent)
        return lane


async def _read_head(
    response: aiohttp.ClientResponse, policy: EgressPolicy, kept: bytearray
) -> bool:
    """Read the answer's body into `kept` up to the policy's bound.

    Return whether there was more of it.
    """
    read = 0
    while chunk := await response.content.readany():
        read += len(chunk)
        if len(kept) < policy.answer_keep_max:
            kept += chunk[: policy.answer_keep_max - len(kept)]
        if read > policy.answer_read_max:
            # Close the connection too: reading the rest would cost more than a new connection.
            response.close()
            return True
    return read > len(kept)


async def _read_shown(response: aiohttp.ClientResponse, policy: EgressPolicy) -> tuple[bytes, bool]:
    """Return the body of an answer for display, without waiting for it long, and whether it was
    cut."""
    kept = bytearray()
    # Closing wakes the reader. A body that is complete, as it mostly is, needs no such limit.
    limit = (
        None
        if response.content.is_eof()
        else asyncio.get_running_loop().call_later(BODY_WAIT_S, response.close)
    )
    try:
        is_cut = await _read_head(response, policy, kept)
    except (aiohttp.ClientError, OSError, ValueError):
        is_cut = True
    finally:
        if limit is not None:
            limit.cancel()
    return bytes(kept), is_cut
