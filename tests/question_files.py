"""Small files in the formats of SQuAD 1.1, SQuAD 2.0 and HotpotQA, field by field."""

import json
from pathlib import Path
from typing import Any

TEXTS = {
    "Lighthouses": [
        ("The lighthouse of Kap Arkona, built in 1827, is 19.3 m high.",
         [("When was the lighthouse built?", "1827"), ("How high is it?", "19.3 m")]),
        ("Its keeper, Ada Brandt, lit the lamp every evening.",
         [("Who lit the lamp?", "Ada Brandt")]),
    ],
    "Bridges": [
        ("The bridge over the Elbe was opened by Otto Kern; it doesn't carry trains.",
         [("Who opened the bridge?", "Otto Kern"), ("Which river is it over?", "the Elbe")]),
    ],
    "Clocks": [
        ("The clock of the town hall strikes every quarter of an hour.",
         [("Where is the clock?", "the town hall")]),
    ],
}  # fmt: skip


def squad(version: str = "1.1", texts: dict[str, Any] = TEXTS) -> dict[str, Any]:
    """SQuAD 1.1, or 2.0 with a question for every article that has no answer."""
    articles = []
    for title, paragraphs in texts.items():
        article: dict[str, Any] = {"title": title, "paragraphs": []}
        for number, (context, asked) in enumerate(paragraphs):
            qas = [
                {
                    "id": f"{title}-{number}-{place}",
                    "question": question,
                    "answers": [{"text": answer, "answer_start": context.index(answer)}],
                }
                for place, (question, answer) in enumerate(asked)
            ]
            if version == "2.0":
                for question in qas:
                    question["is_impossible"] = False
                if number == 0:
                    none = {"plausible_answers": [], "answers": [], "is_impossible": True}
                    qas.append({"id": f"{title}-none", "question": "Who was against it?", **none})
            article["paragraphs"].append({"context": context, "qas": qas})
        articles.append(article)
    return {"version": f"v{version}" if version == "2.0" else version, "data": articles}


def hotpotqa() -> list[dict[str, Any]]:
    """A list of questions, one of them with the verdict "yes"."""
    context = [
        ["Kap Arkona", ["Kap Arkona is a cape.", " Its lighthouse is from 1827."]],
        ["Ada Brandt", ["Ada Brandt kept the lighthouse."]],
    ]
    told = {"level": "hard", "context": context, "supporting_facts": [["Kap Arkona", 1]]}
    asked = [
        ("bridge", "From when is the lighthouse that Ada Brandt kept?", "1827"),
        ("comparison", "Are Kap Arkona and Ada Brandt about one lighthouse?", "yes"),
        ("bridge", "Who kept the lighthouse of the cape?", "Ada Brandt"),
    ]
    return [
        {"_id": f"h{number}", "type": kind, "question": question, "answer": answer, **told}
        for number, (kind, question, answer) in enumerate(asked)
    ]


def write(file: Path, content: Any) -> Path:
    """Write a file, as the official ones are written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")
    return file
