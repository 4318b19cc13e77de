"""Clustering, the choice of k, profiles and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from modeling.__main__ import main
from modeling.errors import InputError, Refusal
from modeling.segments.cluster import Scaler, choose, elbow, nearest, segment, stability
from modeling.segments.join import check_segment_columns, segment_shares
from modeling.segments.profile import describe, level, profiles

FEATURES = ["AnnualIncome", "SpendingScore"]


def blobs(seed: int = 0, n: int = 60, centres: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    where = np.array([[0, 0], [10, 0], [0, 10], [10, 10], [5, 20]])[:centres]
    values = np.concatenate([c + rng.normal(0, 1, (n, 2)) for c in where])
    return pd.DataFrame(values, columns=["a", "b"]).assign(customer=[f"c{i:04d}" for i in range(len(values))])


@pytest.fixture(scope="module")
def mall(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(next((shared_data / "mall_customers").glob("*.csv")), dtype={"CustomerID": str})


def test_mall_customers_known_answer(mall: pd.DataFrame) -> None:
    fitted = segment(mall, FEATURES)
    assert fitted.k == 5
    best = fitted.selection.set_index("k").loc[5]
    assert best["silhouette"] == pytest.approx(0.559, abs=0.0006)
    assert sorted(np.bincount(fitted.labels)[1:]) == [22, 23, 35, 39, 81]
    assert fitted.selection.loc[fitted.selection["elbow_distance"].idxmax(), "k"] == 5
    scaled = fitted.scaler.transform(mall[FEATURES].to_numpy(float))
    assert silhouette_score(scaled, fitted.labels) == pytest.approx(best["silhouette"])


def test_mall_customers_are_stable_over_twenty_seeds(mall: pd.DataFrame) -> None:
    first = segment(mall, FEATURES, k=5, seed=0).labels
    scaled = Scaler(mall[FEATURES].min().to_numpy(float), mall[FEATURES].max().to_numpy(float)).transform(
        mall[FEATURES].to_numpy(float)
    )
    from modeling.segments.cluster import _fit_kmeans

    assert min(adjusted_rand_score(first, _fit_kmeans(scaled, 5, seed).labels_) for seed in range(20)) >= 0.95


def test_a_shuffled_file_gives_the_same_segments() -> None:
    frame = blobs()
    mixed = frame.sample(frac=1.0, random_state=3).reset_index(drop=True)
    a, b = segment(frame, ["a", "b"]), segment(mixed, ["a", "b"])
    one = dict(zip(frame["customer"], a.labels, strict=True))
    two = dict(zip(mixed["customer"], b.labels, strict=True))
    assert one == two
    np.testing.assert_array_equal(a.centroids, b.centroids)


@pytest.mark.parametrize("centres", [3, 4, 5])
def test_planted_blobs_are_found(centres: int) -> None:
    fitted = segment(blobs(centres=centres), ["a", "b"])
    assert fitted.k == centres
    truth = np.repeat(np.arange(centres), 60)
    assert adjusted_rand_score(truth, fitted.labels) > 0.98
    best = fitted.selection[fitted.selection["is_chosen"]].iloc[0]
    assert best["mixture_agreement"] > 0.95 and best["stability"] > 0.9


def test_assigning_new_customers_uses_original_units() -> None:
    frame = blobs()
    fitted = segment(frame, ["a", "b"], k=4)
    np.testing.assert_array_equal(fitted.assign(frame), fitted.labels)
    far = pd.DataFrame({"a": [10.2], "b": [9.7]})
    assert fitted.assign(far)[0] == fitted.labels[-1]


def test_one_structureless_cloud_is_not_called_stable_at_many_segments() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(300, 2))
    assert stability((values - values.min(0)) / np.ptp(values, axis=0), 7, seed=0) < 0.8


def test_choice_prefers_stability_over_silhouette() -> None:
    table = pd.DataFrame(
        {
            "k": [2, 3, 4],
            "silhouette": [0.5, 0.7, 0.6],
            "stability": [0.9, 0.4, 0.95],
            "elbow_distance": [0, 0.2, 0.1],
        }
    )
    assert choose(table)[0] == 4
    assert "no candidate is stable" in choose(table.assign(stability=0.1))[1]


def test_elbow_marks_the_bend() -> None:
    k = np.arange(2, 9, dtype=float)
    inertia = np.array([100.0, 60, 20, 18, 16, 14, 12])
    assert k[elbow(k, inertia).argmax()] == 4
    assert elbow(k[:2], inertia[:2]).tolist() == [0, 0]


def test_nearest_and_scaler_round_trip() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0]])
    assert nearest(points, np.array([[0.9, 0.9], [0.1, 0.0]])).tolist() == [1, 0]
    scaler = Scaler(np.array([1.0, -5.0]), np.array([3.0, 5.0]))
    np.testing.assert_allclose(scaler.inverse(scaler.transform(points)), points)


def test_profiles_state_centroids_in_original_units(mall: pd.DataFrame) -> None:
    fitted = segment(mall, FEATURES, k=5)
    table = profiles(mall, fitted)
    assert table["customers"].sum() == 200 and table["share"].sum() == pytest.approx(1)
    assert table["name"].is_unique
    for row in table.to_dict("records"):
        mine = mall[fitted.labels == row["segment"]]
        assert row["AnnualIncome"] == pytest.approx(mine["AnnualIncome"].mean())
    rich = table.loc[table["AnnualIncome"].gt(80) & table["SpendingScore"].gt(70), "description"].iloc[0]
    assert "high AnnualIncome" in rich and "very high SpendingScore" in rich


def test_words_for_distances() -> None:
    assert [level(x) for x in (2, 0.5, 0, -0.5, -2)] == ["very high", "high", "average", "low", "very low"]
    name, text = describe([0.1, -2.0], ["visits", "basket_value"], 0.25)
    assert name == "very low basket value"
    assert text == "25% of customers: very low basket value; average visits."
    assert "close to the average" in describe([0.0], ["x"], 1.0)[1]


# joining -----------------------------------------------------------------------------------------------------------


def test_shares_do_not_depend_on_row_order() -> None:
    rng = np.random.default_rng(0)
    people = pd.DataFrame(
        {
            "customer": np.arange(500),
            "dma": rng.choice(["501", "602"], 500),
            "week": rng.choice([1, 2, 3], 500),
        }
    )
    labels = pd.DataFrame({"customer": np.arange(500), "segment": rng.integers(1, 4, 500)})
    straight = segment_shares(people, labels, key="customer", by=["dma", "week"])
    mixed = segment_shares(
        people.sample(frac=1, random_state=1),
        labels.sample(frac=1, random_state=2),
        key="customer",
        by=["dma", "week"],
    )
    pd.testing.assert_frame_equal(straight, mixed)
    np.testing.assert_allclose(straight[["share_1", "share_2", "share_3"]].sum(axis=1), 1)
    assert straight["customers"].sum() == 500


def test_joins_without_a_key_are_refused() -> None:
    people = pd.DataFrame({"customer": [1, 2], "dma": ["501", "501"]})
    with pytest.raises(InputError, match="never joined by the order of rows"):
        segment_shares(people, pd.DataFrame({"segment": [1, 2]}), key="customer", by=["dma"])
    with pytest.raises(InputError, match="occurs twice"):
        segment_shares(
            people, pd.DataFrame({"customer": [1, 1], "segment": [1, 2]}), key="customer", by=["dma"]
        )
    with pytest.raises(Refusal, match="have no segment"):
        segment_shares(people, pd.DataFrame({"customer": [7], "segment": [1]}), key="customer", by=["dma"])


def test_pasted_dummies_are_refused_with_the_reason(shared_data: Path) -> None:
    panel = pd.read_csv(shared_data / "mmm_app" / "MMM_Data.csv")
    dummies = [c for c in panel.columns if c.startswith("Cluster_")]
    assert len(dummies) == 5
    with pytest.raises(
        Refusal, match="5 segment dummies sum to 1 in every row, so with a constant they are singular"
    ):
        check_segment_columns(panel, dummies)
    check_segment_columns(panel, dummies[1:])


def test_rank_of_segment_columns() -> None:
    week = pd.DataFrame({"week": [1, 2, 3, 4], "a": [0.2, 0.5, 0.1, 0.4], "b": [0.4, 1.0, 0.2, 0.8]})
    with pytest.raises(Refusal, match="rank 2, not 3"):
        check_segment_columns(week, ["a", "b"])
    with pytest.raises(Refusal, match="shares sum to 1"):
        check_segment_columns(week.assign(b=1 - week["a"]), ["a", "b"])
    with pytest.raises(InputError, match="missing column"):
        check_segment_columns(week, ["nope"])


# command -----------------------------------------------------------------------------------------------------------


def test_command_writes_the_promised_files(tmp_path: Path) -> None:
    frame = blobs()
    frame["customer"] = [f"{i:05d}" for i in range(len(frame))]
    frame.to_csv(tmp_path / "c.csv", index=False)
    out = tmp_path / "out"
    assert (
        main(["segments", "--customers", str(tmp_path / "c.csv"), "--features", "a,b", "--out", str(out)])
        == 0
    )
    assert sorted(p.name for p in out.iterdir()) == [
        "profiles.csv",
        "segments.csv",
        "selection.csv",
        "summary.json",
    ]
    listed = pd.read_csv(out / "segments.csv", dtype={"customer": str})
    assert listed["customer"].iloc[7] == "00007", "leading zeros of ids survive"
    assert set(pd.read_csv(out / "selection.csv").columns) >= {"k", "inertia", "silhouette"}
    assert json.loads((out / "summary.json").read_text())["k"] == 4
    mixed = frame.sample(frac=1, random_state=5)
    mixed.to_csv(tmp_path / "m.csv", index=False)
    assert (
        main(
            [
                "segments",
                "--customers",
                str(tmp_path / "m.csv"),
                "--features",
                "a,b",
                "--out",
                str(tmp_path / "o2"),
                "--k",
                "4",
            ]
        )
        == 0
    )
    again = pd.read_csv(tmp_path / "o2" / "segments.csv", dtype={"customer": str}).sort_values("customer")
    assert again["segment"].tolist() == listed.sort_values("customer")["segment"].tolist()


@pytest.mark.parametrize(
    ("change", "args", "words"),
    [
        (lambda f: f.head(3), [], "3 customers are too few"),
        (lambda f: f.assign(a=1.0), [], "one value only"),
        (lambda f: f.assign(a=f["a"].where(f.index > 2)), [], "3 values that are missing"),
        (lambda f: f, ["--features", "a,zzz"], "missing column"),
        (lambda f: f, ["--k", "many"], "whole number"),
        (lambda f: f, ["--k", "100000"], "k must be between"),
        (lambda f: f.assign(customer="x"), ["--id", "customer"], "not a key"),
    ],
)
def test_bad_files_give_one_line_and_no_output(change, args, words, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    change(blobs()).to_csv(tmp_path / "c.csv", index=False)
    base = ["segments", "--customers", str(tmp_path / "c.csv"), "--out", str(tmp_path / "out")]
    full = base + ([] if "--features" in args else ["--features", "a,b"]) + args
    assert main(full) == 2
    err = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("[")]
    assert len(err) == 1 and words in err[0]
    assert not (tmp_path / "out").exists()
