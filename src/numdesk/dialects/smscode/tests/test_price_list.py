"""Tests of the lists of the smscode API: what is listed, in which order, page by page."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.dialects import Answer
from numdesk.dialects.smscode import price_list
from numdesk.dialects.smscode.price_list import (
    Remembered,
    Selection,
    list_products,
    parse_selection,
    products_page,
    render_operators,
    render_services,
)
from numdesk.domain.fx import Rate
from numdesk.domain.stock.catalogue import Catalogue
from numdesk.domain.stock.numbers import CatalogueProduct, Country, Offer, Operator, Service

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

SERVICES = {id_: Service(id_, f"s{id_}", f"Service {'ABCD'[id_]}", True) for id_ in range(1, 4)}
ALL = Selection(None, None, None, "price_asc", 1000, 1)


def catalogue_of(*offers: Offer) -> Catalogue:
    """Return a catalogue of one country, three services and two operators with these offers."""
    groups: dict[int, list[Offer]] = {}
    for offer in offers:
        groups.setdefault(offer.catalogue_id, []).append(offer)
    return Catalogue(
        currency="IDR",
        countries={6: Country(6, "ID", "Indonesia", "62", "🇮🇩", True)},
        services=SERVICES,
        operators={1: Operator(1, 6, "xl", "XL", None), 2: Operator(2, 6, "axis", "Axis", None)},
        products={id_: CatalogueProduct(id_, 6, id_) for id_ in SERVICES},
        product_ids={(6, id_): id_ for id_ in SERVICES},
        offers={offer.id: offer for offer in offers},
        offers_by_product={id_: tuple(group) for id_, group in groups.items()},
        healthy=frozenset({"local"}),
        scores={},
        neutral=5,
    )


def offer(
    id_: int,
    service: int = 1,
    *,
    price: int = 100,
    available: int = 5,
    operator: int | None = None,
    provider: str = "local",
) -> Offer:
    """Return a tier."""
    return Offer(id_, service, 6, service, operator, provider, "IDR", price, 0, available, True)


def data_of(answer: Answer) -> Any:
    return json.loads(answer.body)["data"]


def page_of(catalogue: Catalogue, selection: Selection) -> Answer:
    """Return a page made from nothing."""

    async def make() -> Answer:
        return await (await list_products(catalogue, selection, None)).render(
            limit=selection.limit, page=selection.page
        )

    return asyncio.run(make())


def ids(catalogue: Catalogue, selection: Selection = ALL) -> list[int]:
    """Return the ids of the products that are listed."""
    return [row["id"] for row in data_of(page_of(catalogue, selection))]


class TestProducts:
    """The price list."""

    def test_lists_only_what_can_be_bought(self) -> None:
        """Sold out, inactive and unhealthy tiers are not listed."""
        sold_out, inactive, unhealthy = (
            offer(2, available=0),
            replace(offer(3), active=False),
            offer(4, provider="ill"),
        )
        assert ids(catalogue_of(offer(1), sold_out, inactive, unhealthy)) == [1]

    def test_hides_operators_tiers_behind_an_any_tier(self) -> None:
        """Without an operator the any-tier stands for the product; where it is missing or sold out,
        the operators' tiers are listed.
        """
        both = catalogue_of(offer(1), offer(2, operator=1), offer(3, service=2, operator=2))
        assert ids(both) == [1, 3]
        assert ids(catalogue_of(offer(1, available=0), offer(2, operator=1))) == [2]
        assert ids(both, replace(ALL, operator_id=1)) == [2]

    def test_sorts_six_ways(self) -> None:
        """Each order of the vendor's, and ties by id whichever way it runs."""
        rows = catalogue_of(
            offer(3, 1, price=2, available=9),
            offer(1, 2, price=2, available=7),
            offer(2, 3, price=1, available=9),
        )
        wanted = {
            "price_asc": [2, 1, 3],
            "price_desc": [1, 3, 2],
            "available_asc": [1, 2, 3],
            "available_desc": [2, 3, 1],
            "name_asc": [3, 1, 2],
            "name_desc": [2, 1, 3],
        }
        assert {sort: ids(rows, replace(ALL, sort=sort)) for sort in wanted} == wanted
        assert parse_selection({"sort": "by_colour"}).sort == "price_asc"

    @given(
        st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 3)), max_size=30),
        st.integers(1, 7),
        st.sampled_from(
            ["price_asc", "price_desc", "available_asc", "available_desc", "name_asc", "name_desc"]
        ),
    )
    def test_pages_without_gap_or_overlap(
        self, rows: list[tuple[int, int, int]], limit: int, sort: str
    ) -> None:
        """All pages together are the whole list, each row once."""
        catalogue = catalogue_of(
            *[
                offer(i, service, price=price, available=left)
                for i, (service, price, left) in enumerate(rows, 1)
            ]
        )
        whole = ids(catalogue, replace(ALL, sort=sort))
        pages = [
            ids(catalogue, replace(ALL, sort=sort, limit=limit, page=page))
            for page in range(1, len(rows) + 2)
        ]
        assert [row for page in pages for row in page] == whole

    def test_counts_the_rows_of_the_page(self) -> None:
        """`count` is what this page holds; `limit` and `page` are what was applied."""
        answer = page_of(catalogue_of(offer(1), offer(2), offer(3)), replace(ALL, limit=2, page=2))
        assert json.loads(answer.body)["meta"] == {"page": 2, "limit": 2, "count": 1}

    async def test_sorts_once_for_pages_of_any_size(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever changes the limit with each request makes neither a new list nor a row a second
        time; another rate is another list.
        """
        made: list[str] = []

        def spied(name: str) -> None:
            whole = getattr(price_list, name)
            monkeypatch.setattr(price_list, name, lambda *given: made.append(name) or whole(*given))

        spied("_in_stock"), spied("_product")
        rt = cast("Runtime", SimpleNamespace(states={}))
        catalogue = catalogue_of(offer(1), offer(2, 2), offer(3, 3))
        for limit in (1, 2, 3, 1000, 2):
            answer = await products_page(rt, catalogue, replace(ALL, limit=limit), None)
            assert json.loads(answer.body)["meta"] == {
                "page": 1,
                "limit": limit,
                "count": min(limit, 3),
            }
        assert made == ["_in_stock", *["_product"] * 3]
        await products_page(
            rt, catalogue, ALL, Rate("USD/IDR", 16_250, datetime(2026, 1, 1, tzinfo=UTC))
        )
        assert made.count("_in_stock") == 2


class TestServicesAndOperators:
    """The other lists."""

    def test_lists_services_in_stock(self) -> None:
        """With a country only what can be bought there now."""
        catalogue = catalogue_of(offer(1), offer(2, service=2, available=0))
        assert [row["id"] for row in data_of(asyncio.run(render_services(catalogue, 6)))] == [1]
        assert [row["id"] for row in data_of(asyncio.run(render_services(catalogue, None)))] == [
            1,
            2,
            3,
        ]

    def test_offers_any_beside_operators_only(self) -> None:
        """No operator, no choice; "any" first where it sells, left out where it does not."""
        assert data_of(render_operators(catalogue_of(offer(1)), 6, 1)) == []
        mixed = catalogue_of(offer(1), offer(2, operator=1), offer(3, operator=2))
        assert [row["code"] for row in data_of(render_operators(mixed, 6, 1))] == [
            "any",
            "axis",
            "xl",
        ]
        assert [
            row["code"]
            for row in data_of(render_operators(catalogue_of(offer(2, operator=1)), 6, 1))
        ] == ["xl"]


class TestRemembered:
    """Answers kept for one moment."""

    async def test_makes_an_answer_once_a_moment(self) -> None:
        """The same question about the same moment is answered from memory, also while it is being
        made; a new moment makes it again.
        """
        memory, made = Remembered(), []

        async def make() -> Answer:
            made.append(1)
            await asyncio.sleep(0)
            return Answer(200, b"")

        first, second = catalogue_of(), catalogue_of()
        await asyncio.gather(*(memory.answer(first, "name", make) for _ in range(3)))
        assert len(made) == 1
        for moment in (first, second, first):
            await memory.answer(moment, "name", make)
        assert len(made) == 3
