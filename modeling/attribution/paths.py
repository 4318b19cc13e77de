"""Weighted touch paths in the flat form that every attribution model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modeling.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Paths:
    """P distinct weighted paths with L touches in all.

    Attributes:
        channels: names, index = code, in order of first appearance.
        codes: (L,) channel code of each touch, path after path.
        offsets: (P + 1,) path p owns ``codes[offsets[p]:offsets[p + 1]]``; no path is empty.
        conversions, value, nulls: (P,) journeys that converted, their value, journeys that ended without.
        lags: (L,) days from touch to conversion, or None where touch times are unknown.
    """

    channels: tuple[str, ...]
    codes: Ints
    offsets: Ints
    conversions: Floats
    value: Floats
    nulls: Floats
    lags: Floats | None = None

    @property
    def lengths(self) -> Ints:
        """(P,) touches per path."""
        return np.diff(self.offsets)

    @property
    def path_of_touch(self) -> Ints:
        """(L,) index of the path that each touch belongs to."""
        return np.repeat(np.arange(len(self.lengths), dtype=np.int64), self.lengths)

    def reweighted(self, conversions: Floats, value: Floats, nulls: Floats) -> Paths:
        """The same paths with other weights (bootstrap draws, a slice of weeks)."""
        return Paths(self.channels, self.codes, self.offsets, conversions, value, nulls, self.lags)


def build_paths(
    path: pd.Series,
    conversions: pd.Series,
    value: pd.Series | None = None,
    nulls: pd.Series | None = None,
    *,
    separator: str = " > ",
    lags: pd.Series | None = None,
) -> tuple[Paths, dict[str, float]]:
    """Parse path texts and sum the weights of equal paths.

    Args:
        path: N texts, channels joined by ``separator``; blanks around a name do not count.
        conversions, value, nulls: N non-negative weights (value may be negative: returns); None = zeros.
        lags: N texts of days before conversion, one number per touch, same separator; disables summing.

    Returns:
        The paths, and counts of what was done: rows, rows_without_touch, conversions_without_touch,
        duplicate_rows_summed, empty_touches_dropped, blank_weights_read_as_zero.

    Raises:
        InputError: a negative weight, no touch at all, or lags that do not match the touches.
    """
    weights, blank = _weights(conversions, value, nulls)
    notes: dict[str, float] = {"rows": len(path), "blank_weights_read_as_zero": blank}
    lists, dropped = _split(path, separator)
    notes["empty_touches_dropped"] = dropped
    lengths = np.asarray(pc.list_value_length(lists).to_numpy(zero_copy_only=False), dtype=np.int64)
    has_touch = lengths > 0
    notes["rows_without_touch"] = int((~has_touch).sum())
    notes["conversions_without_touch"] = float(weights[~has_touch, 0].sum())
    if not has_touch.any():
        raise InputError("no path has a touch")
    encoded = pc.dictionary_encode(lists.flatten())
    channels = tuple(str(c) for c in encoded.dictionary.to_pylist())
    codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    days = _lags(lags, separator, lengths) if lags is not None else None
    lengths, weights = lengths[has_touch], weights[has_touch]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if days is None:
        codes, offsets, weights, summed = _sum_equal(codes, offsets, weights, len(channels))
        notes["duplicate_rows_summed"] = summed
    return Paths(channels, codes, offsets, weights[:, 0], weights[:, 1], weights[:, 2], days), notes


def _weights(conversions: pd.Series, value: pd.Series | None, nulls: pd.Series | None) -> tuple[Floats, int]:
    columns, blank = [], 0
    for name, series in (("conversions", conversions), ("value", value), ("nulls", nulls)):
        data = np.zeros(len(conversions)) if series is None else series.to_numpy(dtype=np.float64)
        missing = np.isnan(data)
        blank += int(missing.sum())
        data = np.where(missing, 0.0, data)
        if name != "value" and (data < 0).any():
            at = int(np.flatnonzero(data < 0)[0])
            raise InputError(f"{name} are negative ({data[at]:g}) on line {at + 2}")
        columns.append(data)
    return np.column_stack(columns), blank


def _split(path: pd.Series, separator: str) -> tuple[pa.ListArray, int]:
    """Touch names of each row; empty names are dropped and counted."""
    texts = pa.array(path.astype(str), type=pa.large_string()).cast(pa.string())
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    lists = pc.split_pattern(texts, separator)
    names = pc.utf8_trim_whitespace(lists.flatten())
    keep = pc.not_equal(names, "")
    lengths = np.asarray(pc.list_value_length(lists).to_numpy(zero_copy_only=False), dtype=np.int64)
    kept = np.asarray(keep.to_numpy(zero_copy_only=False), dtype=bool)
    row = np.repeat(np.arange(len(lengths)), lengths)
    new_lengths = np.bincount(row[kept], minlength=len(lengths))
    offsets = np.concatenate([[0], np.cumsum(new_lengths)]).astype(np.int32)
    # An empty text splits into one empty name: that is a row without a touch, not a dropped touch.
    dropped = int((~kept).sum() - (lengths == 1)[row[~kept]].sum())
    return pa.ListArray.from_arrays(pa.array(offsets), names.filter(keep)), dropped


def _lags(lags: pd.Series, separator: str, lengths: Ints) -> Floats:
    lists, _ = _split(lags, separator)
    found = np.asarray(pc.list_value_length(lists).to_numpy(zero_copy_only=False), dtype=np.int64)
    if (found != lengths).any():
        at = int(np.flatnonzero(found != lengths)[0])
        raise InputError(f"line {at + 2} has {lengths[at]} touches and {found[at]} touch times")
    try:
        days = pc.cast(lists.flatten(), pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise InputError("touch times must be numbers (days before conversion)") from error
    if (days < 0).any():
        raise InputError("touch times must not be negative (days before conversion)")
    return np.asarray(days, dtype=np.float64)


def _sum_equal(codes: Ints, offsets: Ints, weights: Floats, base: int) -> tuple[Ints, Ints, Floats, int]:
    """Sum the weights of equal code sequences; the first appearance keeps its place."""
    lengths = np.diff(offsets)
    raw = codes.astype(np.uint16 if base < 65_536 else np.int64)
    width = raw.itemsize
    data, bounds = raw.tobytes(), offsets * width
    keys = [data[bounds[p] : bounds[p + 1]] for p in range(len(lengths))]
    group, first = pd.factorize(np.array(keys, dtype=object))
    if len(first) == len(keys):
        return codes, offsets, weights, 0
    summed = np.column_stack([weight_by(group, weights[:, j], len(first)) for j in range(weights.shape[1])])
    order = np.full(len(first), len(keys), dtype=np.int64)
    np.minimum.at(order, group, np.arange(len(keys)))
    take = np.concatenate([np.arange(offsets[p], offsets[p + 1]) for p in order])
    new_offsets = np.concatenate([[0], np.cumsum(lengths[order])]).astype(np.int64)
    return codes[take], new_offsets, summed, len(keys) - len(first)


def weight_by(index: Ints, weights: Floats, size: int) -> Floats:
    """(size,) sum of ``weights`` by ``index``."""
    return np.asarray(np.bincount(index, weights=weights, minlength=size), dtype=np.float64)


def touch_positions(paths: Paths) -> tuple[Ints, Ints]:
    """(L,) touches before and after each touch within its path."""
    starts = np.repeat(paths.offsets[:-1], paths.lengths)
    before = np.arange(len(paths.codes), dtype=np.int64) - starts
    after = np.repeat(paths.lengths, paths.lengths) - 1 - before
    return before, after


def check_channels(channels: Sequence[str]) -> None:
    """Refuse a single channel: there is nothing to divide credit between."""
    if len(channels) < 2:
        raise InputError(f"attribution needs at least two channels; the paths have only {channels[0]!r}")
