"""Sentences about numbers, dates, times and money, German and English.

Number words come from num2words; dates, times, months and prices from Babel; the sentences around
them are our own. A sentence has one translation, which can be foretold.
"""

import datetime
import random
import string
from collections.abc import Callable

from babel.dates import format_date, format_time, get_day_names
from babel.numbers import format_currency, get_currency_name
from num2words import num2words

Pair = tuple[str, str]  # German, English
LANGUAGES = ("de", "en")

# Names of both languages; none ends in "s", which would leave two ways to write its genitive.
PEOPLE = ["Anna", "Clara", "Emma", "Felix", "Lena", "Max", "Paul", "Sophie"]
# Currencies whose names stand in a sentence as Babel gives them; it would write "Britische Pfund".
CURRENCIES = ["CHF", "EUR", "USD"]

# A name in braces is a slot, filled in on both sides with the two halves of one pair. Ordinals end
# in "e" ("dritte"), to which a sentence adds what its grammar asks for ("in der dritten Reihe").
SENTENCES: list[Pair] = [
    ("Der {ordinal} Zug fährt um {time} Uhr.", "The {ordinal} train leaves at {time}."),
    ("Der {ordinal} Bus kommt um {time} Uhr an.", "The {ordinal} bus arrives at {time}."),
    ("Die {ordinal} Sitzung beginnt um {time} Uhr.", "The {ordinal} meeting starts at {time}."),
    ("Das {ordinal} Spiel endet um {time} Uhr.", "The {ordinal} match ends at {time}."),
    ("Am {weekday} schließt die Bank um {time} Uhr.", "On {weekday} the bank closes at {time}."),
    (
        "{person} hat am {weekday} um {time} Uhr einen Termin.",
        "{person} has an appointment on {weekday} at {time}.",
    ),
    ("{person} sitzt in der {ordinal}n Reihe.", "{person} is sitting in the {ordinal} row."),
    ("{person} hat den {ordinal}n Platz belegt.", "{person} finished in {ordinal} place."),
    (
        "Heute ist der {ordinal} Geburtstag von {person}.",
        "Today is {person}'s {ordinal} birthday.",
    ),
    ("{person} hat am {day} Geburtstag.", "{person}'s birthday is on the {day}."),
    ("Das kostet {cardinal} {currency}.", "That costs {cardinal} {currency}."),
    (
        "{person} verdient {cardinal} {currency} im Monat.",
        "{person} earns {cardinal} {currency} a month.",
    ),
    ("Die Bibliothek hat {cardinal} Bücher.", "The library has {cardinal} books."),
    ("Der Berg ist {cardinal} Meter hoch.", "The mountain is {cardinal} meters high."),
    ("Die Brücke wurde im Jahr {year} gebaut.", "The bridge was built in the year {year}."),
    ("Im Jahr {year} brannte das Schloss ab.", "In the year {year} the castle burned down."),
    ("{person} wurde am {date} geboren.", "{person} was born on {date}."),
    ("Am {date} fand das Konzert statt.", "The concert took place on {date}."),
    ("Das Museum war am {weekday_date}, geschlossen.", "The museum was closed on {weekday_date}."),
    ("Die Rechnung beträgt {price}.", "The bill comes to {price}."),
    ("{person} zahlt im Monat {price} Miete.", "{person} pays {price} in rent a month."),
]


def _in_both(say: Callable[[str], str]) -> Pair:
    """What both languages say."""
    german, english = LANGUAGES
    return say(german), say(english)


def cardinal(draw: random.Random) -> Pair:
    """A number of things in words, from two on."""
    number = draw.randrange(2, 10_000)
    if number % 100 == 1:
        number += 1  # "hundertein Meter" or "hunderteins Meter"? Grammars differ.
    return num2words(number, lang="de"), num2words(number, lang="en").replace(",", "")


def ordinal(draw: random.Random) -> Pair:
    """An ordinal in words, as after "der", "die" or "das"."""
    number = draw.randrange(1, 100)
    return _in_both(lambda lang: num2words(number, lang=lang, to="ordinal"))


def year(draw: random.Random) -> Pair:
    """A year in words."""
    number = draw.randrange(1700, 2025)
    return num2words(number, lang="de", to="year"), num2words(number, lang="en", to="year")


def day(draw: random.Random) -> Pair:
    """A day of the year in words, as after "am"."""
    drawn = datetime.date(2024, 1, 1) + datetime.timedelta(draw.randrange(366))
    german, english = _in_both(lambda lang: num2words(drawn.day, lang=lang, to="ordinal"))
    month, english_month = _in_both(lambda lang: format_date(drawn, "MMMM", locale=lang))
    return f"{german}n {month}", f"{english} of {english_month}"


def date(draw: random.Random) -> Pair:
    """A date, ``3. Mai 2019``."""
    drawn = _any_date(draw)
    return _in_both(lambda lang: format_date(drawn, "long", locale=lang))


def weekday_date(draw: random.Random) -> Pair:
    """A date with its weekday, as after "am": ``Freitag, dem 3. Mai 2019``."""
    drawn = _any_date(draw)
    return (
        format_date(drawn, "EEEE, 'dem' d. MMMM y", locale="de"),
        format_date(drawn, "full", locale="en"),
    )


def weekday(draw: random.Random) -> Pair:
    """A day of the week."""
    number = draw.randrange(7)
    return _in_both(lambda lang: get_day_names(locale=lang)[number])


def time(draw: random.Random) -> Pair:
    """A time of day: ``14:35``, ``2:35 PM``."""
    drawn = datetime.time(draw.randrange(24), draw.randrange(60))
    return format_time(drawn, "H:mm", locale="de"), format_time(drawn, "short", locale="en")


def price(draw: random.Random) -> Pair:
    """A price in figures: ``1.234,50 €``."""
    cents = 5 * draw.randrange(200, 40_000)
    return _in_both(lambda lang: format_currency(cents / 100, "EUR", locale=lang))


def currency(draw: random.Random) -> Pair:
    """The name of a currency, in the plural."""
    code = draw.choice(CURRENCIES)
    return _in_both(lambda lang: get_currency_name(code, count=2, locale=lang))


def person(draw: random.Random) -> Pair:
    """A first name."""
    name = draw.choice(PEOPLE)
    return name, name


def _any_date(draw: random.Random) -> datetime.date:
    return datetime.date(1950, 1, 1) + datetime.timedelta(draw.randrange(75 * 365))


_SLOTS = cardinal, ordinal, year, day, date, weekday_date, weekday, time, price, currency, person
SLOTS: dict[str, Callable[[random.Random], Pair]] = {slot.__name__: slot for slot in _SLOTS}


def draw_pair(draw: random.Random) -> Pair:
    """One sentence and its translation."""
    german, english = draw.choice(SENTENCES)
    names = [name for _, name, _, _ in string.Formatter().parse(german) if name]
    values = {name: SLOTS[name](draw) for name in names}
    return (
        plain(german.format(**{name: value[0] for name, value in values.items()})),
        plain(english.format(**{name: value[1] for name, value in values.items()})),
    )


def plain(sentence: str) -> str:
    """The sentence with plain spaces; some of Babel's do not break, and some are narrow."""
    return " ".join(sentence.split())
