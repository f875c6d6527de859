#!/usr/bin/env python3
"""Prints table.txt: values of elementary functions, rounded to the nearest double from 60 digits by mpmath.

usage: python3 dsp/tests/math/table.py > dsp/tests/math/table.txt   (needs mpmath)
Each line: function, bits of x in hex, bits of y in hex for the two-argument one, bits of the value in hex.
"""
import random
import struct

import mpmath

mpmath.mp.dps = 60
PER_FUNCTION = 150


def bits(value):
    return f"{struct.unpack('<Q', struct.pack('<d', value))[0]:016x}"


def spread(random_, low, high, count):
    """Half evenly between the bounds, half with magnitudes spread over 12 decades."""
    even = [random_.uniform(low, high) for _ in range(count // 2)]
    reach = max(abs(low), abs(high))
    small = [random_.choice([-1, 1]) * reach * 10 ** random_.uniform(-12, 0) for _ in range(count - count // 2)]
    return even + [abs(x) if low >= 0 else x for x in small]


def main():
    random_ = random.Random(1)
    two = mpmath.mpf(2)
    functions = {
        "sin": (mpmath.sin, -1000, 1000), "cos": (mpmath.cos, -1000, 1000), "tan": (mpmath.tan, -1.5, 1.5),
        "exp": (mpmath.exp, -300, 300), "exp2": (lambda x: two ** x, -500, 500),
        "ln": (mpmath.log, 0, 1e6), "log2": (lambda x: mpmath.log(x) / mpmath.log(2), 0, 1e6),
    }
    for name, (function, low, high) in functions.items():
        for x in spread(random_, low, high, PER_FUNCTION):
            print(name, bits(x), bits(float(function(mpmath.mpf(x)))))
    for _ in range(PER_FUNCTION):
        x, y = 10 ** random_.uniform(-6, 6), random_.uniform(-20, 20)
        print("powf", bits(x), bits(y), bits(float(mpmath.mpf(x) ** mpmath.mpf(y))))


main()
