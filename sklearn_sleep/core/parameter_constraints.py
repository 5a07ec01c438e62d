"""What scikit-learn's estimators check their parameters with.

scikit-learn has no public names for these; what the package uses of them is taken here alone.
"""

from typing import Any

from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)

__all__ = ["HasMethods", "Interval", "Options", "StrOptions", "check_parameters"]


def check_parameters(estimator: Any) -> None:
    """Raise InvalidParameterError for a value that the `_parameter_constraints` do not allow."""
    validate_parameter_constraints(
        estimator._parameter_constraints,
        estimator.get_params(deep=False),
        caller_name=type(estimator).__name__,
    )
