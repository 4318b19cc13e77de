"""Standard errors from leaving out one place at a time, without refitting.

A few large places carry much of the evidence. They pull the fit towards themselves, so that their own residuals are
too small and the plain clustered sandwich is too short. Leaving a place out in one Newton step,
``delta_g = (A - A_g)^-1 s_g``, undoes that pull; the sum of ``delta delta'`` is the cluster jackknife (Bell and
McCaffrey 2002, "Bias reduction in standard errors for linear regression with multi-stage samples", their CR3;
MacKinnon, Nielsen and Webb 2023, "Fast and reliable jackknife and bootstrap methods for cluster-robust inference").
"""

from __future__ import annotations

import numpy as np


def place_information(
    slopes: np.ndarray, weight: np.ndarray, controls: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Information of every place on all parameters but the place levels, which are profiled out.

    The parameters are lifts (S*C), controls (Q), segment levels but the first (S-1), week levels but the first (T-1);
    each place has a level of its own, so that the first segment needs none.

    Args:
        slopes: (S, C, D, T) derivative of the log mean by a segment's lifts.
        weight: (S, D, T) the mean.
        controls: (Q, D, T).

    Returns:
        (D, P, P) information, and the (P,) positions of these parameters in the order lifts, controls, all S segment
        levels, T-1 week levels (place levels left out).
    """
    s, c, d, t = slopes.shape
    q = len(controls)
    lift, control = s * c, s * c + q
    size = control + s + t - 1
    weighted = slopes * weight[:, None]
    over = weight.sum(axis=0)
    out = np.zeros((d, size, size))
    own = np.einsum("scdt,sedt->dsce", weighted, slopes)
    for k in range(s):
        block = slice(k * c, (k + 1) * c)
        out[:, block, block] = own[:, k]
        out[:, block, control + k] = weighted[k].sum(axis=2).T
    out[:, :lift, lift:control] = np.einsum("scdt,qdt->dscq", weighted, controls).reshape(d, lift, q)
    out[:, :lift, control + s :] = weighted.transpose(2, 0, 1, 3).reshape(d, lift, t)[:, :, 1:]
    out[:, lift:control, lift:control] = np.einsum("qdt,pdt,dt->dqp", controls, controls, over)
    out[:, lift:control, control : control + s] = np.einsum("qdt,sdt->dqs", controls, weight)
    out[:, lift:control, control + s :] = (controls * over).transpose(1, 0, 2)[:, :, 1:]
    index = np.arange(s)
    out[:, control + index, control + index] = weight.sum(axis=2).T
    out[:, control : control + s, control + s :] = weight.transpose(1, 0, 2)[:, :, 1:]
    weeks = control + s + np.arange(t - 1)
    out[:, weeks, weeks] = over[:, 1:]
    out = np.triu(out) + np.swapaxes(np.triu(out, 1), 1, 2)
    cross = np.concatenate(
        [
            weighted.sum(axis=3).transpose(2, 0, 1).reshape(d, lift),
            (controls * over).sum(axis=2).T,
            weight.sum(axis=2).T,
            over[:, 1:],
        ],
        axis=1,
    )
    out -= cross[:, :, None] * cross[:, None, :] / over.sum(axis=1)[:, None, None]
    kept = np.delete(np.arange(size), control)
    return out[:, kept][:, :, kept], kept


def jackknife_covariance(information: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(P, P) covariance from (D, P, P) information and (D, P) scores by place."""
    places = len(scores)
    total = information.sum(axis=0)
    moved = np.linalg.solve(total[None] - information, scores[:, :, None])[:, :, 0]
    return np.asarray(moved.T @ moved * (places - 1) / places)
