"""Stories from the official files of bAbI."""

import random
import re
from collections import Counter, defaultdict
from pathlib import Path

from ...errors import MemtxError
from ..drawn_examples import part_named
from .babi_files import read_babi
from .story import Story, Teller


class Babi(Teller):
    """The questions of one task, each with the sentences before it, drawn one as likely as another.

    The files are told by their names: ``qa1_single-supporting-fact_train.txt``, and the same with
    ``test`` and ``valid``. Without a file for validation the last tenth of the stories for training
    is kept for it, less the questions that training asks after the same sentences.

    Args:
        folder: with the files of one language and size, such as ``tasks_1-20_v1-2/en-10k``.
        task: ``qa1`` to ``qa20``.

    Raises:
        MemtxError: if there is no such task or file, or one is not in the format.
    """

    def __init__(self, folder: Path, task: str) -> None:
        if not re.fullmatch("qa([1-9]|1[0-9]|20)", task):
            raise MemtxError(f"--babi-task {task} is not known: choose one of qa1 to qa20")
        self.folder = folder
        self.task = task
        files = {part: self._file(part) for part in ("train", "valid", "test")}
        if not files["train"]:
            raise MemtxError(
                f"--babi {folder} has no file {task}_*train.txt: give the folder with the files of "
                "bAbI, such as tasks_1-20_v1-2/en-10k"
            )
        told = {part: read_babi(file) for part, file in files.items() if file}
        self._words = sorted(_words([asked for part in told.values() for asked in part]))
        if not files["valid"]:
            kept = max(1, len(told["train"]) * 9 // 10)
            told["train"], told["valid"] = told["train"][:kept], told["train"][kept:]
        self.stories = {part: [s for asked in told[part] for s in asked] for part in told}
        if not files["valid"]:
            met = set(map(str, self.stories["train"]))
            self.stories["valid"] = [s for s in self.stories["valid"] if str(s) not in met]

    def _file(self, part: str) -> Path | None:
        files = sorted(self.folder.glob(f"{self.task}_*{part}.txt"))
        if len(files) > 1:
            raise MemtxError(
                f"--babi {self.folder} has several files {self.task}_*{part}.txt: leave one of "
                f"{files[0].name} and {files[1].name}"
            )
        return files[0] if files else None

    @property
    def words(self) -> list[str]:
        return self._words

    @property
    def answers(self) -> list[str]:
        return sorted({story.answer for told in self.stories.values() for story in told})

    @property
    def chance(self) -> float:
        """Of the answers for training, those that are the most frequent of their question."""
        answers: dict[str, Counter[str]] = defaultdict(Counter)
        for story in self.stories["train"]:
            answers[" ".join(story.question)][story.answer] += 1
        return sum(max(seen.values()) for seen in answers.values()) / len(self.stories["train"])

    def tell(self, numbers: random.Random, split: str) -> Story:
        """Draw a question.

        Raises:
            MemtxError: if the files have none for a split.
        """
        stories = self.stories.get(part_named(split))
        if not stories:
            raise MemtxError(f"--babi {self.folder} has no stories of {self.task} for '{split}'")
        return numbers.choice(stories)


def _words(told: list[list[Story]]) -> set[str]:
    """Words of stories, where the last question of each comes after all of its sentences."""
    words: set[str] = set()
    for asked in told:
        words.update(*asked[-1].sentences)
        for story in asked:
            words.update(story.question, [story.answer])
    return words
