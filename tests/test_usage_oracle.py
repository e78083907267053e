"""Our normal form against genai-prices' reading of every usage object in the captures."""

from __future__ import annotations

from collections import defaultdict

import pytest

from sans_io_stream.normalize import normalize
from tests.expectations import recordings
from tests.usage_disagreements import DISAGREEMENTS
from tests.usage_oracle import WITHOUT_ORACLE, all_counted, second_reading

pytest.importorskip("genai_prices")
pytestmark = pytest.mark.skipif(not recordings(), reason="../shared/captures is missing")


def test_every_disagreement_is_explained_and_every_explanation_needed() -> None:
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    compared = 0
    for counted in all_counted():
        other = second_reading(counted)
        if other is None:
            assert counted.dialect in {*WITHOUT_ORACLE, "bedrock-invoke"}
            continue
        compared += 1
        place = counted.provider, counted.dialect
        if isinstance(other, str):
            found[place].add("refused")
            continue
        ours = normalize(counted.raw, counted.dialect)
        found[place] |= {name for name, count in other.items() if count != getattr(ours, name)}
    assert {place: fields for place, fields in found.items() if fields} == {
        place: set(reasons) for place, reasons in DISAGREEMENTS.items()
    }
    assert compared > 300
