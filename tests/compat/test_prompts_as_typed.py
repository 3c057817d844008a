"""What ``fairseq-interactive`` reads."""

from __future__ import annotations

from fairseq_cli import interactive

from fairseq_memtx import compat
from fairseq_memtx.data.text_units import Bytes, Characters, Words


def test_spaces_are_known_to_those_to_whom_they_matter(tmp_path):
    compat.keep_prompts_as_typed()
    (tmp_path / "prompts").write_bytes("\ufeff The end \r\n\nlast ".encode())
    ((first, empty), (last,)) = interactive.buffered_read(str(tmp_path / "prompts"), 2)
    assert (first, empty, last) == ("The end", "", "last"), "as fairseq has it"
    assert Characters().encode(first) == "_ T h e _ e n d _"
    assert Bytes().decode(Bytes().encode(last)) == "last "
    assert Words().encode(first) == "The end"
    assert first.typed == " The end "
