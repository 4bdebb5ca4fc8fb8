"""Our own stock: the numbers that the operator has loaded.

It is a provider so that prices, routing and scores treat it like any other, but selling from it
needs no call to anyone: the use cases sell, cancel and reactivate our own numbers inside the
database, in the command that also moves the money. Of the port it answers what has a true answer
without asking (see `adapter.py`).
"""

from numdesk.providers import Adapters, NoSettings, Provider
from numdesk.providers.local.adapter import OwnStock

PROVIDER = Provider(
    slug="local",
    title="Own stock",
    serves=frozenset({"supplier"}),
    settings=NoSettings,
    make=lambda _settings, _around: Adapters(supplier=OwnStock()),
)
