"""Solve quadratic equations step by step, character by character."""

import math
import random
from dataclasses import dataclass

from .algorithm import Algorithm


@dataclass(frozen=True)
class QuadraticEquations(Algorithm):
    """Solve an equation step by step, in six lines of 30 characters, each filled up with 0::

        -4*x^2+392*x-2208=0           the question
        x^2-98*x+552=0                divided by its first coefficient
        D=98^2-4*1*552=7396=86^2      the discriminant; of b its size, without the sign
        x=(98-86)/2=6                 the smaller root
        x=(98+86)/2=92                the larger root
        6,92                          the answer; equal roots stand once

    One equation in five has no real roots: its ``D`` ends with a negative number and the last three
    lines are empty. Roots are integers below 100 in size; the first coefficient is 1 to 10 or
    negative.

    A row has one 0 after the six lines, so that the target is the source moved by one and ends
    with 0. The target of a line's last place is therefore the first character of the next line,
    and the 150 targets that count leave out the ``x`` that always starts the second line.

    What is held out is the first line, as in the published data: training may meet the same
    equation multiplied by another number.
    """

    vocabulary_size = 24
    question_length = 30
    answer_length = 5 * 30
    # 20 first coefficients, and for each the pairs of roots and the (b, c) without real roots.
    questions = 20 * (199 * 200 // 2 + sum(9999 - b * b // 4 for b in range(200)))

    def row(self, numbers: random.Random) -> list[int]:
        factor = numbers.choice((-1, 1)) * round(numbers.uniform(1, 10))
        if numbers.random() < 0.2:
            b = numbers.randrange(200)
            c = numbers.randrange(b * b // 4 + 1, 10_000)
        else:
            # Numbers between -100 and 100 cut off at the point: zero comes twice as often.
            one, other = (numbers.choice((-1, 1)) * numbers.randrange(100) for _ in range(2))
            b, c = -(one + other), one * other
        return encode(solve(factor, b, c))


def solve(factor: int, b: int, c: int) -> list[str]:
    """The six lines for ``factor * (x^2 + b x + c) = 0``, whose real roots must be integers."""
    discriminant = b * b - 4 * c
    lines = [
        _equation(factor, factor * b, factor * c),
        _equation(1, b, c),
        f"D={abs(b)}^2-4*1*{c}={discriminant}",
    ]
    if discriminant < 0:
        return [*lines, "", "", ""]
    root = math.isqrt(discriminant)
    low, high = (-b - root) // 2, (-b + root) // 2
    lines[-1] += f"={root}^2"
    return [
        *lines,
        f"x=({-b}-{root})/2={low}",
        f"x=({-b}+{root})/2={high}",
        str(low) if low == high else f"{low},{high}",
    ]


def _equation(a: int, b: int, c: int) -> str:
    text = ""
    for coefficient, power in [(a, "x^2"), (b, "x"), (c, "")]:
        if coefficient:
            size = str(abs(coefficient))
            factors = [power] if size == "1" and power else [size, power]
            sign = "-" if coefficient < 0 else "+" if text else ""
            text += sign + "*".join(filter(None, factors))
    return f"{text}=0"


def encode(lines: list[str]) -> list[int]:
    """The row of a solution: 30 ids a line, and the 0 at the end."""
    row = []
    for line in lines:
        row += [_IDS[character] for character in line] + [0] * (30 - len(line))
    return [*row, 0]


_IDS = {character: place for place, character in enumerate("0123456789+-*/^=()xD;,", start=2)}
