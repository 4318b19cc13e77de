"""Making the most of a noisy proxy of demand."""

from __future__ import annotations

import numpy as np
from scipy.linalg import toeplitz


def smooth_proxy(proxy: np.ndarray) -> tuple[np.ndarray, float]:
    """Best linear prediction of the slow signal in a noisy proxy, by place.

    ``proxy`` (D, T) is on the log scale. Its place and week means are taken out (the model has levels for both);
    what is left is taken as an AR(1) signal plus white noise, whose three numbers come from the pooled
    autocovariances: rho = c2/c1, signal = c1/rho, noise = c0 - signal. The prediction uses all weeks of a place
    (the Wiener smoother). A noisy control lets what it fails to explain pass for an effect of channels that chase
    demand; regression on the prediction is free of that attenuation (regression calibration, Carroll et al. 2006,
    "Measurement error in nonlinear models", chapter 4).

    Returns:
        The prediction (D, T), and the share of the signal's variance that it holds. Where the autocovariances fit
        no such process the centred proxy comes back unchanged with share 1.
    """
    left = proxy - proxy.mean(axis=1, keepdims=True)
    left = left - left.mean(axis=0, keepdims=True)
    weeks = left.shape[1]
    if weeks < 8:
        return left, 1.0
    c = [float((left[:, lag:] * left[:, : weeks - lag]).mean()) for lag in range(3)]
    if c[1] <= 0 or c[2] <= 0 or c[2] >= c[1]:
        return left, 1.0
    rho = min(c[2] / c[1], 0.98)
    signal = min(c[1] / rho, c[0])
    noise = c[0] - signal
    if noise <= 1e-12 * c[0]:
        return left, 1.0
    cover = toeplitz(signal * rho ** np.arange(weeks))
    gain = np.linalg.solve(cover + noise * np.eye(weeks), cover)
    return left @ gain, float(np.trace(cover @ gain) / np.trace(cover))
