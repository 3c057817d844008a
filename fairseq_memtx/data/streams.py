"""A text laid out in parallel streams, and the windows that move along them.

``B`` streams are ``B`` equal parts of the text. Each is cut into segments of ``T`` tokens; a window
is up to ``S`` consecutive segments of every stream, and moves by ``N``. With S=3 and N=1, ``*``
marking the segments that are predicted and ``.`` those that are read again before them::

    window 0   *
    window 1   . *
    window 2   . . *
    window 3     . . *
"""

from typing import Any, Callable, NamedTuple, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import MemtxError


class Text:
    """Consecutive sentences as one row of tokens, read on demand.

    Each ends in the end-of-sentence symbol.
    """

    def __init__(self, sentences: Sequence[Tensor], sizes: np.ndarray) -> None:
        self.sentences = sentences
        self.ends = np.cumsum(sizes, dtype=np.int64)

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def read(self, start: int, end: int) -> Tensor:
        """Tokens ``start`` to ``end``."""
        first = int(np.searchsorted(self.ends, start, side="right"))
        last = int(np.searchsorted(self.ends, end, side="left"))
        if end <= start:
            return torch.empty(0, dtype=torch.long)
        offset = start - (int(self.ends[first - 1]) if first else 0)
        tokens = torch.cat([self.sentences[index] for index in range(first, last + 1)])
        return tokens[offset : offset + end - start].long()

    def documents(self) -> np.ndarray:
        """Where documents begin: after an empty sentence, as everywhere in fairseq."""
        sizes = np.diff(self.ends, prepend=0)
        starts = np.concatenate([[0], self.ends[sizes == 1]])
        return np.unique(starts[starts < len(self)])


class Window(NamedTuple):
    """Segments ``first`` to ``last``, which are predicted from ``scored`` on."""

    first: int
    scored: int
    last: int


def plan_windows(
    segments: int, window_segments: Callable[[int], int], stride_segments: int = 0
) -> list[Window]:
    """The windows that predict every segment once.

    Args:
        segments: of a stream.
        window_segments: ``S`` of a window, from its number.
        stride_segments: ``N``; as long as the window, if 0.
    """
    windows: list[Window] = []
    first = last = 0
    while last < segments:
        size = window_segments(len(windows))
        end = last + (stride_segments or size)
        # A window that has grown begins where the one before it began: there the state is known.
        first = max(first, end - size)
        windows.append(Window(first, last, min(end, segments)))
        last = end
    return windows


class StreamWindows(torch.utils.data.Dataset):
    """The windows of one worker's streams; each item is a whole batch.

    A text with fewer segments than there are streams is refused.

    Args:
        text: all of it.
        segment_length: ``T``.
        streams: of all workers together; where they cannot be shared out evenly, empty ones are
            added.
        worker: which of the workers this is.
        workers: how many there are; each has ``streams / workers`` streams.
        window_segments: ``S`` of a window, from its number; one segment, if None.
        stride_segments: ``N``; as long as the window, if 0.
        cut_at_documents: begin a segment, and a new state, with every document.
        pad: index of the padding symbol.
        eos: index of the end-of-sentence symbol, which stands before a text's first token.
        flag: that says how many streams there are.
    """

    def __init__(
        self,
        text: Text,
        segment_length: int,
        streams: int,
        worker: int = 0,
        workers: int = 1,
        window_segments: Callable[[int], int] | None = None,
        stride_segments: int = 0,
        cut_at_documents: bool = False,
        pad: int = 1,
        eos: int = 2,
        flag: str = "--batch-size",
    ) -> None:
        self.text, self.segment_length, self.pad, self.eos = text, segment_length, pad, eos
        self.worker, self.cut_at_documents = worker, cut_at_documents
        # What a place in the windows, and the states of the streams there, are counted in.
        self.layout = {
            "workers": workers,
            "streams": streams,
            "segment_length": segment_length,
            "stride_segments": stride_segments,
            "documents": cut_at_documents,
            "text_length": len(text),
        }
        documents = text.documents() if cut_at_documents else np.array([0])
        ends = np.append(documents[1:], len(text))
        starts = [np.arange(a, b, segment_length) for a, b in zip(documents, ends)]
        self.starts = np.concatenate(starts)
        self.ends = np.append(self.starts[1:], len(text))
        self.begins = np.isin(self.starts, documents)
        if len(self.starts) < streams:
            raise MemtxError(
                f"a text of {len(text)} tokens has {len(self.starts)} segments of "
                f"{segment_length} and cannot fill {streams} streams: use a smaller {flag} or "
                "--tokens-per-sample"
            )
        parts = np.array_split(np.arange(len(self.starts)), streams)
        segments = max(map(len, parts))
        self.windows = plan_windows(
            segments, window_segments or (lambda window: 1), stride_segments
        )
        parts += [np.arange(0)] * (-streams % workers)
        mine = len(parts) // workers
        self.streams = parts[worker * mine : (worker + 1) * mine]

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Window ``number`` of all streams; see `batch`."""
        return self.batch(number, self.streams)

    def batch(self, number: int, streams: Sequence[np.ndarray]) -> dict[str, Any]:
        """Window ``number`` of some streams, as a batch for fairseq.

        ``advance`` is the number of segments after which the next window begins.
        """
        window = self.windows[number]
        first, scored, last = window
        rows = [self._row(stream, window) for stream in streams]
        source, target = (torch.stack(part) for part in list(zip(*rows))[:2])
        net_input: dict[str, Any] = {"src_tokens": source, "warm_up": scored - first}
        if self.cut_at_documents:
            net_input["resets"] = torch.tensor([row[2] for row in rows])
        following = self.windows[number + 1].first if number + 1 < len(self) else last
        return {
            "id": torch.arange(len(rows)),
            "nsentences": len(rows),
            "ntokens": int(target.ne(self.pad).sum()),
            "net_input": net_input,
            "target": target,
            "window": number,
            "advance": following - first,
        }

    def _row(self, stream: np.ndarray, window: Window) -> tuple[Tensor, Tensor, list[bool]]:
        """Source, target and resets of one stream; a stream that is over is padding."""
        first, scored, last = window
        length = self.segment_length
        source = torch.full(((last - first) * length,), self.pad)
        target = source.clone()
        resets = []
        for place, segment in enumerate(stream[first:last]):
            start, end = self.starts[segment], self.ends[segment]
            tokens = self.text.read(max(start - 1, 0), end)
            if start == 0:
                tokens = torch.cat([tokens.new_tensor([self.eos]), tokens])
            here = place * length
            source[here : here + end - start] = tokens[:-1]
            target[here : here + end - start] = tokens[1:]
            resets.append(bool(self.begins[segment]))
        resets += [False] * (last - first - len(resets))
        return source, target[(scored - first) * length :], resets


class StreamGroups(torch.utils.data.Dataset):
    """All windows of some streams, then all of the next ones: a text however few fit in a batch.

    What is in front of a token, and so its loss, does not depend on how many fit.
    """

    def __init__(self, windows: StreamWindows, size: int) -> None:
        self.windows = windows
        streams = windows.streams
        self.groups = [streams[start : start + size] for start in range(0, len(streams), size)]

    def __len__(self) -> int:
        return len(self.groups) * len(self.windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A batch, with the number of its ``group``."""
        group, number = divmod(index, len(self.windows))
        return {**self.windows.batch(number, self.groups[group]), "group": group}
