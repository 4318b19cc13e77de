"""Lifts by segment and channel: recovery, coverage, refusals, and the limits that are stated."""

from __future__ import annotations

import numpy as np
import pytest

from modeling.errors import InputError, Refusal
from modeling.segments.response.estimator import fit_lifts, own_variation
from modeling.segments.response.proxy import smooth_proxy

SEGMENTS, CHANNELS = ("a", "b"), ("tv", "social")
LIFTS = np.array([[0.30, 0.05], [0.00, 0.20]])


def panel(
    seed: int, places: int = 60, weeks: int = 40, size: float = 25.0, shock: float = 0.0
) -> dict[str, np.ndarray]:
    """Purchases of two segments under known lifts; ``shock`` is the spread of local demand that no control shows."""
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, 0.5, (2, places, weeks)) * (rng.random((2, places, 1)) < 0.8)
    members = rng.integers(1, int(2 * size), (2, places, 1)) * np.ones((1, 1, weeks))
    level = np.exp(rng.normal(0, 0.3, (1, places, 1)) + rng.normal(0, 0.2, (1, 1, weeks)))
    local = np.exp(rng.normal(0, shock, (1, places, weeks))) if shock else 1.0
    rate = np.array([0.3, 0.15])[:, None, None] * level * local * (1 + np.einsum("sc,cdt->sdt", LIFTS, x))
    return {"purchases": rng.poisson(members * rate).astype(float), "members": members, "pressure": x}


def fit(data: dict[str, np.ndarray], **more: object):  # type: ignore[no-untyped-def]
    return fit_lifts(**data, segments=SEGMENTS, channels=CHANNELS, **more)  # type: ignore[arg-type]


def test_planted_lifts_are_recovered() -> None:
    fitted = fit(panel(0, places=150, weeks=80, size=80))
    assert fitted.converged
    np.testing.assert_allclose(fitted.table["effect"].to_numpy().reshape(2, 2), LIFTS, atol=0.05)
    assert fitted.dispersion == pytest.approx(1.0, abs=0.05)
    assert fitted.table["is_supported"].all()


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """The quick form; benchmarks/segments_response.py is the whole one, on simulated worlds."""
    inside = []
    for seed in range(40):
        table = fit(panel(seed)).table
        inside.append(((table["low"] <= LIFTS.ravel()) & (LIFTS.ravel() <= table["high"])).mean())
    assert 0.82 < float(np.mean(inside)) < 0.97


def test_local_shocks_widen_the_intervals() -> None:
    calm, rough = fit(panel(3)), fit(panel(3, shock=0.4))
    assert rough.dispersion > 1.3 * calm.dispersion
    assert (rough.table["std_error"] > calm.table["std_error"]).all()


def test_score_vanishes_at_the_fit_and_agrees_with_numbers() -> None:
    """The information and score are checked against finite differences of the likelihood."""
    from modeling.segments.response.estimator import _Problem

    data = panel(1, places=25, weeks=14)
    control = np.random.default_rng(0).normal(size=(1, 25, 14))
    problem = _Problem(data["purchases"], data["members"], data["pressure"], control)
    theta = problem.start() + np.random.default_rng(1).normal(0, 0.02, problem.size)
    mean, slopes = problem.mean(theta), problem.slopes(theta)
    score = problem.scores(theta, slopes, problem.y - mean).sum(axis=0)
    for k in (0, 3, 4, 5, 8, problem.size - 1):
        step = np.zeros(problem.size)
        step[k] = 1e-5
        numeric = (problem.likelihood(theta + step) - problem.likelihood(theta - step)) / 2e-5
        assert score[k] == pytest.approx(numeric, rel=1e-4, abs=1e-3)
    fisher = problem.information(slopes, mean)
    np.testing.assert_allclose(fisher, fisher.T)
    change = np.random.default_rng(2).normal(0, 1e-4, problem.size)
    moved = problem.mean(theta + change) - mean
    predicted = problem.scores(theta, slopes, moved).sum(axis=0)
    np.testing.assert_allclose(
        predicted, fisher @ change, rtol=0.02, atol=0.02 * np.abs(fisher @ change).max()
    )


def test_information_of_places_adds_up_to_what_profiling_leaves() -> None:
    """The oracle is the Schur complement of the whole information after the place levels."""
    from modeling.segments.response.estimator import _Problem
    from modeling.segments.response.jackknife import place_information

    data = panel(1, places=25, weeks=14)
    control = np.random.default_rng(0).normal(size=(1, 25, 14))
    problem = _Problem(data["purchases"], data["members"], data["pressure"], control)
    theta = problem.start() + np.random.default_rng(1).normal(0, 0.02, problem.size)
    mean, slopes = problem.mean(theta), problem.slopes(theta)
    parts, _ = place_information(slopes, mean, control)
    whole, added = problem.information(slopes, mean), parts.sum(axis=0)

    def left(matrix: np.ndarray, gone: list[int]) -> np.ndarray:
        keep = [i for i in range(len(matrix)) if i not in set(gone)]
        inner = np.linalg.solve(matrix[np.ix_(gone, gone)], matrix[np.ix_(gone, keep)])
        return np.asarray(matrix[np.ix_(keep, keep)] - matrix[np.ix_(keep, gone)] @ inner)

    # the two forms name the levels differently, so the levels of segments are profiled out of both
    level, place = problem.part[2], problem.part[3]
    oracle = left(whole, [*range(level.start, level.stop), *range(place.start, place.stop)])
    found = left(added, list(range(level.start, level.stop - 1)))
    np.testing.assert_allclose(found, oracle, rtol=1e-8, atol=1e-8 * np.abs(oracle).max())


def test_standard_errors_are_those_of_leaving_each_place_out() -> None:
    """The one-step jackknife against refitting without each place in turn, with one place of great weight."""
    data = panel(4, places=25, weeks=30, size=60)
    members = data["members"].copy()
    members[:, 0] *= 15
    data = {**data, "members": members, "purchases": np.random.default_rng(3).poisson(members * 0.15)}
    whole = fit(data).table["std_error"].to_numpy()
    effects = []
    for place in range(25):
        rest = np.delete(np.arange(25), place)
        effects.append(fit({k: v[:, rest] for k, v in data.items()}).table["effect"].to_numpy())
    spread = np.array(effects) - np.mean(effects, axis=0)
    np.testing.assert_allclose(whole, np.sqrt((spread**2).sum(axis=0) * 24 / 25), rtol=0.12)


def test_order_of_places_and_weeks_does_not_matter() -> None:
    data = panel(5)
    rng = np.random.default_rng(0)
    d, t = rng.permutation(60), rng.permutation(40)
    mixed = {k: v[:, d][:, :, t] for k, v in data.items()}
    np.testing.assert_allclose(fit(data).table["effect"], fit(mixed).table["effect"], atol=1e-6)


def test_a_national_channel_is_not_supported() -> None:
    data = panel(2)
    data["pressure"][1] = data["pressure"][1, :1]
    table = fit(data).table.set_index(["segment", "channel"])
    assert not table.loc[("a", "social"), "is_supported"]
    assert "no variation between places" in table.loc[("a", "social"), "note"]
    assert np.isnan(table.loc[("a", "social"), "effect"])
    assert table.loc[("a", "tv"), "is_supported"]
    data["pressure"][0] = data["pressure"][0, :1]
    with pytest.raises(Refusal, match="no channel varies between places"):
        fit(data)


def test_two_channels_that_move_together_are_refused() -> None:
    data = panel(2)
    data["pressure"][1] = 2 * data["pressure"][0]
    with pytest.raises(Refusal, match="not of full rank"):
        fit(data)


def test_chasing_channels_stay_in_the_model_but_are_not_supported() -> None:
    table = fit(panel(4), chasing=["social"]).table.set_index(["segment", "channel"])
    assert table.loc[("a", "tv"), "is_supported"] and not table.loc[("a", "social"), "is_supported"]
    assert "upper bound" in table.loc[("b", "social"), "note"]
    assert np.isfinite(table.loc[("b", "social"), "effect"])


def test_a_segment_without_purchases_is_named() -> None:
    data = panel(6)
    data["purchases"][1] = 0
    table = fit(data).table.set_index("segment")
    assert (table.loc["b", "note"].str.contains("fewer than 200")).all()
    assert table.loc["a", "is_supported"].all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda d: d.update(members=d["members"][:, :5]), InputError, "shapes do not fit"),
        (lambda d: d["purchases"].__setitem__((0, 0, 0), np.nan), InputError, "missing or infinite"),
        (lambda d: d["pressure"].__setitem__((0, 0, 0), -1.0), InputError, "must not be negative"),
        (lambda d: d["members"].__setitem__((slice(None), 0), 0.0), InputError, "no members"),
        (lambda d: d.update({k: v[:, :10] for k, v in d.items()}), Refusal, "too few"),
        (lambda d: d.update(purchases=np.zeros_like(d["purchases"])), Refusal, "purchases are too few"),
    ],
)
def test_bad_panels(change, error, words) -> None:  # type: ignore[no-untyped-def]
    data = panel(7, size=200)
    change(data)
    with pytest.raises(error, match=words):
        fit(data)


def test_own_variation() -> None:
    rng = np.random.default_rng(0)
    weights = np.ones((30, 20))
    two_way = rng.normal(size=(30, 1)) + rng.normal(size=(1, 20))
    assert own_variation(two_way, weights) < 1e-12
    assert own_variation(rng.normal(size=(30, 20)), weights) > 0.8
    assert own_variation(np.ones((30, 20)), weights) == 0


def test_smoothing_a_proxy_recovers_the_signal() -> None:
    rng = np.random.default_rng(0)
    signal = np.zeros((200, 100))
    for t in range(1, 100):
        signal[:, t] = 0.8 * signal[:, t - 1] + rng.normal(0, 0.02, 200)
    noisy = signal + rng.normal(0, 0.04, signal.shape)
    smooth, share = smooth_proxy(noisy + rng.normal(size=(200, 1)) + rng.normal(size=(1, 100)))
    centred = signal - signal.mean(1, keepdims=True)
    centred -= centred.mean(0, keepdims=True)
    slope = float((smooth * centred).sum() / (smooth**2).sum())
    assert slope == pytest.approx(1.0, abs=0.1), "no attenuation"
    naive = float((noisy * centred).sum() / ((noisy - noisy.mean(1, keepdims=True)) ** 2).sum())
    assert naive < 0.6
    assert 0.3 < share < 0.95
    white, whole = smooth_proxy(rng.normal(size=(50, 60)) - 0.0)
    assert white.shape == (50, 60) and 0 <= whole <= 1
    assert smooth_proxy(np.ones((5, 4)))[1] == 1.0
