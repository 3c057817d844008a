"""The format of bAbI's files, which are read here: stories of numbered lines, with questions::

    1 Mary moved to the bathroom.
    2 John went to the hallway.
    3 Where is Mary? 	bathroom	1

The last line has the answer and the numbers of the sentences that support it behind a tab each. A
story begins at 1 and may ask several times.
"""

import re
from pathlib import Path

from ...errors import MemtxError
from ...text.lines import read_text
from .story import Story

WORD = re.compile(r"\w[\w'-]*|[^\w\s]")
LINE = re.compile(r"(\d+) ([^\t?]+|([^\t]+\?)\s*\t(\S+)\t[\d ]*)")


def read_babi(path: Path) -> list[list[Story]]:
    """The stories of a file, in each as many as it has questions: what was told until then.

    Words are split off from their full stops and question marks; an answer is one word, also where
    it lists several (``apple,football``).

    Raises:
        MemtxError: if the file cannot be read, a line is not in the format, or nothing is asked.
    """
    stories: list[list[Story]] = []
    sentences: list[list[str]] = []
    before = 0
    for number, line in enumerate(read_text(path).rstrip("\n").split("\n"), start=1):
        match = LINE.fullmatch(line.rstrip("\r"))
        if not match or int(match[1]) not in (1, before + 1) or (match[1] == "1" and match[4]):
            raise MemtxError(
                f'{path}, line {number}: "{line[:60]}" is not in the format of bAbI, such as '
                '"2 Mary moved to the bathroom." or "3 Where is Mary?<TAB>bathroom<TAB>2"'
            )
        before = int(match[1])
        if before == 1:
            stories.append([])
            sentences = []
        if match[4]:
            stories[-1].append(Story(sentences[:], WORD.findall(match[3]), match[4]))
        else:
            sentences.append(WORD.findall(match[2]))
    stories = [asked for asked in stories if asked]
    if not stories:
        raise MemtxError(f"{path} asks nothing: give a file of bAbI")
    return stories
