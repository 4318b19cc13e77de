"""What each segment is like: centroids in original units, sizes, and one sentence in plain words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from modeling.segments.cluster import Segmentation, numeric

# distance of a segment's mean from everybody's, in standard deviations of the customers, and its word
LEVELS = ((1.2, "very high"), (0.4, "high"), (-0.4, "average"), (-1.2, "low"))
LOWEST = "very low"


def level(distance: float) -> str:
    """The word for a distance from the overall mean in standard deviations."""
    for bound, word in LEVELS:
        if distance >= bound:
            return word
    return LOWEST


def describe(distances: Sequence[float], features: Sequence[str], share: float) -> tuple[str, str]:
    """A short name and a sentence: what sets the segment apart, strongest first.

    ``distances`` are the segment's mean minus the overall mean in standard deviations, one a feature.
    """
    order = np.argsort(-np.abs(np.asarray(distances, dtype=float)), kind="stable")
    telling = [i for i in order if level(float(distances[i])) != "average"]
    words = [f"{level(float(distances[i]))} {features[i].replace('_', ' ')}" for i in telling]
    name = " / ".join(words[:2]) if words else "average in everything"
    rest = [features[i].replace("_", " ") for i in order if i not in telling]
    sentence = f"{share:.0%} of customers: "
    sentence += ", ".join(words) if words else "close to the average in every feature"
    if words and rest:
        sentence += f"; average {', '.join(rest)}"
    return name, sentence + "."


def profiles(
    frame: pd.DataFrame, fitted: Segmentation, features: Sequence[str] | None = None
) -> pd.DataFrame:
    """One row a segment: segment, name, description, customers, share, then each feature's centroid.

    Centroids are the means of the segment's customers in original units; names are made unique by number. ``features``
    are the columns to tell of, where they are not those that the segments were found by.
    """
    features = fitted.features if features is None else tuple(features)
    values = numeric(frame, features)
    mean, spread = values.mean(axis=0), values.std(axis=0)
    rows = []
    for number in range(1, fitted.k + 1):
        mine = values[fitted.labels == number]
        share = len(mine) / len(values)
        centre = mine.mean(axis=0) if len(mine) else mean
        name, sentence = describe(((centre - mean) / spread).tolist(), features, share)
        rows.append(
            {
                "segment": number,
                "name": name,
                "description": sentence,
                "customers": len(mine),
                "share": share,
                **dict(zip(features, centre, strict=True)),
            }
        )
    table = pd.DataFrame(rows)
    twice = table["name"].duplicated(keep=False)
    table.loc[twice, "name"] = table.loc[twice, "name"] + " (" + table.loc[twice, "segment"].astype(str) + ")"
    return table
