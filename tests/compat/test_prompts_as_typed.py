"""What ``fairseq-interactive`` reads."""

import pytest
from fairseq_cli import interactive

from fairseq_memtx.compat import prompts_as_typed
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.text.units import Bytes, Characters, Lines


def test_spaces_are_known_to_those_to_whom_they_matter(tmp_path):
    prompts_as_typed.mend()
    (tmp_path / "prompts").write_bytes("\ufeff The end \r\n\nlast ".encode())
    ((first, empty), (last,)) = interactive.buffered_read(str(tmp_path / "prompts"), 2)
    assert (first, empty, last) == ("The end", "", "last"), "as fairseq has it"
    assert Characters().encode(first) == "_ T h e _ e n d _"
    assert Bytes().decode(Bytes().encode(last)) == "last "
    assert Lines().encode(first) == "The end"
    assert first.typed == " The end "


def test_only_a_newline_ends_a_line(tmp_path):
    """Otherwise there would be more answers than lines, beside the wrong ones."""
    prompts_as_typed.mend()
    texts = ["one\rtwo", "three\x0b\x1cfour", "five\u2028six\x85seven", "eight"]
    (tmp_path / "prompts").write_bytes("\r\n".join(texts).encode())
    prompts = interactive.buffered_read(str(tmp_path / "prompts"), 1)
    assert [prompt for (prompt,) in prompts] == texts


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("größer\n".encode("latin-1"), "prompts, line 1: not UTF-8"),
        ("ab\n".encode("utf-16"), "prompts: UTF-16 or UTF-32, not UTF-8"),
        (None, "--input .*prompts cannot be read: No such file"),
    ],
)
def test_input_that_is_no_text(content, says, tmp_path):
    prompts_as_typed.mend()
    if content is not None:
        (tmp_path / "prompts").write_bytes(content)
    with pytest.raises(MemtxError, match=says):
        list(interactive.buffered_read(str(tmp_path / "prompts"), 1))
