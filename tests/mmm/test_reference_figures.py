"""Diagnostics held against published figures of real files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modeling.mmm.diagnostics import residual_tests, vif
from settings import ROOT

SHARED = ROOT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")


def test_variance_inflation_of_the_regional_file() -> None:
    """Five predictors, organic and paid YouTube as one: 2.73, 1.22, 2.20, 2.00, 2.97. The columns they come from stay as they are."""
    media = pd.read_csv(SHARED / "mediadata" / "mediadata.csv")
    before = media.copy()
    five = media.assign(youtube=media.YT_PAID_IMP + media.YT_ORG_IMP)
    columns = five[["GOOGLE_IMP", "youtube", "FB_IMP", "AFF_IMP", "EMAIL_IMP"]].to_numpy(float)
    assert np.round(vif(columns), 2).tolist() == [2.73, 1.22, 2.20, 2.00, 2.97]
    pd.testing.assert_frame_equal(media, before)


def test_residuals_of_the_weekly_file_are_flagged() -> None:
    """Log revenue on the five spends: Durbin-Watson 1.71 as published, and not normal.

    The published Shapiro-Wilk p (.009) belongs to a regression that its source does not give; this one's is smaller.
    """
    weeks = pd.read_csv(SHARED / "lifesight" / "Assessment 2 - MMM Weekly.csv")
    spend = weeks[[f"{n}_spend" for n in ("facebook", "google", "tiktok", "instagram", "snapchat")]].to_numpy(
        float
    )
    design, log = np.column_stack([np.ones(len(weeks)), spend]), np.log1p(weeks.revenue.to_numpy(float))
    fitted = design @ np.linalg.lstsq(design, log, rcond=None)[0]
    found = residual_tests((log - fitted)[None], fitted[None])
    assert round(found["durbin_watson"], 2) == 1.71
    assert found["shapiro_wilk"]["p_value"] < 0.009
    assert "residuals are not normal (Shapiro-Wilk)" in found["flags"]
    assert "residuals are autocorrelated (Durbin-Watson)" not in found["flags"]
