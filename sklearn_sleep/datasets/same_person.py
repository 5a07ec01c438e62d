"""Recordings whose names look like several nights of one person, or do not tell people apart."""

import re
from collections.abc import Mapping

from sklearn_sleep.core.messages import list_names

_WORDS = "night|nuit|nacht|noche|notte|visite?|session|ses|day|psg|recording|rec|run|[nvtd]"
# P01_N1, P01/night2, P01_ses-2_psg, P01-1: a bare number only where a number stands before it.
_NIGHT = re.compile(
    r"(?P<person>.+?)"
    rf"(?:(?P<word>(?:[-_ ./]+|(?<=\d))(?:{_WORDS})[-_ .]?)0*|(?<=\d)(?P<bare>[-_ .])0?)"
    r"(?P<number>[1-9]\d?)(?P<rest>[-_ .]\D*)?",
    re.IGNORECASE,
)
# P01/psg, P02/night1: a name that says which recording it is, and not whose.
_NOBODY = re.compile(rf"\D+|(?:(?:{_WORDS})[-_ .]?\d{{1,2}}[-_ .]?)+\D*", re.IGNORECASE)
_MONTH = re.compile(r"(?:19|20)\d\d[-_.](?:0\d|1[0-2])\Z")
_MOST_NIGHTS = 9  # a longer list of bare numbers is one of people


def tell_nights_of_one_person(subjects: Mapping[str, str], advice: str) -> tuple[str, str] | None:
    """Return the first name that looks like it though the subjects differ, and what is said of all.

    `subjects` has that of each name, a path without its ending. ``{pattern}`` in the advice is
    replaced by one that finds the person.
    """
    found: dict[str, list[re.Match[str]]] = {}
    for name in subjects:
        match = _NIGHT.fullmatch(name)
        if match and not (match["bare"] and _MONTH.search(match["person"])):
            found.setdefault(match["person"].casefold(), []).append(match)
    worded = {person for person, nights in found.items() if any(n["word"] for n in nights)}
    alike = []
    for person, nights in found.items():
        numbers = {int(night["number"]) for night in nights}
        if person in worded:
            # "my_night1" alone says no more than "night1".
            is_person = len(worded) > 1 or bool(re.search(r"\d[^/]*\Z", person))
        else:
            is_person = max(numbers) <= _MOST_NIGHTS
        if is_person and len(numbers) > 1 and len({subjects[n.string] for n in nights}) > 1:
            alike.append(nights)
    if not alike:
        return None
    first = alike[0]
    names = list_names([night.string for night in first])
    more = f", and those of {len(alike) - 1} more" if len(alike) > 1 else ""
    mark = re.escape(first[0]["word"] or first[0]["bare"])
    pattern = rf"([^/]+?)(?:{mark}\d+)?{re.escape(first[0]['rest'] or '')}$"
    return first[0].string, (
        f"{names} look like nights of one person{more}, but count as different people, so that "
        "nights of one person may fall in the training and the test of a fold. "
        + advice.format(pattern=pattern)
    )


def tell_people_of_one_name(subjects: Mapping[str, str], advice: str) -> tuple[str, str] | None:
    """Return the first of equal names in several folders that name nobody, and what is said of all.

    Such names count as one person's. Subjects and advice are as above.
    """
    found: dict[str, list[str]] = {}
    for name in subjects:
        _, slash, stem = name.rpartition("/")
        if slash and _NOBODY.fullmatch(stem):
            found.setdefault(stem.casefold(), []).append(name)
    alike = [of_stem for of_stem in found.values() if len(of_stem) > 1]
    if not alike:
        return None
    return alike[0][0], (
        f"{list_names(alike[0])} have one name in several folders, and count as nights of one "
        "person. " + advice.format(pattern="([^/]+)/[^/]+$")
    )
