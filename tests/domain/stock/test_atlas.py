"""The atlas is consistent, and its made-up numbers belong to nobody."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.domain.stock import atlas


class TestAtlas:
    """Countries, services and operators."""

    def test_names_everything_once(self) -> None:
        """Ids and slugs are unique, so a list never means two things."""
        assert len(atlas.COUNTRIES_BY_ISO2) == len(atlas.COUNTRIES) >= 40
        assert len(atlas.SERVICES_BY_CODE) == len(atlas.SERVICES) >= 200
        for country in atlas.COUNTRIES:
            codes = [operator.code for operator in country.operators]
            assert len(set(codes)) == len(codes)

    @pytest.mark.parametrize("country", atlas.COUNTRIES, ids=lambda country: country.iso2)
    def test_knows_the_dial_code(self, country: atlas.CountryFacts) -> None:
        """A country's dial code is the one of the world's numbering plan."""
        assert phonenumbers.country_code_for_region(country.iso2) == int(country.dial_code)

    def test_keeps_ids_that_examples_use(self) -> None:
        """Indonesia is 6 and WhatsApp is 3."""
        assert (atlas.COUNTRIES_BY_ISO2["ID"].id, atlas.SERVICES_BY_CODE["whatsapp"].id) == (6, 3)

    def test_waves_the_flag(self) -> None:
        """An emoji is made of the country's letters."""
        assert atlas.COUNTRIES_BY_ISO2["ID"].emoji == "🇮🇩"


class TestSyntheticMsisdn:
    """Made-up numbers."""

    @given(st.sampled_from(atlas.COUNTRIES), st.integers(0, atlas.SERIALS_PER_COUNTRY - 1))
    def test_belongs_to_nobody(self, country: atlas.CountryFacts, serial: int) -> None:
        """No numbering plan has the number, and it is short enough for E.164."""
        msisdn = atlas.synthetic_msisdn(country, serial)
        assert len(str(msisdn)) <= 15
        assert not phonenumbers.is_valid_number(phonenumbers.parse(f"+{msisdn}"))
