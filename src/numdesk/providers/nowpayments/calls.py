"""One call of NOWPayments: its key, its short-lived token for lists, and what its noes mean."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from numdesk.kit.outgoing.base_url import policy_for
from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.kit.outgoing.policy import HttpAnswer, HttpFailure
from numdesk.ports.errors import Cause, ProviderError
from numdesk.protocols.json_tokens import read_object, read_text, write_js
from numdesk.providers import broken_answer, check_outage, reading_answer, unanswered
from numdesk.providers.nowpayments.settings import NowPaymentsSettings

Document = Mapping[str, Any]

#: A page of the list has up to 500 rows of about a kilobyte.
ANSWER_BYTES_MAX = 4 * 1024 * 1024
TOKEN_CHARS_MAX = 4096
_NOT_ALLOWED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Calls:
    """Every method source of exchange rates. Raises only ProviderError."""

    def __init__(self, settings: NowPaymentsSettings, *, http: OutgoingHttp) -> None:
        self._settings = settings
        self._http = http
        self._policy = policy_for(
            settings.base_url, timeout_s=settings.timeout_s, answer_bytes_max=ANSWER_BYTES_MAX
        )
        #: Lives for five minutes; a refused one is replaced.
        self._token: str | None = None

    async def post(self, path: str, asked: Document) -> Document:
        """Post a document and returns the answer."""
        return _document(await self._send(path, body=write_js(asked).encode()))

    async def get(self, path: str) -> Document | None:
        """Return the value at a path, None when there is nothing."""
        answer = await self._send(path)
        return None if answer.status == HTTPStatus.NOT_FOUND else _document(answer)

    async def get_listed(self, path: str) -> Document:
        """Return a page of a list, which opens to a token only.

        A token that is too old is replaced once.
        """
        if not self._settings.may_list:
            raise ProviderError(
                Cause.PROVIDER_UNAVAILABLE, "lists need the account's email and password", ours=True
            )
        answer = (
            await self._send(path, token=await self._authenticate())
            if self._token is None
            else await self._send(path, token=self._token)
        )
        if answer.status in _NOT_ALLOWED:
            answer = await self._send(path, token=await self._authenticate())
        return _document(answer)

    async def _authenticate(self) -> str:
        """Get a new token."""
        account = {"email": self._settings.email, "password": self._settings.password}
        token = _document(await self._send("/auth", body=write_js(account).encode())).get("token")
        if (
            not isinstance(token, str)
            or not token.isascii()
            or not token.isprintable()
            or not 0 < len(token) <= TOKEN_CHARS_MAX
        ):
            raise broken_answer("has no token")
        self._token = str(token)
        return self._token

    async def _send(
        self, path: str, *, body: bytes | None = None, token: str | None = None
    ) -> HttpAnswer:
        """Post a body, or asks for a path."""
        settings = self._settings
        if not settings.is_complete:
            raise ProviderError(Cause.PROVIDER_UNAVAILABLE, "this gateway is not set up", ours=True)
        headers = {"x-api-key": settings.api_key} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        url = settings.base_url + path
        try:
            if body is None:
                return await self._http.get(url, headers=headers, policy=self._policy)
            return await self._http.post(
                url,
                body=body,
                headers={**headers, "Content-Type": "application/json"},
                policy=self._policy,
            )
        except HttpFailure as error:
            raise unanswered(error) from error


@reading_answer()
def _document(answer: HttpAnswer) -> Document:
    """Return what a good answer holds. Raises ProviderError for every other one."""
    status = answer.status
    check_outage(status)
    if status not in (HTTPStatus.OK, HTTPStatus.CREATED):
        raise ProviderError(Cause.PROVIDER_ERROR, f"the gateway refused with {status}", ours=True)
    return read_object(
        read_text(answer.body_head, bytes_max=ANSWER_BYTES_MAX)
    )  # one that was cut off is none
