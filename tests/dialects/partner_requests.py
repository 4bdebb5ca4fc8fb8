"""Requests of the partner API for tests of its parsers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from numdesk.dialects import Request
from numdesk.dialects.partner.wire import read_object
from numdesk.domain.customers.callers import Caller, CustomerState
from numdesk.domain.errors import InvalidInput


def request_of(
    body: bytes | dict[str, Any] = b"",
    *,
    path: str = "/api/v1/numbers/rent",
    params: tuple[str, ...] = (),
    options: dict[str, Any] | None = None,
) -> Request:
    """Return a signed request of a customer with these options."""
    scope = {
        "client": None,
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
    }
    request = Request(scope, {b"x-signature": b"AB" * 32}, params, "id")
    request.body = body if isinstance(body, bytes) else json.dumps(body).encode()
    request.caller = Caller(
        1,
        1,
        CustomerState.ACTIVE,
        "partner",
        1,
        "EUR",
        frozenset(),
        frozenset(),
        (),
        None,
        None,
        None,
        options=options or {},
    )
    return request


def read(**fields: Any) -> dict[str, Any]:
    """Return the fields as they are read from a body."""
    return read_object(request_of(fields))


def field_of(refusal: pytest.ExceptionInfo[InvalidInput]) -> str:
    """Return the field that a refusal names."""
    return refusal.value.field
