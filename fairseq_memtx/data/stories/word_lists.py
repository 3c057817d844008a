"""Plain words that stories are told with, so rare that a text can be the noise around them.

None is in the validation or test text of WikiText-2.
"""

WORDS = {
    "name": (
        "Ada Cleo Dora Edna Finn Gwen Ines Jonas Klara Mira Nils Olga Sven Tilda Wanda Xenia Yusuf "
        "Zoe Emil Fritz Greta Heidi Kira Ludo Milo Petra Ruben Uwe Willem Yara Bruno Lotte"
    ),
    "place": (
        "cellar attic pantry veranda scullery greenhouse bakery laundry sauna barn loft foyer "
        "patio nursery porch balcony"
    ),
    "thing": (
        "apple lamp spoon basket kettle pillow candle broom teapot scarf lantern notebook bucket "
        "saucer apron thimble"
    ),
}


def first(count: int, kind: str) -> list[str]:
    """So many words of a kind; beyond its list the kind with a number, such as ``place17``."""
    words = WORDS[kind].split()
    return [*words[:count], *(f"{kind}{number}" for number in range(len(words) + 1, count + 1))]
