"""The truth: sums that must hold, counterfactuals, and what each scenario promises."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from simulator.config import CHANNEL_NAMES, CHANNELS, SCENARIOS, Channel, Options
from simulator.demand import ar1
from simulator.feeds_context import exposures, frequency_mix, wasted_share
from simulator.feeds_media import split_whole
from simulator.geography import load_geography, stores_per_dma
from simulator.journeys import Credit, _events, added_chance
from simulator.media import to_cents
from simulator.response import carryover, kernel, saturate
from simulator.truth import channel_tables, lift_table, response_table, sales_tables
from simulator.world import World, build_world, expected_revenue


@functools.cache
def world(scenario: str = "default", seed: int = 7, weeks: int = 70) -> World:
    return build_world(Options(seed=seed, weeks=weeks, scale=0.1, scenario=SCENARIOS[scenario]))


def launch(w: World) -> np.ndarray:
    return np.arange(w.options.weeks) >= w.launch


def test_revenue_is_baseline_plus_contributions() -> None:
    w = world()
    parts = w.baseline_cells().sum(axis=(1, 2)) + sum(w.contribution(c) for c in CHANNEL_NAMES)
    np.testing.assert_allclose(expected_revenue(w), parts, rtol=1e-12)
    bridge = sales_tables(w)["baseline_week"]
    np.testing.assert_allclose(
        bridge["baseline_usd"] + bridge["media_usd"] + bridge["noise_usd"], bridge["observed_usd"], rtol=1e-9
    )
    np.testing.assert_allclose(
        bridge["base_usd"] + bridge["promotion_usd"], bridge["baseline_usd"], rtol=1e-9
    )
    weekly = channel_tables(w)["channel_week"].groupby("week_start_date")["contribution_usd"].sum()
    np.testing.assert_allclose(weekly.to_numpy(), bridge["media_usd"], rtol=1e-9)


def test_observed_sales_are_unbiased_and_noisy() -> None:
    bridge = sales_tables(world())["baseline_week"]
    assert abs(bridge["noise_usd"].sum() / bridge["expected_usd"].sum()) < 0.005
    assert bridge["noise_usd"].abs().min() > 0


def test_stock_outs_only_take_away() -> None:
    for name in ("default", "stockouts"):
        w = world(name)
        assert (w.units <= w.demand_units).all()
        assert (w.units[w.demand.available == 1] == w.demand_units[w.demand.available == 1]).all()
    lost = [
        float((world(n).demand_units - world(n).units).sum() / world(n).demand_units.sum())
        for n in ("default", "stockouts")
    ]
    assert lost[1] > 4 * lost[0] > 0


def test_truth_roi_is_the_difference_of_two_worlds() -> None:
    """Switch a channel off in the response itself, not through the truth's own code."""
    w = world()
    table = channel_tables(w)["channel"].set_index("channel")
    for name in ("youtube", "search_brand", "roundel"):
        without = sum(w.contribution(c) for c in CHANNEL_NAMES if c != name) + w.baseline_cells().sum(
            axis=(1, 2)
        )
        lost = (expected_revenue(w) - without).sum()
        assert table.loc[name, "incremental_revenue"] == pytest.approx(lost, rel=1e-9)
        assert table.loc[name, "roi"] == pytest.approx(lost / w.spend(name).sum(), rel=1e-6)


def test_launch_return_is_what_the_seed_drew() -> None:
    table = channel_tables(world())["channel"].set_index("channel")
    for channel in CHANNELS:
        if channel.name != "instagram_reels":
            assert 0.6 * channel.roi < table.loc[channel.name, "launch_roi"] < 1.6 * channel.roi
    assert table.loc["meta_retargeting", "launch_roi"] < 0.7 < 1.3 < table.loc["ctv_other", "launch_roi"]


@pytest.mark.parametrize(("scenario", "share"), [("default", 0.30), ("strong_mediation", 0.60)])
def test_social_drives_search_by_the_planted_share(scenario: str, share: float) -> None:
    w = world(scenario)
    direct, indirect = w.total_effect("instagram_reels", launch(w))
    part = indirect[:, launch(w)].sum() / (direct + indirect)[:, launch(w)].sum()
    assert part == pytest.approx(share, abs=1e-6)


def test_no_effect_world_has_no_effect() -> None:
    w = world("no_effect")
    assert all(w.contribution(c).sum() == 0 for c in CHANNEL_NAMES)
    assert sum(added_chance(w).values()) == 0
    assert (channel_tables(w)["channel"]["roi"] == 0).all()
    assert (lift_table(w)["incremental_revenue"] == 0).all()


def test_retargeting_and_brand_search_chase_demand() -> None:

    def chase(w: World, name: str) -> float:
        latent = w.demand.latent - w.demand.latent.mean(axis=1, keepdims=True)
        spend = w.spend(name)[:, : w.launch] / w.geo.homes[:, None]
        moved = spend / np.maximum(spend.mean(axis=1, keepdims=True), 1e-12)
        return float(np.corrcoef(moved.ravel(), latent[:, : w.launch].ravel())[0, 1])

    worlds = [world(seed=s, weeks=48) for s in (1, 2, 3, 4)]
    follow = {c: float(np.mean([chase(w, c) for w in worlds])) for c in CHANNEL_NAMES[:7]}
    assert min(follow["meta_retargeting"], follow["search_brand"]) > 0.2
    assert max(abs(follow[c]) for c in ("youtube", "hulu", "ctv_other", "instagram_reels")) < 0.15
    confounded = world("confounded")
    spend = confounded.spend("youtube")[:, : confounded.launch].sum(axis=0)
    assert np.corrcoef(spend, confounded.demand.latent.mean(axis=0)[: confounded.launch])[0, 1] > 0.25


def test_ctv_holdout_is_dark_in_matched_markets() -> None:
    w = world()
    test = w.tests[0]
    assert (test.channel, test.kind) == ("ctv_other", "holdout")
    inside = w.spend("ctv_other")[:, test.start_week : test.end_week]
    assert inside[test.treated].sum() == 0
    assert (inside[test.control].sum(axis=1) > 0).all()
    assert not (test.treated & test.control).any()
    ratio = w.geo.homes[test.treated].mean() / w.geo.homes[test.control].mean()
    assert 0.8 < ratio < 1.25
    row = lift_table(w).iloc[0]
    assert row["incremental_revenue"] < 0
    assert 0.5 < row["iroas"] < 5


def test_a_heavy_up_is_held_against_what_was_planned() -> None:
    """Off air the plan has no spend, as the controls have none; the test's spend is then new in full."""
    for seed in (1, 2, 3, 4):
        w = world(seed=seed, weeks=90)
        test = next(t for t in w.tests if t.kind == "heavy_up")
        window = slice(test.start_week, test.end_week)
        spend = w.spend(test.channel)[:, window]
        row = lift_table(w).set_index("experiment_id").loc[test.experiment_id]
        homes = w.geo.homes
        like_controls = spend[test.control].sum() / homes[test.control].sum() * homes[test.treated].sum()
        expected = spend[test.treated].sum() - like_controls
        assert row["spend_change_usd"] == pytest.approx(expected, rel=0.2)
        assert row["iroas"] > 0


def test_over_exposed_people_waste_money() -> None:
    mix = frequency_mix("meta_retargeting", np.array([0.3, 1.0, 3.0]))
    np.testing.assert_allclose(mix.sum(axis=-1), 1)
    waste = wasted_share(mix, 4)
    assert (np.diff(waste) > 0).all() and 0.2 < waste[1] < 0.8
    assert wasted_share(mix, 99).sum() == 0
    assert exposures()[0] == 1 and len(exposures()) == 15


def test_last_touch_flatters_retargeting_and_brand_search() -> None:
    w = world()
    credit = Credit(
        np.zeros(len(CHANNEL_NAMES)), np.zeros(len(CHANNEL_NAMES)), np.zeros(len(CHANNEL_NAMES) + 2)
    )
    _events(w, np.random.default_rng(1), 20_000, added_chance(w), credit)
    true = dict(zip(CHANNEL_NAMES, credit.true / credit.true.sum(), strict=True))
    last = dict(
        zip(
            CHANNEL_NAMES,
            credit.last[: len(CHANNEL_NAMES)] / credit.last[: len(CHANNEL_NAMES)].sum(),
            strict=True,
        )
    )
    assert last["search_brand"] > 4 * true["search_brand"]
    assert last["meta_retargeting"] > 2 * true["meta_retargeting"]
    assert last["youtube"] < 0.7 * true["youtube"] and last["ctv_other"] < 0.7 * true["ctv_other"]


def test_advertising_varies_enough_to_be_told_apart() -> None:
    w = world(weeks=116)
    flows = np.stack([w.carried(c, w.spend(c)).ravel() for c in CHANNEL_NAMES[:7]])
    inflation = np.diag(np.linalg.inv(np.corrcoef(flows)))
    assert inflation.max() < 10


def test_elasticity_is_in_the_prices_and_units() -> None:
    d = world().demand
    listed = d.regular_effect[:, d.listed], d.regular_price[:, d.listed]
    slope = np.polyfit(
        np.log(listed[1] / listed[1].mean(axis=(0, 2), keepdims=True)).ravel(),
        np.log(listed[0] / np.exp(np.log(listed[0]).mean(axis=(0, 2), keepdims=True))).ravel(),
        1,
    )[0]
    assert slope == pytest.approx(d.elasticity, abs=0.02)
    promoted = d.unit_effect[:, d.promo] / d.regular_effect[:, d.promo]
    assert promoted.mean() > 1.2
    after = ~d.promo[..., 1:] & d.promo[..., :-1]
    borrowed = d.unit_effect[..., 1:][:, after] / d.regular_effect[..., 1:][:, after]
    assert borrowed.mean() < 0.99, "a promotion takes sales from the weeks after it"


# small parts -----------------------------------------------------------------------------------------------------


def test_exact_splitting() -> None:
    rng = np.random.default_rng(0)
    amount = rng.uniform(0, 1, (30, 40))
    cents = to_cents(amount, 123_456_789)
    assert cents.sum() == 123_456_789 and (cents >= 0).all()
    assert np.abs(cents - amount * 123_456_789 / amount.sum()).max() <= 1
    assert to_cents(np.zeros((2, 2)), 5).sum() == 0
    whole = rng.integers(0, 1000, 50)
    parts = split_whole(whole, rng.uniform(0.1, 1, (50, 7)))
    assert (parts.sum(axis=1) == whole).all() and (parts >= 0).all()


def test_carryover_conserves_and_delays() -> None:
    for channel in CHANNELS:
        weights = kernel(channel)
        assert weights.sum() == pytest.approx(1)
        assert weights.argmax() == (channel.peak if channel.kind == "delayed" else 0)
    pulse = np.zeros((1, 30))
    pulse[0, 3] = 1.0
    out = carryover(pulse, kernel(CHANNELS[0]))
    assert out.sum() == pytest.approx(1) and out[0, :3].sum() == 0


def test_saturation_is_zero_at_zero_and_rising() -> None:
    for channel in CHANNELS:
        curve = saturate(np.linspace(0, 20, 200), channel)
        assert curve[0] == 0 and (np.diff(curve) > 0).all() and curve[-1] < 1
    straight = saturate(np.array([1.0, 2.0]), Channel("x", 1, 1, 1, hill=1.0, half=1.0))
    np.testing.assert_allclose(straight, [0.5, 2 / 3])


def test_ar1_is_stationary() -> None:
    draw = ar1(np.random.default_rng(2), (4000, 30), 0.8, 0.5)
    assert draw[:, 0].std() == pytest.approx(0.5, abs=0.03) and draw[:, -1].std() == pytest.approx(
        0.5, abs=0.03
    )


def test_places() -> None:
    geo = load_geography()
    assert geo.count == 210 and len(set(geo.zips.ravel())) == geo.zips.size
    assert geo.share.sum() == pytest.approx(1)
    assert [stores_per_dma(s) for s in (0.1, 1, 100, 1000)] == [1, 1, 8, 8]


def test_the_response_to_other_budgets_passes_through_the_launch() -> None:
    w = world()
    table = response_table(w).set_index(["channel", "multiple"])
    known = channel_tables(w)["channel"].set_index("channel")
    for name in known.index:
        curve = table.loc[name]
        assert curve.loc[1.0, "launch_contribution"] == pytest.approx(known.loc[name, "launch_contribution"])
        assert curve.loc[1.0, "launch_spend"] == pytest.approx(known.loc[name, "launch_spend"])
        assert (curve["launch_contribution"].diff().dropna() >= -1e-6).all()
        tail = curve["launch_tail_contribution"]
        assert (tail.diff().dropna() >= -1e-6).all()
        assert tail.loc[1.0] < 0.5 * curve.loc[1.0, "launch_contribution"]
        gain = curve.loc[1.25, "launch_contribution"] - curve.loc[1.0, "launch_contribution"]
        assert gain <= known.loc[name, "launch_marginal_roi"] * 0.25 * known.loc[name, "launch_spend"] + 1.0
