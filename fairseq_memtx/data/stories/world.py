"""A small world in which people move, take and drop things, and what is told of it."""

import random

MOVED = ["moved", "went", "journeyed", "travelled"]
TOOK = ["took", "got", "grabbed"]
DROPPED = ["dropped", "left", "discarded"]


class World:
    """Nothing is known of it at first; what happens is told, so that all can be known.

    Args:
        people: who act.
        places: they move between.
        things: they carry; any may be none.

    Attributes:
        place_of: the place of each person of whom one was told.
        carrier_of: who carries a thing.
        way_of: the places of a thing, one after another, from where it was taken first.
    """

    def __init__(self, people: list[str], places: list[str], things: list[str]) -> None:
        self.people = people
        self.places = places
        self.things = things
        self.place_of: dict[str, str] = {}
        self.carrier_of: dict[str, str] = {}
        self.way_of: dict[str, list[str]] = {}

    def next_sentence(self, numbers: random.Random) -> list[str]:
        """Let somebody do something that they can do, and tell it."""
        person = numbers.choice(self.people)
        carried = [thing for thing, carrier in self.carrier_of.items() if carrier == person]
        found = [thing for thing in self.things if self._can_take(person, thing)]
        possible = {"move": True, "take": bool(found), "drop": bool(carried)}
        act = numbers.choice([act for act in possible if possible[act]])
        if act == "move":
            return self._move(person, carried, numbers)
        if act == "take":
            thing, verb = numbers.choice(found), numbers.choice(TOOK)
            self.carrier_of[thing] = person
            self.way_of.setdefault(thing, [self.place_of[person]])
        else:
            thing, verb = numbers.choice(carried), numbers.choice(DROPPED)
            del self.carrier_of[thing]
        return [person, verb, "the", thing, "."]

    def _can_take(self, person: str, thing: str) -> bool:
        """A thing that nobody has taken before may be found anywhere."""
        here = self.place_of.get(person)
        there = self.way_of.get(thing, [here])[-1]
        return here is not None and here == there and thing not in self.carrier_of

    def _move(self, person: str, carried: list[str], numbers: random.Random) -> list[str]:
        places = [place for place in self.places if place != self.place_of.get(person)]
        place = self.place_of[person] = numbers.choice(places)
        for thing in carried:
            self.way_of[thing].append(place)
        return [person, numbers.choice(MOVED), "to", "the", place, "."]
