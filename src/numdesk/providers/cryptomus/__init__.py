"""Cryptomus: a gateway for payments in coins. One id is invoice and payment.

A callback is signed inside its own body.
"""

from __future__ import annotations

from numdesk.providers import Adapters, Provider, Surroundings
from numdesk.providers.cryptomus.adapter import Cryptomus
from numdesk.providers.cryptomus.fake import FakeCryptomus
from numdesk.providers.cryptomus.settings import CryptomusSettings


def _make(settings: CryptomusSettings, around: Surroundings) -> Adapters:
    return Adapters(payments=Cryptomus(settings, http=around.http))


PROVIDER = Provider(
    slug="cryptomus",
    title="Cryptomus",
    serves=frozenset({"payments"}),
    settings=CryptomusSettings,
    make=_make,
    fake=FakeCryptomus,
    docs="https://doc.cryptomus.com",
)
