"""Attribution: known answers, brute force, conservation, and what the command refuses."""

from __future__ import annotations

from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling.__main__ import main
from modeling.attribution import shapley
from modeling.attribution.cli import affordable_draws
from modeling.attribution.markov import build_chain, removal_effects
from modeling.attribution.models import MODELS, Settings, attribute, bootstrap, interval_table
from modeling.attribution.paths import build_paths
from modeling.attribution.rules import RULES, touch_shares
from modeling.errors import InputError, Refusal

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "attribution_paths" / "PathData.csv"
CHANNELS = "abcd"

weighted_paths = st.lists(
    st.tuples(
        st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=6),
        st.integers(0, 9),
        st.integers(0, 9),
        st.integers(0, 50),
    ),
    min_size=3,
    max_size=12,
)


def paths_of(rows):
    return build_paths(
        pd.Series([" > ".join(r[0]) for r in rows]),
        pd.Series([r[1] for r in rows], dtype=float),
        pd.Series([r[3] if r[1] else 0 for r in rows], dtype=float),
        pd.Series([r[2] for r in rows], dtype=float),
    )[0]


def brute_force_removal(rows, order):
    """Follow the chain step by step with plain dictionaries, until all probability is absorbed."""
    moves: dict = {}
    for touches, conversions, nulls, _ in rows:
        states = ["start"] + [tuple(touches[max(0, i - order + 1) : i + 1]) for i in range(len(touches))]
        for here, there in pairwise(states):
            moves.setdefault(here, {}).setdefault(there, 0.0)
            moves[here][there] += conversions + nulls
        for end, weight in (("conversion", conversions), ("null", nulls)):
            moves.setdefault(states[-1], {}).setdefault(end, 0.0)
            moves[states[-1]][end] += weight

    def reach(removed):
        mass, converted = {"start": 1.0}, 0.0
        for _ in range(5_000):
            following: dict = {}
            for here, weight in mass.items():
                total = sum(moves[here].values())
                for there, count in moves[here].items():
                    share = weight * count / total if total else 0.0
                    if there == "conversion":
                        converted += share
                    elif there != "null" and there[-1] != removed:
                        following[there] = following.get(there, 0.0) + share
            mass = {k: v for k, v in following.items() if v > 0}
            if sum(mass.values()) < 1e-17:
                break
        return converted

    full = reach(None)
    return {c: 1 - reach(c) / full for c in CHANNELS}


@settings(max_examples=60, deadline=None)
@given(rows=weighted_paths, order=st.integers(1, 4))
def test_removal_effects_equal_brute_force(rows, order):
    rows = [r for r in rows if r[1] + r[2] > 0]
    if not sum(r[1] for r in rows):
        return
    paths = paths_of(rows)
    effect = removal_effects(build_chain(paths, order), len(paths.channels))
    expected = brute_force_removal(rows, order)
    for channel, value in zip(paths.channels, effect, strict=True):
        assert value == pytest.approx(expected[channel], abs=1e-9)


def test_textbook_chain():
    """Three journeys: c1 > c2 > c3 converts, c1 and c2 > c3 do not. Removal effects are 1/2, 1 and 1."""
    paths, _ = build_paths(
        pd.Series(["c1 > c2 > c3", "c1", "c2 > c3"]), pd.Series([1.0, 0, 0]), None, pd.Series([0, 1.0, 1])
    )
    effect = removal_effects(build_chain(paths), 3)
    assert dict(zip(paths.channels, effect, strict=True)) == pytest.approx({"c1": 0.5, "c2": 1.0, "c3": 1.0})


@settings(max_examples=60, deadline=None)
@given(rows=weighted_paths, game=st.sampled_from(["conversions", "rate"]))
def test_every_model_conserves_conversions_and_value(rows, game):
    total = sum(r[1] for r in rows)
    if not total or len({c for r in rows for c in r[0]}) < 2:
        return
    paths = paths_of(rows)
    credits = (
        attribute(paths, Settings(shapley_game=game)).credits.groupby("model")[["conversions", "value"]].sum()
    )
    assert set(credits.index) == set(MODELS)
    assert np.allclose(credits["conversions"], total, atol=1e-9)
    assert np.allclose(credits["value"], sum(r[3] for r in rows if r[1]), atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(rows=weighted_paths, rule=st.sampled_from(RULES), half_life=st.floats(0.01, 1000))
def test_rule_shares_of_a_path_sum_to_one(rows, rule, half_life):
    paths = paths_of(rows)
    shares = touch_shares(paths, rule, half_life=half_life)
    assert np.allclose(np.bincount(paths.path_of_touch, weights=shares), 1.0)
    assert (shares >= 0).all()


def test_rules_by_hand():
    paths, _ = build_paths(
        pd.Series(["a > b > c > a"]),
        pd.Series([10.0]),
        pd.Series([100.0]),
        lags=pd.Series(["14 > 7 > 7 > 0"]),
    )
    by_rule = {rule: touch_shares(paths, rule, half_life=7) for rule in RULES}
    assert by_rule["first_touch"].tolist() == [1, 0, 0, 0]
    assert by_rule["last_touch"].tolist() == [0, 0, 0, 1]
    assert by_rule["linear"].tolist() == [0.25] * 4
    assert by_rule["position_based"] == pytest.approx([0.4, 0.1, 0.1, 0.4])
    assert by_rule["time_decay"] == pytest.approx(np.array([0.25, 0.5, 0.5, 1]) / 2.25)


def brute_force_shapley(rows, worth):
    names = sorted({c for r in rows for c in r[0]})
    credit = dict.fromkeys(names, 0.0)
    orders = list(permutations(names))
    for order in orders:
        have: set = set()
        for channel in order:
            before = worth(rows, have)
            have = have | {channel}
            credit[channel] += (worth(rows, have) - before) / len(orders)
    return credit


def won(rows, have):
    return float(sum(r[1] for r in rows if set(r[0]) <= have))


def rate(rows, have):
    seen = sum(r[1] + r[2] for r in rows if set(r[0]) <= have)
    everyone = sum(r[1] + r[2] for r in rows)
    return won(rows, have) / seen * everyone if seen else 0.0


@settings(max_examples=30, deadline=None)
@given(rows=weighted_paths)
def test_shapley_equals_enumeration_of_all_orders(rows):
    if not sum(r[1] for r in rows):
        return
    paths = paths_of(rows)
    division = shapley.equal_division(paths).T @ paths.conversions
    credit, error = shapley.rate_game(paths)
    assert not error.any()
    for found, worth in ((division, won), (credit, rate)):
        expected = brute_force_shapley(rows, worth)
        for channel, value in zip(paths.channels, found, strict=True):
            assert value == pytest.approx(expected[channel], abs=1e-9)


def test_sampled_shapley_is_within_its_stated_error(monkeypatch):
    rng = np.random.default_rng(3)
    texts = [" > ".join(rng.choice(list("abcdefghij"), size=rng.integers(1, 6))) for _ in range(300)]
    paths, _ = build_paths(
        pd.Series(texts), pd.Series(rng.poisson(3, 300) * 1.0), None, pd.Series(rng.poisson(9, 300) * 1.0)
    )
    exact, _ = shapley.rate_game(paths)
    monkeypatch.setattr(shapley, "EXACT_CHANNELS", 4)
    sampled, error = shapley.rate_game(paths, permutations=2_000, seed=1)
    assert (error > 0).all()
    assert sampled.sum() == pytest.approx(exact.sum())
    assert (np.abs(sampled - exact) < 4.5 * error).all()


def test_duplicate_rows_are_summed_and_blanks_counted():
    paths, notes = build_paths(
        pd.Series(["a > b", "a >  > b", "", " a > b ", "NA > b"]),
        pd.Series([1.0, 2.0, 7.0, np.nan, 5.0]),
    )
    assert len(paths.lengths) == 2
    assert paths.conversions.tolist() == [3.0, 5.0]
    assert notes == {
        "rows": 5,
        "blank_weights_read_as_zero": 1,
        "empty_touches_dropped": 1,
        "rows_without_touch": 1,
        "conversions_without_touch": 7.0,
        "duplicate_rows_summed": 2,
    }


def test_negative_weights_are_refused():
    with pytest.raises(InputError, match="line 3"):
        build_paths(pd.Series(["a", "b"]), pd.Series([1.0, -1.0]))
    with pytest.raises(Refusal, match="no conversion"):
        attribute(build_paths(pd.Series(["a > b"]), pd.Series([0.0]), None, pd.Series([3.0]))[0])
    with pytest.raises(InputError, match="two channels"):
        attribute(build_paths(pd.Series(["a > a"]), pd.Series([1.0]))[0])


@pytest.mark.slow
def test_bootstrap_intervals_cover_the_share_of_the_population():
    """Path bootstrap over 120 samples of a known population: 95 % intervals cover it about 95 % of the time."""
    rng = np.random.default_rng(11)
    texts = pd.Series([" > ".join(rng.choice(list("abcde"), size=rng.integers(1, 5))) for _ in range(80)])
    paths, _ = build_paths(texts, pd.Series(np.ones(80)), None, pd.Series(np.ones(80)))
    base_c, base_n = rng.gamma(1, 60, len(paths.lengths)), rng.gamma(1, 200, len(paths.lengths))
    truth = attribute(paths.reweighted(base_c, base_c, base_n)).credits
    hit = dict.fromkeys(MODELS, 0)
    runs = 120
    for run in range(runs):
        c, n = rng.poisson(base_c) * 1.0, rng.poisson(base_n) * 1.0
        draws = bootstrap(paths.reweighted(c, c, n), Settings(seed=run), draws=200)
        for model, table in draws.shares.items():
            low, high = np.quantile(table, [0.025, 0.975], axis=0)
            own = truth[truth["model"] == model]["conversions"].to_numpy()
            hit[model] += int(((low <= own / own.sum()) & (own / own.sum() <= high)).sum())
    for model, count in hit.items():
        assert 0.92 <= count / (runs * len(paths.channels)) <= 0.985, model


# The command


def write(tmp_path, text):
    file = tmp_path / "paths.csv"
    file.write_text(text)
    return str(file)


GOOD = "path,conversions,value,nulls\na > b,2,20,1\nb > a > b,1,5,4\nc,3,9,2\nNA > c,1,1,1\n"


def test_command_reads_other_names_and_separators(tmp_path):
    file = write(
        tmp_path, "reise|won|worth|lost\n" + GOOD.split("\n", 1)[1].replace(",", "|").replace(" > ", ";")
    )
    Path(file).write_text(Path(file).read_text().replace("|", ","))
    out = tmp_path / "out"
    code = main(
        f"attribution --paths {file} --out {out} --path-column reise --conversions-column won "
        "--value-column worth --null-column lost --separator ;".split()
    )
    assert code == 0
    credits = pd.read_csv(out / "credits.csv", keep_default_na=False)
    assert list(credits.columns) == ["model", "channel", "conversions", "value"]
    assert set(credits["channel"]) == {"a", "b", "c", "NA"}
    totals = (
        credits.astype({"conversions": float, "value": float})
        .groupby("model")[["conversions", "value"]]
        .sum()
    )
    assert np.allclose(totals, [7, 35])
    assert {p.name for p in out.iterdir()} >= {"transitions.csv", "removal_effects.csv", "path_lengths.csv"}
    moves = pd.read_csv(out / "transitions.csv", keep_default_na=False)
    assert np.allclose(moves.groupby("channel_from")["probability"].sum(), 1)


def test_command_repeats_itself(tmp_path):
    file = write(tmp_path, GOOD)
    for name in ("one", "two"):
        assert main(["attribution", "--paths", file, "--out", str(tmp_path / name), "--seed", "5"]) == 0
    for first in (tmp_path / "one").iterdir():
        assert first.read_bytes() == (tmp_path / "two" / first.name).read_bytes()


@pytest.mark.parametrize(
    ("text", "extra", "says"),
    [
        ("", [], "empty"),
        ("path,conversions\n", [], "no rows"),
        ("path,conversions\na > b,1\nb,1\na,1\n", [], "3 rows"),
        ("route,conversions\na > b,1\nb,1\na,1\nb,2\n", [], "path"),
        ("path,wins\na > b,1\nb,1\na,1\nb,2\n", [], "conversions"),
        (GOOD, ["--value-column", "nope"], "nope"),
        (GOOD.replace("a > b,2", "a > b,two"), [], "not a number"),
        (GOOD.replace("a > b,2", "a > b,-2"), [], "negative"),
        (GOOD.replace("a > b,2", "a > b,inf"), [], "not a number"),
        ("path,conversions,nulls\na,0,1\nb,0,1\nc,0,1\na > b,0,3\n", [], "no conversion"),
        ("path,conversions\na,1\na > a,1\na,1\na,1\n", [], "two channels"),
        (GOOD, ["--order", "9"], "--order"),
        (GOOD, ["--half-life", "-1"], "--half-life"),
        (GOOD, ["--half-life", "soon"], "--half-life"),
        (GOOD, ["--seed", "x"], "--seed"),
        (GOOD, ["--separator", ""], "--separator"),
        (GOOD.replace(" > ", ">"), [], "--separator='>'"),
        (GOOD.replace(" > ", "|"), [], "--separator='|'"),
        (GOOD.replace("b > a > b,1,5,4", "b > a > b,1,5,4,9,9"), [], "cannot be read"),
        (
            GOOD.replace(",4\n", ",4,9\n").replace(",1\n", ",1,9\n").replace(",2\n", ",2,9\n"),
            [],
            "more cells",
        ),
    ],
)
def test_command_refuses_in_one_line(tmp_path, capsys, text, extra, says):
    out = tmp_path / "out"
    code = main(["attribution", "--paths", write(tmp_path, text), "--out", str(out), *extra])
    error = capsys.readouterr().err.strip()
    assert code == 2
    assert says in error and "\n" not in error and "Traceback" not in error
    assert not out.exists()


def test_options_that_cannot_be_read_are_refused_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["attribution", "--paths", "x", "--out", "y", "--separator", "->"])
    error = capsys.readouterr().err.strip()
    assert stop.value.code == 2 and "\n" not in error and "--separator" in error


def test_lists_of_channels_in_parquet_are_paths(tmp_path):
    file = tmp_path / "paths.parquet"
    pd.DataFrame({"path": [["a", "b"], ["b"], ["a"], ["c"]], "conversions": [1, 2, 3, 4]}).to_parquet(file)
    assert main(["attribution", "--paths", str(file), "--out", str(tmp_path / "o"), "--bootstrap", "0"]) == 0
    credits = pd.read_csv(tmp_path / "o" / "credits.csv").set_index(["model", "channel"])["conversions"]
    assert credits["linear"].to_dict() == {"a": 3.5, "b": 2.5, "c": 4.0}


def test_journeys_beyond_the_range_of_a_generator(tmp_path):
    """5e18 and 1e20 journeys are absurd but legal numbers; a draw of them stays near them."""
    file = write(tmp_path, "path,conversions,nulls\na > b,5e18,1e20\nb,2e18,3e18\na,1e18,1e19\nc,4e18,0\n")
    assert main(["attribution", "--paths", file, "--out", str(tmp_path / "o"), "--bootstrap", "20"]) == 0
    table = pd.read_csv(tmp_path / "o" / "credit_intervals.csv")
    assert np.allclose(table["share_low"], table["share_high"], atol=1e-8)


def test_intervals_of_value_follow_the_value_and_not_the_count():
    """A channel with few dear conversions: its interval of value lies around its value."""
    paths, _ = build_paths(
        pd.Series(["a", "b", "a > b"]), pd.Series([100.0, 20.0, 5.0]), pd.Series([100.0, 2000.0, 50.0])
    )
    credits = attribute(paths).credits
    table = interval_table(bootstrap(paths, Settings(), draws=100), credits, paths.channels)
    table = table.merge(credits, on=["model", "channel"])
    rules = table[table["model"].isin([*RULES, "shapley"])]
    assert (rules["value_low"] < rules["value"]).all() and (rules["value"] < rules["value_high"]).all()
    assert (table.groupby("model")["value_high"].sum() > 2150).all()


def test_draws_follow_the_work_and_not_the_clock():
    small, _ = build_paths(pd.Series(["a", "b", "a > b"]), pd.Series([1.0, 2.0, 5.0]))
    assert affordable_draws(small, build_chain(small, 1)) == 200
    rng = np.random.default_rng(0)
    texts = pd.Series([" > ".join(f"c{k}" for k in rng.integers(0, 60, 5)) for _ in range(3000)])
    many, _ = build_paths(texts, pd.Series(np.ones(3000)))
    assert 20 <= affordable_draws(many, build_chain(many, 1)) <= 200
    assert affordable_draws(many, build_chain(many, 4)) == 0  # said in the summary's warnings


@pytest.mark.skipif(not SHARED.is_file(), reason="the shared path file is not here")
def test_reference_answers(tmp_path):
    assert (
        main(["attribution", "--paths", str(SHARED), "--out", str(tmp_path / "o"), "--bootstrap", "0"]) == 0
    )
    credits = pd.read_csv(tmp_path / "o" / "credits.csv").set_index(["model", "channel"])["conversions"]
    assert np.allclose(credits.groupby("model").sum(), 19_785, atol=1e-6)
    expected = {
        "first_touch": {"alpha": 6308, "iota": 4606, "eta": 3164},
        "last_touch": {"alpha": 8447, "eta": 4167, "iota": 3355},
        "linear": {"alpha": 7574.719, "iota": 3857.096},
    }
    for model, answers in expected.items():
        for channel, value in answers.items():
            assert credits[model, channel] == pytest.approx(value, abs=5e-4)
