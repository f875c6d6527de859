"""Derives the curve `threshold_9` of noise-shaped dither at 48 kHz, for dsp/src/kernels/noise_shape.rs.

usage: python3 dsp/tests/dither/threshold_9.py

The noise that shaping leaves has the power |N(f)|^2, N(z) = 1 - sum of c_k z^-k. Heard is what of it rises over the
threshold of hearing T(f). The coefficients below make the sum over frequency of |N|^2 / T least among all of their
number: they are the linear prediction of a signal whose spectrum is 1/T (normal equations by Levinson's recursion), and
so of minimum phase.

The threshold is Terhardt's (Hearing Research 1, 1979), f in kHz, in dB:

    T(f) = 3.64 f^-0.8 - 6.5 exp(-0.6 (f - 3.3)^2) + 0.001 f^4

Of its rise over the lowest point no more than SPAN_DB counts. Without that the noise would be piled up above 16 kHz, 30 dB
and more over flat dither, for a gain that nobody hears; with it the whole noise is 12 dB over flat dither.
"""

import math

RATE_HZ = 48_000
ORDER = 9
SPAN_DB = 40.0
POINTS = 8192


def threshold_db(hz: float) -> float:
    khz = hz / 1000.0
    return 3.64 * khz**-0.8 - 6.5 * math.exp(-0.6 * (khz - 3.3) ** 2) + 0.001 * khz**4


def correlation() -> list[float]:
    """Of the signal whose power spectrum is 1/T."""
    frequencies = [(point + 0.5) * RATE_HZ / 2.0 / POINTS for point in range(POINTS)]
    levels = [threshold_db(hz) for hz in frequencies]
    lowest = min(levels)
    powers = [10.0 ** (-min(level - lowest, SPAN_DB) / 10.0) for level in levels]

    def at(lag: int) -> float:
        turns = (math.cos(math.tau * lag * hz / RATE_HZ) for hz in frequencies)
        return math.fsum(power * turn for power, turn in zip(powers, turns)) / POINTS

    return [at(lag) for lag in range(ORDER + 1)]


def prediction(r: list[float]) -> list[float]:
    """c with the least mean square of x[n] - sum of c_k x[n-k]."""
    c: list[float] = []
    error = r[0]
    for lag in range(1, ORDER + 1):
        reflection = (r[lag] - math.fsum(c[k] * r[lag - 1 - k] for k in range(len(c)))) / error
        c = [c[k] - reflection * c[len(c) - 1 - k] for k in range(len(c))] + [reflection]
        error *= 1.0 - reflection**2
    return c


print(", ".join(f"{c:.5f}" for c in prediction(correlation())))
