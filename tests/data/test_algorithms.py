"""Algorithmic tasks: exact formats, true arithmetic, and splits that never meet."""

import pickle
import random
import re
from math import perm

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_memtx.data.algorithms import ALGORITHMS, Algorithm, AlgorithmDataset, make
from fairseq_memtx.data.algorithms.associative_retrieval import AssociativeRetrieval
from fairseq_memtx.data.algorithms.copy_and_reverse import Copy, Reverse
from fairseq_memtx.data.algorithms.quadratic_equations import QuadraticEquations, encode, solve
from fairseq_memtx.errors import MemtxError

SEEDS = st.integers(0, 10**6)
CHARACTERS = dict(enumerate("0123456789+-*/^=()xD;,", start=2))
LONGEST = [22, 16, 28, 17, 17, 7]


def example(algorithm: Algorithm, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Source, target, and the targets that count."""
    item = AlgorithmDataset(algorithm, 1, seed, "train")[0]
    source, target = item["source"], item["target"]
    assert source.dtype == target.dtype == torch.long
    assert source.shape == target.shape == (algorithm.source_length,)
    assert min(source.min(), target.min()) >= 0
    assert max(source.max(), target.max()) < algorithm.vocabulary_size
    assert item["answer_length"] == algorithm.answer_length
    return source.tolist(), target.tolist(), target.tolist()[-item["answer_length"] :]


def decode(row: list[int]) -> list[str]:
    """The six lines of a row of equations."""
    assert len(row) == 181
    assert row[180] == 0
    lines = []
    for start in range(0, 180, 30):
        ids = row[start : start + 30]
        length = ids.index(0)
        assert not any(ids[length:])
        lines.append("".join(CHARACTERS[place] for place in ids[:length]))
    return lines


@settings(deadline=None, max_examples=50)
@given(length=st.integers(2, 9), alphabet=st.integers(16, 20), seed=SEEDS)
def test_copy(length, alphabet, seed):
    source, target, counted = example(Copy(length, alphabet), seed)
    x = source[:length]
    assert min(x) >= 2
    assert source == [*x, 1, *x, *x[:-1]]
    assert target == [*x[1:], 1, *x, *x]
    assert counted == x + x


@settings(deadline=None, max_examples=50)
@given(length=st.integers(2, 9), alphabet=st.integers(16, 20), seed=SEEDS)
def test_reverse(length, alphabet, seed):
    source, target, counted = example(Reverse(length, alphabet), seed)
    x = source[:length]
    assert min(x) >= 2
    assert source == [*x, 1, *x[:0:-1]]
    assert target == [*x[1:], 1, *x[::-1]]
    assert counted == x[::-1]


@pytest.mark.parametrize("kind", [Copy, Reverse])
def test_all_symbols_are_drawn(kind):
    algorithm = kind(24, 10)
    assert algorithm.vocabulary_size == 12
    drawn = {symbol for seed in range(20) for symbol in algorithm.row(random.Random(seed))}
    assert drawn == set(range(1, 12))


@settings(deadline=None, max_examples=50)
@given(pairs=st.integers(1, 10), seed=SEEDS)
def test_associative_retrieval(pairs, seed):
    source, target, (value,) = example(AssociativeRetrieval(pairs), seed)
    keys, values = source[0 : 2 * pairs : 2], source[1 : 2 * pairs : 2]
    assert len(set(keys)) == len(set(values)) == pairs
    assert set(keys) <= set(range(11, 37))
    assert set(values) <= set(range(10))
    assert source[2 * pairs + 1 :] == [10]
    assert value == dict(zip(keys, values))[source[2 * pairs]]
    assert target == [*source[1:], value]


def test_associative_retrieval_asks_for_every_pair():
    rows = [AssociativeRetrieval().row(random.Random(seed)) for seed in range(100)]
    assert {row.index(row[8]) for row in rows} == {0, 2, 4, 6}
    assert {row[0] for row in rows} == set(range(11, 37))
    assert {row[1] for row in rows} == set(range(10))


def test_sizes():
    sizes = {
        algorithm: (
            algorithm.vocabulary_size,
            algorithm.source_length,
            algorithm.answer_length,
            algorithm.question_length,
        )
        for algorithm in (make(name, 24, 10, 4) for name in ALGORITHMS)
    }
    assert sizes == {
        Copy(24, 10): (12, 72, 48, 24),
        Reverse(24, 10): (12, 48, 24, 24),
        AssociativeRetrieval(4): (37, 10, 1, 9),
        QuadraticEquations(): (24, 180, 150, 30),
    }


def test_number_of_questions():
    assert Copy(3, 7).questions == Reverse(3, 7).questions == 7**3
    assert AssociativeRetrieval(2).questions == perm(26, 2) * perm(10, 2) * 2
    real = {(low, high) for low in range(-99, 100) for high in range(low, 100)}
    imaginary = sum(1 for b in range(200) for c in range(10_000) if b * b < 4 * c)
    assert QuadraticEquations().questions == 20 * (len(real) + imaginary)


@pytest.mark.parametrize(
    ("factor", "b", "c", "lines"),
    [
        (
            -4, -98, 552,
            "-4*x^2+392*x-2208=0 x^2-98*x+552=0 D=98^2-4*1*552=7396=86^2 "
            "x=(98-86)/2=6 x=(98+86)/2=92 6,92",
        ),
        (
            3, -7, -2538,
            "3*x^2-21*x-7614=0 x^2-7*x-2538=0 D=7^2-4*1*-2538=10201=101^2 "
            "x=(7-101)/2=-47 x=(7+101)/2=54 -47,54",
        ),
        (
            8, 177, 8587,
            "8*x^2+1416*x+68696=0 x^2+177*x+8587=0 D=177^2-4*1*8587=-3019   ",
        ),
        (-1, 1, 0, "-x^2-x=0 x^2+x=0 D=1^2-4*1*0=1=1^2 x=(-1-1)/2=-1 x=(-1+1)/2=0 -1,0"),
        (1, 0, -1, "x^2-1=0 x^2-1=0 D=0^2-4*1*-1=4=2^2 x=(0-2)/2=-1 x=(0+2)/2=1 -1,1"),
        (2, 6, 9, "2*x^2+12*x+18=0 x^2+6*x+9=0 D=6^2-4*1*9=0=0^2 x=(-6-0)/2=-3 x=(-6+0)/2=-3 -3"),
        (1, 0, 0, "x^2=0 x^2=0 D=0^2-4*1*0=0=0^2 x=(0-0)/2=0 x=(0+0)/2=0 0"),
    ],
)  # fmt: skip
def test_solutions(factor, b, c, lines):
    assert solve(factor, b, c) == lines.split(" ")
    assert decode(encode(solve(factor, b, c))) == lines.split(" ")


def test_ids_of_an_equation():
    row = encode(solve(3, -7, -2538))
    first = [5, 14, 20, 16, 4, 13, 4, 3, 14, 20, 13, 9, 8, 3, 6, 17, 2]
    assert row[:30] == first + [0] * 13
    assert row[150:] == [13, 6, 9, 23, 7, 6] + [0] * 25


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS)
def test_target_of_an_equation_is_the_source_moved_by_one(seed):
    source, target, counted = example(QuadraticEquations(), seed)
    assert target == [*source[1:], 0]
    assert counted == [*source[31:], 0]
    assert source[30] == 20, "the one id of the solution that is not counted is always an x"


def coefficients(equation: str) -> tuple[int, int, int]:
    """``a``, ``b`` and ``c`` of a printed equation, read term by term."""
    left = equation.removesuffix("=0")
    terms = re.findall(r"([+-]?)(?:(\d+)\*)?(x\^2|x)|([+-]?\d+)$", left)
    found = {"x^2": 0, "x": 0, "": 0}
    for sign, size, power, constant in terms:
        found[power] = int(constant or f"{sign}{size or 1}")
    printed = "".join(
        constant or f"{sign}{size}{'*' if size else ''}{power}"
        for sign, size, power, constant in terms
    )
    assert printed == left, "nothing is left unread"
    return found["x^2"], found["x"], found[""]


def test_arithmetic_of_generated_equations():
    numbers = random.Random(1)
    factors, roots, unsolvable, count = set(), set(), 0, 2000
    for _ in range(count):
        question, canonical, discriminant, *solutions, answer = decode(
            QuadraticEquations().row(numbers)
        )
        one, b, c = coefficients(canonical)
        factor = coefficients(question)[0]
        assert one == 1
        assert coefficients(question) == (factor, factor * b, factor * c)
        factors.add(factor)
        name, formula, value, *square = discriminant.split("=")
        assert (name, formula) == ("D", f"{abs(b)}^2-4*1*{c}")
        assert int(value) == b * b - 4 * c
        if int(value) < 0:
            assert (square, solutions, answer) == ([], ["", ""], "")
            unsolvable += 1
            continue
        root = int(re.fullmatch(r"(\d+)\^2", *square)[1])
        assert root * root == int(value)
        found = []
        for sign, solution in zip("-+", solutions):
            numerator, x = re.fullmatch(rf"x=\((-?\d+)\{sign}{root}\)/2=(-?\d+)", solution).groups()
            assert int(numerator) == -b
            assert 2 * int(x) == -b + int(f"{sign}{root}")
            assert int(x) ** 2 + b * int(x) + c == 0
            found.append(int(x))
        assert answer == ",".join(map(str, sorted(set(found))))
        roots.update(found)
    assert factors == {*range(-10, 0), *range(1, 11)}
    assert roots == set(range(-99, 100))
    assert 0.17 < unsolvable / count < 0.23


def test_longest_lines():
    """Of all equations there are; none is longer than what the published generator printed."""
    real = {(-low - high, low * high) for low in range(-99, 100) for high in range(low, 100)}
    imaginary = {(b, c) for b in range(200) for c in (b * b // 4 + 1, 9999)}
    solutions = [[len(line) for line in solve(-10, b, c)] for b, c in real | imaginary]
    assert [max(lengths) for lengths in zip(*solutions)] == LONGEST


@pytest.mark.parametrize("name", list(ALGORITHMS))
@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_an_example_depends_on_its_number_alone(name, split):
    dataset = AlgorithmDataset(make(name, 8, 4, 4), 12, 5, split)
    forward = list(dataset)
    assert len(forward) == len(dataset) == 12
    elsewhere = pickle.loads(pickle.dumps(dataset))
    for index in (7, 0, 11, 7):
        for side in ("source", "target"):
            assert torch.equal(elsewhere[index][side], forward[index][side])
    assert len(rows(dataset)) == 12, "examples are not all the same"


def rows(dataset: AlgorithmDataset) -> set[tuple[int, ...]]:
    """Different sources of a set."""
    return {tuple(item["source"].tolist()) for item in dataset}


def test_same_examples_on_every_machine_and_in_every_version():
    """Another hash or another seeding would mix training with the test of an older model."""
    found = {
        split: AlgorithmDataset(Reverse(4, 8), 2, 1, split)[1]["source"].tolist()[:4]
        for split in ("train", "valid", "test")
    }
    assert found == {"train": [6, 4, 2, 3], "valid": [3, 7, 2, 6], "test": [6, 8, 3, 2]}


def test_seed_split_and_epoch_make_other_examples():
    def drawn(seed: int, split: str, epoch: int = 1) -> set[tuple[int, ...]]:
        dataset = AlgorithmDataset(Copy(20, 10), 20, seed, split)
        dataset.set_epoch(epoch)
        return rows(dataset)

    assert not drawn(1, "train") & drawn(2, "train")
    assert not drawn(1, "train") & drawn(1, "train", epoch=2)
    assert drawn(1, "train", epoch=2) == drawn(1, "train", epoch=2)
    assert not drawn(1, "valid") & drawn(1, "valid1")
    for split in ("valid", "test", "valid1"):
        assert drawn(1, split, epoch=2) == drawn(1, split)


def test_first_epoch_is_the_one_before_set_epoch():
    dataset = AlgorithmDataset(Copy(20, 10), 5, 1, "train")
    before = rows(dataset)
    dataset.set_epoch(1)
    assert rows(dataset) == before


@pytest.mark.parametrize("algorithm", [Copy(2, 16), AssociativeRetrieval(1)])
def test_splits_never_meet(algorithm):
    """Drawn until every question there is has come: each in one part, whatever the seed."""

    def drawn(*splits: str, size: int) -> set[tuple[int, ...]]:
        found = set()
        for seed, split in enumerate(splits):
            dataset = AlgorithmDataset(algorithm, size, seed, split)
            dataset.set_epoch(seed)
            found |= {question[: algorithm.question_length] for question in rows(dataset)}
        return found

    train = drawn("train", "train", "train1", "fine-tuning", size=2000)
    valid = drawn("valid", "valid", "valid1", size=200)
    test = drawn("test", "test1", "test", size=200)
    assert not train & valid
    assert not train & test
    assert not valid & test
    assert len(train) + len(valid) + len(test) == algorithm.questions
    # One in sixteen, as far as chance allows.
    assert 8 <= len(valid) <= 32
    assert 8 <= len(test) <= 32


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        (("sort", 24, 10, 4), r"--algorithm sort is not known: choose one of copy, reverse, "),
        (("copy", 0, 10, 4), r"--sequence-length must be at least 1, not 0"),
        (("reverse", 24, -1, 4), r"--alphabet-size must be at least 1, not -1"),
        (("associative-retrieval", 24, 10, 0), r"--pairs must be from 1 to 10.*, not 0"),
        (("associative-retrieval", 24, 10, 11), r"--pairs must be from 1 to 10.*, not 11"),
    ],
)
def test_impossible_sizes(sizes, says):
    with pytest.raises(MemtxError, match=says) as error:
        make(*sizes)
    assert "\n" not in str(error.value)


def test_sizes_of_other_algorithms_do_not_matter():
    assert make("associative-retrieval", 0, 0, 3) == AssociativeRetrieval(3)
    assert make("quadratic-equations", 0, 0, 0) == QuadraticEquations()
    assert make("reverse", 5, 6, 0) == Reverse(5, 6)


@pytest.mark.parametrize("algorithm", [Copy(1, 255), Reverse(1, 10), Copy(500, 1)])
@pytest.mark.parametrize("split", ["train", "valid"])
def test_too_few_questions_to_share_out(algorithm, split):
    with pytest.raises(MemtxError, match=r"there are \d+: raise --sequence-length or --alphabet"):
        AlgorithmDataset(algorithm, 10, 1, split)
    AlgorithmDataset(Copy(1, 256), 10, 1, split)[9]


def test_empty_set_and_examples_that_are_not_there():
    with pytest.raises(MemtxError, match=r"the set 'valid' must have at least 1 example, not 0"):
        AlgorithmDataset(Copy(8, 8), 0, 1, "valid")
    dataset = AlgorithmDataset(Copy(8, 8), 3, 1, "valid")
    for index in (3, -1):
        with pytest.raises(IndexError, match=f"there is no example {index} among 3"):
            dataset[index]
