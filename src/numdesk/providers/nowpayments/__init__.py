"""NOWPayments: a gateway for payments in coins. An invoice has any number of payments.

A callback is signed in a header.
"""

from __future__ import annotations

from numdesk.providers import Adapters, Provider, Surroundings
from numdesk.providers.nowpayments.adapter import NowPayments
from numdesk.providers.nowpayments.calls import Calls
from numdesk.providers.nowpayments.fake import FakeNowPayments
from numdesk.providers.nowpayments.settings import NowPaymentsSettings


def _make(settings: NowPaymentsSettings, around: Surroundings) -> Adapters:
    return Adapters(payments=NowPayments(settings, calls=Calls(settings, http=around.http)))


PROVIDER = Provider(
    slug="nowpayments",
    title="NOWPayments",
    serves=frozenset({"payments"}),
    settings=NowPaymentsSettings,
    make=_make,
    fake=FakeNowPayments,
    docs="https://documenter.getpostman.com/view/7907941/2s93JusNJt",
)
