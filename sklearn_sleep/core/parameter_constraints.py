"""What scikit-learn's estimators check their parameters with.

scikit-learn has no public names for these; what the package uses of them is taken here alone.
"""

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

__all__ = ["HasMethods", "Interval", "StrOptions"]
