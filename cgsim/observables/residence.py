"""Residence times: how long an ion stays with a molecule, with and without the right to come back."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import fft

from cgsim.observables.coordination import ContactRecord
from cgsim.observables.positive import LogEstimate
from cgsim.typing import Array, Bool, Float64, Int64

N_GROUPS = 20  # at most so many groups of ions are left out in turn
LEFT = 0.05  # a correlation that has not come down to this at the last lag gives a lower bound
ROUNDING = 1e-9  # relative scatter of equal numbers


@dataclass(frozen=True)
class Residence:
    """How contacts of one kind persist.

    Attributes:
        correlation: [lags], 1 at lag 0; lags 0 to half the frames.
        standard_error: [lags].
        time: integral of the correlation up to ``window``, in frames; its error is nan where all ions tell the same.
        window: lag at which the integral was cut, frames.
        is_lower_bound: whether the correlation had not decayed there.
        per_ion: mean number of molecules that an ion touches.
    """

    correlation: Float64[Array, " lags"]
    standard_error: Float64[Array, " lags"]
    time: LogEstimate
    window: int
    is_lower_bound: bool
    per_ion: float


def intermittent_residence(contacts: ContactRecord) -> Residence:
    """Persistence of contacts that may break and form again in between.

    C(t) = <h(0) h(t)> / <h>, with h = 1 while an ion and a molecule touch (Rapaport, Mol. Phys. 50, 1151 (1983)). In a
    small box the same two meet again by chance: C(t) goes to p, the share of all molecules that an ion touches, and not
    to 0. So (C - p) / (1 - p) is used, the same thing where there are many molecules; 1 where all are touched all the
    time.
    """
    n = contacts.n_frames
    lags = n // 2 + 1
    size = fft.next_fast_len(2 * n, real=True)
    origins = np.arange(n, n - lags, -1)
    products, starts = np.zeros((contacts.n_ions, lags)), np.zeros((contacts.n_ions, lags))
    for ion in range(contacts.n_ions):
        history = contacts.histories(ion)
        transform = fft.rfft(history.astype(np.float64), n=size, axis=-1)
        power = (transform.real**2 + transform.imag**2).sum(axis=0)
        products[ion] = np.round(fft.irfft(power, n=size)[:lags]) / origins
        starts[ion] = _mean_of_ends(history.sum(axis=0).astype(np.float64), lags)

    def curve(kept: Bool[Array, " ions"]) -> Float64[Array, " lags"]:
        together = starts[kept].sum(axis=0)
        if together[0] == 0:
            return np.zeros(lags)
        chance = together / (kept.sum() * contacts.n_partners)
        raw = products[kept].sum(axis=0) / np.where(together > 0, together, 1.0)
        never_left = chance >= 1.0
        return np.where(never_left, 1.0, (raw - chance) / np.where(never_left, 1.0, 1.0 - chance))

    return _residence(curve, contacts.n_ions, float(starts[:, 0].mean()))


def continuous_residence(contacts: ContactRecord, tolerance: int = 0) -> Residence:
    """Persistence of contacts without a break.

    S(t) = <H(t)> / <h>: of the contacts at some time, the share that is there a time t later and never was away for
    more than ``tolerance`` frames in a row (Impey, Madden and McDonald, J. Phys. Chem. 87, 5071 (1983), their t*;
    Rapaport, above, for none). A break between frames is not seen, so the time depends on how often frames are saved.

    Args:
        contacts: at equally spaced frames.
        tolerance: frames; 0 counts every break seen.
    """
    n = contacts.n_frames
    lags = n // 2 + 1
    survivors, starts = np.zeros((contacts.n_ions, lags)), np.zeros((contacts.n_ions, lags))
    origins = np.arange(n, n - lags, -1)
    for ion in range(contacts.n_ions):
        history = contacts.histories(ion)
        survivors[ion] = _survivors(history, tolerance)[:lags] / origins
        starts[ion] = _starts(history.sum(axis=0).astype(np.float64), lags)

    def curve(kept: Bool[Array, " ions"]) -> Float64[Array, " lags"]:
        together = starts[kept].sum(axis=0)
        return np.asarray(survivors[kept].sum(axis=0) / np.where(together > 0, together, 1.0))

    return _residence(curve, contacts.n_ions, float(starts[:, 0].mean()))


def _residence(
    curve: Callable[[Bool[Array, " ions"]], Float64[Array, " lags"]], n_ions: int, per_ion: float
) -> Residence:
    """Correlation of all ions, its integral, and errors from leaving out one group of ions at a time."""
    correlation = curve(np.ones(n_ions, dtype=bool))
    gone = np.flatnonzero(correlation <= LEFT)
    window = int(gone[0]) if gone.size else len(correlation) - 1
    # What is left of a smooth decay is not cut off: on to where the curve first touches zero, at most twice as far.
    if gone.size:
        zero = np.flatnonzero(correlation[window:] <= 0)
        window = min(2 * window, window + int(zero[0]) if zero.size else len(correlation) - 1, len(correlation) - 1)
    groups = np.arange(n_ions) % min(N_GROUPS, n_ions)
    n = int(groups.max()) + 1
    left_out = np.array([curve(groups != k) for k in range(n)]) if n > 1 else np.full((2, len(correlation)), np.nan)
    times = np.array([_integral(one, window) for one in left_out])
    factor = (n - 1) / n if n > 1 else 1.0
    spread = np.sqrt(factor * np.square(left_out - left_out.mean(axis=0)).sum(axis=0))
    whole = _integral(correlation, window)
    error = float(np.sqrt(factor * np.square(times - times.mean()).sum()))
    # Where no group differs from another, as where no contact has broken, nothing is known of the error.
    time = LogEstimate(whole, error if error > ROUNDING * whole else float("nan"), max(1.0, n - 1.0))
    return Residence(correlation, spread, time, window, not gone.size, per_ion)


def _integral(correlation: Float64[Array, " lags"], window: int) -> float:
    """Trapezoidal rule, in frames."""
    return float(correlation[: window + 1].sum() - 0.5 * (correlation[0] + correlation[window]))


def _starts(together: Float64[Array, " frames"], lags: int) -> Float64[Array, " lags"]:
    """Mean number of contacts at the time origins of every lag, that is without the last ``lag`` frames."""
    n = len(together)
    return np.asarray(np.cumsum(together)[::-1][:lags] / np.arange(n, n - lags, -1))


def _mean_of_ends(together: Float64[Array, " frames"], lags: int) -> Float64[Array, " lags"]:
    """Mean number of contacts at both ends of every lag."""
    return np.asarray(0.5 * (_starts(together, lags) + _starts(together[::-1], lags)))


def _survivors(history: Bool[Array, "partners frames"], tolerance: int) -> Float64[Array, " lags"]:
    """Number of origins, at every lag, from which a contact lasts; over all partners."""
    n = history.shape[1]
    filled = _fill_gaps(history, tolerance)
    start, length = _runs(filled)
    if not tolerance:  # a run of L frames has L - m origins for lag m
        count = np.bincount(length, minlength=n + 1).astype(np.float64)
        longer = np.cumsum(count[::-1])[::-1]  # runs of at least m frames
        return np.asarray(np.cumsum(longer[::-1])[::-1][1:])
    pairs = np.zeros(n)
    flat = history.ravel()
    for first, size in zip(start, length, strict=True):  # both ends must be contacts, not filled gaps
        inside = np.flatnonzero(flat[first : first + size])
        if size > 256:
            transform = fft.rfft(flat[first : first + size].astype(np.float64), n=2 * size)
            pairs[:size] += np.round(fft.irfft(transform.real**2 + transform.imag**2, n=2 * size)[:size])
        else:
            lag = inside[None, :] - inside[:, None]
            pairs[:size] += np.bincount(lag[lag >= 0], minlength=size)
    return pairs


def _runs(history: Bool[Array, "partners frames"]) -> tuple[Int64[Array, " runs"], Int64[Array, " runs"]]:
    """Start, in the flat array, and length of every unbroken stretch of contact."""
    n = history.shape[1]
    padded = np.zeros((len(history), n + 2), dtype=np.int8)
    padded[:, 1:-1] = history
    row, at = np.nonzero(np.diff(padded, axis=1))
    begins = at[::2]
    return row[::2] * n + begins, at[1::2] - begins


def _fill_gaps(history: Bool[Array, "partners frames"], longest: int) -> Bool[Array, "partners frames"]:
    """Close gaps between contacts of at most so many frames."""
    if longest == 0:
        return history
    filled = history.copy()
    start, length = _runs(~history)
    n = history.shape[1]
    for first, size in zip(start, length, strict=True):
        column = first % n
        if size <= longest and column > 0 and column + size < n:
            filled.ravel()[first : first + size] = True
    return filled
