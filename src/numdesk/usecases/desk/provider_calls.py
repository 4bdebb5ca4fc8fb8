"""Calls of providers, each with a time limit: a provider that hangs has failed, and what it held is
free again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar, cast

from numdesk.ports.errors import Cause, ProviderError

T = TypeVar("T")

#: A provider that takes longer has not answered. Less than the time limit of the jobs that call
#: one, so that a job ends with this reason.
CALL_TIMEOUT_S = 25.0
#: Likewise where a customer waits for the answer.
CUSTOMER_WAITS_S = 8.0


async def answered(call: Awaitable[T], *, within_s: float = CALL_TIMEOUT_S) -> T:
    """Return a provider's answer.

    Raises ProviderError, with an unknown outcome when none came in time.
    """
    try:
        async with asyncio.timeout(within_s):
            return await call
    except TimeoutError as error:
        text = f"no answer within {within_s:g} s"
        raise ProviderError(Cause.PROVIDER_UNAVAILABLE, text, unknown=True) from error


async def each(works: Iterable[Awaitable[T]]) -> list[T]:
    """Await all of these to their ends, whatever becomes of the others, and return their results.

    Raise the first error.
    """
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return cast("list[T]", results)
