"""Units of signals, and all the spellings of them that files have."""

import re
from types import MappingProxyType

UNITS = MappingProxyType(
    {
        "V": ("voltage", 1.0),
        "mV": ("voltage", 1e-3),
        "uV": ("voltage", 1e-6),
        "nV": ("voltage", 1e-9),
        "%": ("percentage", 1.0),
        "degC": ("temperature", 1.0),
    }
)
"""The units that signals can have: what they measure, and their size. Only those that measure the
same are converted to each other."""

# What files write before "V", without letter case. The micro sign of Latin-1 becomes the Greek
# letter; read by the wrong code page it becomes others: those of Shift-JIS, GB 2312, Big5, EUC-KR,
# Greek Windows, code pages 437 and 850, UTF-8 (also read twice), and "?" where a program gave it
# up. "AuV" is of Alice recorders.
_MICRO = (
    *("u", "\u03bc", "micro", "mikro", "mc", "mk", "au", "?", "??", "\ufffd", "\ufffd\ufffd"),
    *("\x83\u00ea", "\u00a6\u00ec", "\u00a3g", "\u00a5\u00ec", "\u00ec"),
    *("\u00e6", "\u00e2\u03bc", "\u00ee\u00bc", "\u00e3\u017d\u00e2\u00bc"),
    *("\u00e3\u201a\u00e2\u03bc", "\u00e3\x82\u00e2\u03bc", "\u00e3\x8e\u00e2\u00bc"),
)
_VOLTAGES = {
    "": "V",
    "m": "mV",
    "milli": "mV",
    **dict.fromkeys(_MICRO, "uV"),
    "n": "nV",
    "nano": "nV",
}
_VOLT = re.compile(r"(.*?)v(?:olts?|ol?)?")  # a field of eight bytes cuts "microvolt" off
_WIDE_OR_CYRILLIC = str.maketrans("\uff55\uff4d\uff56\u043c\u043a\u0432", "umvmkv")
_UNIT_SPELLINGS = {
    **dict.fromkeys(("%", "percent", "pct", "prozent", "procent"), "%"),
    **dict.fromkeys(
        (
            "degc",
            "c",
            "celsius",
            "degcelsius",
            "\u00b0c",
            "\u00e2\u00b0c",
            "\u00bac",
            "\u00f8c",
            "?c",
        ),
        "degC",
    ),
}


def conversion_factor(found: str, wanted: str) -> float | None:
    """Return the factor from a unit as a file spells it to one of `UNITS`; None if there is none.

    >>> conversion_factor("uV", "mV"), conversion_factor("mmHg", "mV")
    (0.001, None)
    """
    spelling = re.sub(r"[\s\[\]()<>\"'.;]", "", found.casefold()).translate(_WIDE_OR_CYRILLIC)
    voltage = _VOLT.fullmatch(spelling)
    unit = _UNIT_SPELLINGS.get(spelling) or (_VOLTAGES.get(voltage[1]) if voltage else None)
    if unit is None or wanted not in UNITS or UNITS[unit][0] != UNITS[wanted][0]:
        return None
    # Rounded, since 1e-6 / 1e-3 is not the float that is written 0.001.
    return float(f"{UNITS[unit][1] / UNITS[wanted][1]:.6g}")
