"""Our functions around others, in their place."""

import json
import sys
from types import ModuleType

import pytest

from fairseq_memtx.put_around import put_around


@pytest.fixture
def module(monkeypatch) -> ModuleType:
    """With a function and a class, as fairseq's modules have them."""
    made = ModuleType("theirs")
    monkeypatch.setitem(sys.modules, "theirs", made)
    exec(
        "def double(number, by=2):\n    'Twice.'\n    return number * by\n"
        "class Box:\n    def __init__(self, content):\n        self.content = content\n",
        vars(made),
    )
    return made


def test_ours_gets_theirs_and_the_arguments(module):
    theirs = module.double
    put_around("theirs:double", lambda inner, number, **more: (inner(number, **more), number, more))
    assert module.double(3, by=5) == (15, 3, {"by": 5})
    assert (module.double.__doc__, module.double.__wrapped__) == ("Twice.", theirs)


def test_the_last_is_outside(module):
    put_around("theirs:double", lambda inner, number: inner(number) + 1)
    put_around("theirs:double", lambda inner, number: inner(number) * 10)
    assert module.double(3) == 70


def test_methods_get_their_object(module):
    def begin(inner, box, content):
        inner(box, [content])

    put_around("theirs:Box.__init__", begin)
    assert module.Box(7).content == [7]


def test_what_is_not_there_is_no_place():
    with pytest.raises(AttributeError):
        put_around("json:tripple", lambda inner: inner())
    assert not hasattr(json, "tripple")
