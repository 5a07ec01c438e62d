"""Units against the SI, as files spell them."""

import pytest

from sklearn_sleep.core.units import UNITS, conversion_factor


@pytest.mark.parametrize(
    ("found", "wanted", "factor"),
    [
        ("uV", "mV", 1e-3),
        ("mV", "uV", 1e3),
        ("V", "mV", 1e3),
        ("V", "uV", 1e6),
        ("nV", "mV", 1e-6),
        ("mV", "mV", 1.0),
        ("\N{MICRO SIGN}V", "uV", 1.0),
        ("\N{GREEK SMALL LETTER MU}V", "mV", 1e-3),
        (" MV ", "mV", 1.0),
        ("Volts", "V", 1.0),
        ("microvolts", "uV", 1.0),
        ("mmHg", "mV", None),
        ("%", "uV", None),
        ("%", "%", 1.0),
        ("percent", "%", 1.0),
        ("mV", "%", None),
        ("\N{DEGREE SIGN}C", "degC", 1.0),
        ("degC", "%", None),
        ("mV", "", None),
        ("", "uV", None),
        ("VAR", "V", None),
    ],
)
def test_units_convert_exactly_and_within_a_dimension(found, wanted, factor):
    assert conversion_factor(found, wanted) == factor


def test_units_are_known_by_what_they_measure():
    assert {dimension for dimension, _ in UNITS.values()} == {
        "voltage",
        "percentage",
        "temperature",
    }
