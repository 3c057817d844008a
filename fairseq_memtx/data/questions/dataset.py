"""Rows of `windows` as fairseq's batches, ``B x L``."""

from typing import Any, Sequence

import numpy as np
import torch
from fairseq.data import Dictionary, FairseqDataset, data_utils

from ...errors import MemtxError
from .windows import FRAME, WindowedQuestion


class QuestionDataset(FairseqDataset):
    """Rows of questions that were cut, for a model.

    An item is one window, for training, or a ``whole`` question with all its windows, as needed to
    answer it.
    """

    def __init__(
        self, questions: Sequence[WindowedQuestion], dictionary: Dictionary, whole: bool
    ) -> None:
        self.dictionary = dictionary
        self.whole = whole
        windows: list[tuple[WindowedQuestion, Sequence[int]]] = [
            (question, range(len(question.windows))) for question in questions
        ]
        if not whole:
            windows = [(question, [number]) for question, numbers in windows for number in numbers]
        self.windows = windows
        self.rows = np.array([len(numbers) for _, numbers in windows])
        self.sizes = np.array(
            [
                max(end - first for first, end in (question.windows[n] for n in numbers))
                + len(question.asked)
                + FRAME
                for question, numbers in windows
            ]
        )

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The rows of an item, and where in them the answer is."""
        question, numbers = self.windows[index]
        rows = [self._row(question, *question.windows[number]) for number in numbers]
        return {
            "id": index,
            "question": question,
            "rows": rows,
            "answers": [question.answer_in(number) for number in numbers],
        }

    def _row(self, question: WindowedQuestion, first: int, end: int) -> torch.Tensor:
        bos, eos = self.dictionary.bos(), self.dictionary.eos()
        context = question.context.pieces[first:end]
        row = np.concatenate([[bos], question.asked, [eos, eos], context, [eos]])
        return torch.from_numpy(row.astype(np.int64))

    def collater(self, samples: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch, whose rows are those of one item after the other.

        Returns:
            among what fairseq asks for, ``starts`` and ``ends`` (``B``, positions of the answers),
            ``allowed`` (``B x L``, true for the context and for ``<s>``), and, if items are whole
            questions, ``questions``.
        """
        if not samples:
            return {}
        rows = [row for sample in samples for row in sample["rows"]]
        tokens = data_utils.collate_tokens(rows, self.dictionary.pad())
        allowed = torch.zeros_like(tokens, dtype=torch.bool)
        allowed[:, 0] = True
        offsets = [s["question"].context_offset for s in samples for _ in s["rows"]]
        for of_row, row, offset in zip(allowed, rows, offsets):
            of_row[offset : len(row) - 1] = True
        starts, ends = torch.tensor([a for sample in samples for a in sample["answers"]]).T
        batch = {
            "id": torch.tensor([sample["id"] for sample in samples]),
            "nsentences": len(rows),
            "ntokens": sum(map(len, rows)),
            "net_input": {
                "src_tokens": tokens,
                "src_lengths": torch.tensor([len(row) for row in rows]),
            },
            "allowed": allowed,
            "starts": starts.contiguous(),
            "ends": ends.contiguous(),
        }
        if self.whole:
            batch["questions"] = [sample["question"] for sample in samples]
        return batch

    def num_tokens(self, index: int) -> int:
        """Of all rows of an item, with their padding."""
        return int(self.rows[index] * self.sizes[index])

    def num_tokens_vec(self, indices: np.ndarray | slice) -> np.ndarray:
        """`num_tokens` of many."""
        return self.rows[indices] * self.sizes[indices]

    def size(self, index: int) -> int:
        """Of the longest row of an item."""
        return int(self.sizes[index])

    def filter_indices_by_size(
        self, indices: np.ndarray, max_sizes: int
    ) -> tuple[np.ndarray, list[int]]:
        """All of them: rows were cut to what a model takes.

        A ``--max-tokens`` below that, for which fairseq would drop rows, is refused.
        """
        longest = int(self.sizes.max())
        if longest > max_sizes:
            raise MemtxError(
                f"rows have up to {longest} tokens and only {max_sizes} are allowed: raise "
                "--max-tokens or lower --max-positions"
            )
        return indices, []

    def ordered_indices(self) -> np.ndarray:
        """Like by like; those of one size at random."""
        return np.lexsort((np.random.permutation(len(self)), self.num_tokens_vec(slice(None))))

    def batch_by_size(
        self,
        indices: np.ndarray,
        max_tokens: int | None = None,
        max_sentences: int | None = None,
        required_batch_size_multiple: int = 1,
    ) -> list[np.ndarray]:
        """Batches of fairseq; a whole question is in one, however long, and none is left out."""
        if not self.whole:
            return super().batch_by_size(
                indices, max_tokens, max_sentences, required_batch_size_multiple
            )
        tokens = self.num_tokens_vec(indices)
        if max_tokens is not None:
            tokens = tokens.clip(max=max_tokens)
        limits = max_tokens, max_sentences, required_batch_size_multiple
        return data_utils.batch_by_size(indices, self.num_tokens, tokens.astype(np.int64), *limits)
