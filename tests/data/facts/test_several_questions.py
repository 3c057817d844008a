"""Rows that end with several questions."""

import numpy as np

from fairseq_memtx.data.facts import make_noise
from fairseq_memtx.data.facts.fact_rows import FactRows
from fairseq_memtx.data.facts.story_examples import FactsInNoise
from fairseq_memtx.data.facts.vocabulary import dictionary_of
from fairseq_memtx.data.stories import make_teller


def test_targets_are_the_answers_at_the_ends_of_the_questions_and_sources_do_not_tell_them():
    teller = make_teller("one", 3, 5, 4, asked=3)
    noise = make_noise(None, None, 64)
    words = dictionary_of([*teller.words, *noise.vocabulary])
    rows = FactRows(FactsInNoise(teller, noise, words, "start", 20, 1, "train"), 32, 2)
    for index in range(20):
        source, target = (rows[index][name].numpy() for name in ("source", "target"))
        told = source[:12].reshape(3, 4)  # name is in place
        asked = source[-9:].reshape(3, 3)  # where is name
        assert sorted(asked[:, 2]) == sorted(told[:, 0])
        place_of = dict(zip(told[:, 0], told[:, 3]))
        assert list(target[[-7, -4, -1]]) == [place_of[name] for name in asked[:, 2]]
        assert (np.delete(target, [-7, -4, -1]) == words.pad()).all()
    batch = rows.collater([rows[index] for index in range(4)])
    assert batch["net_input"]["predicted"].tolist() == [[57, 60, 63]] * 4
    expected = [rows[index]["target"][[57, 60, 63]].tolist() for index in range(4)]
    assert batch["target"].tolist() == expected
