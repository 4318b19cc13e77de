"""The dashboard's ratios are those of the semantic layer."""

from __future__ import annotations

import pytest

from dashboard import metrics, queries


def test_a_ratio_is_of_sums_and_a_derived_metric_of_a_ratio() -> None:
    assert metrics.summed("roas") == "sum(platform_value_usd) / nullif(sum(spend_usd), 0)"
    assert metrics.summed("cpm") == "1000 * (sum(spend_usd) / nullif(sum(impressions), 0))"


def test_a_measure_may_have_another_column() -> None:
    assert metrics.summed("retail_price") == "sum(revenue_usd) / nullif(sum(units_sold), 0)"


def test_what_the_semantic_layer_does_not_know_is_refused() -> None:
    with pytest.raises(KeyError):
        metrics.summed("roas_of_my_own")


def test_pages_take_their_ratios_from_it() -> None:
    for name, fact in (("roas", queries.MEDIA), ("ctr", queries.MEDIA), ("cpm", queries.MEDIA), ("margin", queries.SHOP)):  # fmt: skip
        assert any(rate.startswith(metrics.summed(name)) for rate in fact.rates), name
