"""scikit-learn's checks of estimators by estimator: called as they are, written again, or why not.

With the tag ``two_d_array=False`` scikit-learn's own ``parametrize_with_checks`` yields nothing.
"""

import ast
import copy
import functools
import inspect
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
from conformance_cases import Case, assert_same, by_row, results, take
from sklearn.base import BaseEstimator
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.validation import check_is_fitted

import sklearn_sleep
from sklearn_sleep.core.epochs import Epochs

KINDS = {
    "reader": "EDFReader",
    "step": "Epochs to Epochs or images",
    "features": "Epochs to features",
    "context": "TemporalContext",
    "smoother": "SequenceSmoother",
    "masked": "MaskedSignalsClassifier",
    "net": "Wav2SleepClassifier, AcceleratedWav2SleepClassifier",
    "images": "VLMStager",
}
STATELESS = ("reader", "step", "features")
CLASSIFIERS = ("smoother", "masked", "net", "images")
TRANSFORMERS = (*STATELESS, "context")
FEATURES = ("features", "context")

# They need no X.
AS_THEY_ARE = (
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
)
# Of no use for these estimators, and why.
CANNOT = {
    "check_array_api_input": "computes with NumPy and torch: no tag array_api_support",
    "check_array_api_mixed_inputs": "computes with NumPy and torch: no tag array_api_support",
    "check_array_api_same_namespace": "computes with NumPy and torch: no tag array_api_support",
    "check_nonsquare_error": "is not pairwise",
    "check_sparsify_coefficients": "has no coefficients",
    "check_sample_weight_equivalence_on_sparse_data": "takes no sparse X",
    "check_classifier_multioutput": "a row has one stage",
    "check_classifiers_multilabel_representation_invariance": "a row has one stage",
    "check_classifiers_multilabel_output_format_predict": "a row has one stage",
    "check_classifiers_multilabel_output_format_predict_proba": "a row has one stage",
    "check_classifiers_multilabel_output_format_decision_function": "a row has one stage",
    "check_decision_proba_consistency": "has no decision_function",
    "check_class_weight_balanced_linear_classifier": "is not linear",
    "check_classifier_not_supporting_multiclass": "takes any number of classes",
    "check_non_transformer_estimators_n_iter": "has no max_iter",
    "check_transformer_n_iter": "has no max_iter",
    "check_fit_non_negative": "takes negative samples",
}
# Checks that _yield_all_checks leaves to scikit-learn's own tests.
MORE = (
    "check_estimator_cloneable",
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_dataframe_column_names_consistency",
)
_GENERATORS = {
    "_yield_regressor_checks": "is no regressor",
    "_yield_clustering_checks": "is no clusterer",
    "_yield_outliers_checks": "is no outlier detector",
    "_yield_classifier_checks": "is no classifier",
    "_yield_transformer_checks": "is no transformer",
}

OWN: dict[str, tuple[Callable[[Case], None], tuple[str, ...], str]] = {}


@functools.cache
def public_estimators() -> list[str]:
    """Return the names of the estimators among the public names."""
    return [
        name
        for name in dir(sklearn_sleep)
        if inspect.isclass(found := getattr(sklearn_sleep, name))
        and issubclass(found, BaseEstimator)
    ]


@functools.cache
def installed_checks() -> dict[str, set[str]]:
    """Return the checks that the installed scikit-learn yields, and the generators that do."""
    found: dict[str, set[str]] = {}
    for generator, function in vars(estimator_checks).items():
        if generator.startswith("_yield_") and generator.endswith("_checks"):
            for node in ast.walk(ast.parse(inspect.getsource(function))):
                if isinstance(node, ast.Yield) and node.value is not None:
                    for name in ast.walk(node.value):
                        if isinstance(name, ast.Name) and name.id.startswith("check_"):
                            found.setdefault(name.id, set()).add(generator)
    return found


def all_checks() -> list[str]:
    """Return the checks of the table."""
    known = {name for name in MORE if hasattr(estimator_checks, name)}
    return sorted(installed_checks().keys() | known)


def entry(check: str, kind: str) -> str:
    """Return ``"as it is"``, ``"own version"``, or why the check cannot apply."""
    if kind in OWN.get(check, ((), ()))[1]:
        return "own version"
    if check in AS_THEY_ARE:
        return "as it is"
    if check in CANNOT:
        return CANNOT[check]
    generators = installed_checks().get(check, set())
    reasons = [_GENERATORS.get(generator) for generator in generators]
    if reasons and all(reasons):
        is_no = {"is no classifier", "is no transformer"} & set(reasons)
        mine = "is no classifier" if kind in TRANSFORMERS else "is no transformer"
        if not is_no or is_no == {mine}:
            return str(mine if is_no else reasons[0])
    return OWN[check][2]


def table_of_documentation(kind_of: Mapping[str, str]) -> str:
    """Return for each estimator how many checks are called as they are, are own or cannot apply."""
    lines = [
        "| estimator | called as they are | own version | cannot apply |",
        "| --- | --: | --: | --: |",
    ]
    for name, kind in sorted(kind_of.items()):
        entries = [entry(check, kind) for check in all_checks()]
        called, written = entries.count("as it is"), entries.count("own version")
        rest = len(entries) - called - written
        lines.append(f"| `{name}` | {called} | {written} | {rest} |")
    return "\n".join(lines)


def run_check(check: str, case: Case) -> None:
    """Run one for an estimator."""
    if entry(check, case.kind) == "own version":
        OWN[check][0](case)
    else:
        getattr(estimator_checks, check)(type(case.estimator).__name__, case.new())


def own(
    *names: str, kinds: tuple[str, ...] = tuple(KINDS), otherwise: str = ""
) -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
    """Take a function for the check of its name, and of others, of estimators of some kinds."""

    def register(function: Callable[[Case], None]) -> Callable[[Case], None]:
        for name in (function.__name__, *names):
            OWN[name] = (function, kinds, otherwise)
        return function

    return register


# -- API -----------------------------------------------------------------------------------------


@own(kinds=("net", "images"))
def check_no_attributes_set_in_init(case: Case) -> None:
    estimator = case.new()
    # skorch's nets take parameters by names of their parts, and have what ends like fitted.
    names = {name for name in vars(estimator) if not name.startswith("_")}
    assert all(name in estimator.get_params() or name.endswith("_") for name in names)


@own()
def check_fit_score_takes_y(case: Case) -> None:
    for method in ("fit", "score", "partial_fit", "fit_transform", "fit_predict"):
        if hasattr(case.estimator, method):
            parameters = list(inspect.signature(getattr(case.estimator, method)).parameters)
            assert parameters[:2] == ["X", "y"], method


@own("check_dont_overwrite_parameters")
def check_estimators_overwrite_params(case: Case) -> None:
    estimator = case.new()
    before, attributes = estimator.get_params(deep=False), set(vars(estimator))
    estimator.fit(case.X, case.y)
    after = estimator.get_params(deep=False)
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert after[name] is value, name
    for name in set(vars(estimator)) - attributes:
        assert name.endswith("_") or name.startswith("_"), name


@own()
def check_estimators_fit_returns_self(case: Case) -> None:
    estimator = case.new()
    assert estimator.fit(case.X, case.y) is estimator


@own("check_inplace_ensure_writeable")
def check_readonly_memmap_input(case: Case) -> None:
    X = copy.deepcopy(case.X if case.arrays is None else case.arrays)
    y = case.y.copy()
    y.flags.writeable = False
    for array in _arrays_of(X):
        array.flags.writeable = False
    assert_same(results(case.new().fit(X, y), X), case.results)


def _arrays_of(X: Any) -> list[np.ndarray]:
    if isinstance(X, dict):
        return list(X.values())
    table = getattr(X, "table", X)
    if isinstance(table, pd.DataFrame):
        columns = [table[name].to_numpy() for name in table.columns]
        return [values for values in columns if values.base is not None]
    return [table]


@own(kinds=("context", *CLASSIFIERS), otherwise="needs no fit")
def check_estimators_unfitted(case: Case) -> None:
    with pytest.raises(NotFittedError):
        check_is_fitted(case.new())
    for method in ("transform", "predict", "predict_proba"):
        if hasattr(case.estimator, method):
            with pytest.raises(NotFittedError):
                getattr(case.new(), method)(case.X)


@own("check_n_features_in", kinds=("context", "smoother"), otherwise="takes rows, not features")
def check_n_features_in_after_fitting(case: Case) -> None:
    assert not hasattr(case.new(), "n_features_in_")
    assert case.fitted.n_features_in_ == case.X.shape[1]
    for method in results(case.fitted, case.X):
        with pytest.raises(ValueError, match=r"was fitted on|feature names should match"):
            getattr(case.fitted, method)(case.X.iloc[:, :1])


@own(kinds=("context", "smoother"), otherwise="takes rows, not features")
def check_dataframe_column_names_consistency(case: Case) -> None:
    assert case.fitted.feature_names_in_.tolist() == ["x", "z"]
    for method in results(case.fitted, case.X):
        with pytest.raises(ValueError, match=r"was fitted on|feature names should match"):
            getattr(case.fitted, method)(case.X[["z", "x"]])


@own()
def check_positive_only_tag_during_fit(case: Case) -> None:
    # All rows have negative samples, apart from images.
    assert not get_tags(case.estimator).input_tags.positive_only
    check_is_fitted(case.fitted)


@own()
def check_fit_check_is_fitted(case: Case) -> None:
    check_is_fitted(case.fitted)
    if get_tags(case.estimator).requires_fit:
        with pytest.raises(NotFittedError):
            check_is_fitted(case.new())
    else:
        check_is_fitted(case.new())


class _Unlike:
    """Of no type that any parameter allows."""


@own()
def check_param_validation(case: Case) -> None:
    constraints = case.estimator._parameter_constraints
    params = {
        name: value
        for name, value in case.estimator.get_params(deep=False).items()
        if not name.startswith("callbacks__")
    }
    assert not params.keys() - constraints.keys()
    for name in params:
        estimator = case.new()
        estimator.set_params(**{name: _Unlike()})
        with pytest.raises(ValueError, match=f"The '{name}' parameter of") as caught:
            estimator.fit(case.X, case.y)
        assert type(caught.value).__name__ == "InvalidParameterError"


# -- what X may be -------------------------------------------------------------------------------


@own()
def check_estimators_dtypes(case: Case) -> None:
    X = case.X
    if case.kind == "reader":
        others = [X.astype({"epoch": np.int64}), X.astype({"recording": str, "epoch": np.uint8})]
    elif case.arrays is not None:
        arrays = case.arrays
        others = [type(arrays)(**{**arrays, "ECG": arrays["ECG"].astype(np.float64)})]
    elif isinstance(X, pd.DataFrame):
        # Halves, that are the same in both.
        case = Case(case.estimator, case.kind, X.round(0))
        others = [case.X.astype(np.float32), case.X.astype(np.int64)]
    elif isinstance(X, Epochs):
        others = [Epochs(X.table.astype({"epoch": np.int64}), X.recordings, X.recording_index)]
    else:
        with pytest.raises(ValueError, match="uint8"):
            case.new().fit(X.astype(np.float32), case.y)
        return
    for other in others:
        assert_same(results(case.new().fit(other, case.y), other), case.results)


_NUMBERS = ("context", "net")


@own(kinds=(*_NUMBERS, "smoother", "images"), otherwise="reads its samples from files")
def check_complex_data(case: Case) -> None:
    with pytest.raises((ValueError, TypeError), match=r"[Cc]omplex|uint8"):
        case.new().fit(_with_samples(case, lambda a: a.astype(np.complex64)), case.y)


@own(kinds=(*_NUMBERS, "smoother"), otherwise="reads its samples from files, or takes bytes")
def check_dtype_object(case: Case) -> None:
    X = _with_samples(case, lambda a: a.astype(object))
    assert_same(results(case.new().fit(X, case.y), X), case.results)

    def spoil(a: Any) -> Any:
        a = a.astype(object)
        if isinstance(a, pd.DataFrame):
            return a.assign(x=[{"foo": "bar"}, *a["x"].iloc[1:]])
        a[0, 0] = {"foo": "bar"}
        return a

    spoilt = _with_samples(case, spoil)
    estimator = case.new()
    with pytest.raises((TypeError, ValueError), match=r"dict|number"):
        results(estimator.fit(spoilt, case.y), spoilt)


def _with_samples(case: Case, change: Callable[[Any], Any]) -> Any:
    if case.arrays is None:
        return change(case.X)
    return type(case.arrays)(**{**case.arrays, "ECG": change(case.arrays["ECG"])})


@own()
def check_estimators_empty_data_messages(case: Case) -> None:
    empty = take(case.X, np.arange(0))
    if case.is_classifier:
        with pytest.raises(ValueError, match=r"no rows|0 sample"):
            case.new().fit(empty, case.y[:0])
    else:
        assert len(case.new().fit(empty).transform(empty)) == 0


@own()
def check_pipeline_consistency(case: Case) -> None:
    pipeline = make_pipeline(case.new()).fit(case.X, case.y)
    assert_same(results(pipeline, case.X), case.results)


@own(kinds=("context", "smoother", "net"), otherwise="reads its samples from files, or takes bytes")
def check_estimators_nan_inf(case: Case) -> None:
    # NaN says that a sample is missing, as the tag does.
    assert get_tags(case.estimator).input_tags.allow_nan

    def spoil(a: Any) -> Any:
        a = a.copy()
        (a.iloc if hasattr(a, "iloc") else a)[:1] = np.nan
        return a

    X = _with_samples(case, spoil)
    fitted = case.new().fit(X, case.y)
    if case.is_classifier:
        assert np.isfinite(fitted.predict_proba(X)).all()


@own("check_estimator_sparse_array", "check_estimator_sparse_matrix")
def check_estimator_sparse_tag(case: Case) -> None:
    assert not get_tags(case.estimator).input_tags.sparse
    for make in (scipy.sparse.csr_array, scipy.sparse.csr_matrix):
        with pytest.raises((TypeError, ValueError), match=r"csr_|sparse"):
            case.new().fit(make(np.eye(len(case.y))), case.y).transform(make(np.eye(3)))


@own()
def check_estimators_pickle(case: Case) -> None:
    again = pickle.loads(pickle.dumps(case.fitted))  # noqa: S301  made here
    assert_same(results(again, case.X), case.results)


@own(kinds=("context", "smoother", "net", "images"), otherwise="takes no arrays")
def check_f_contiguous_array_estimator(case: Case) -> None:
    def in_columns(a: Any) -> Any:
        if isinstance(a, pd.DataFrame):
            values = np.asfortranarray(a.to_numpy())
            return pd.DataFrame(values, index=a.index, columns=a.columns, copy=False)
        return np.asfortranarray(a)

    X = _with_samples(case, in_columns)
    assert_same(results(case.new().fit(X, case.y), X), case.results)


# -- rows ----------------------------------------------------------------------------------------


@own()
def check_methods_sample_order_invariance(case: Case) -> None:
    order = np.random.default_rng(0).permutation(len(case.y))
    assert_same(results(case.fitted, take(case.X, order)), case.results, order)


@own()
def check_methods_subset_invariance(case: Case) -> None:
    # A night at a time, since its rows tell of one another.
    for rows in np.split(np.arange(len(case.y)), 2):
        assert_same(results(case.fitted, take(case.X, rows)), case.results, rows)


@own("check_fit2d_predict1d")
def check_fit1d(case: Case) -> None:
    for X in (np.arange(6.0), np.array(1.0)):
        with pytest.raises((TypeError, ValueError)):
            case.new().fit(X, case.y[:6]).transform(X)
        for method in case.results:
            with pytest.raises((TypeError, ValueError)):
                getattr(case.fitted, method)(X)


@own()
@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.SplitNightWarning")
def check_fit2d_1sample(case: Case) -> None:
    X = take(case.X, [0])
    for values in results(case.new().fit(X, case.y[:1]), X).values():
        assert len(values) == 1


@own(kinds=("context", "smoother", "net"), otherwise="takes rows, not features")
def check_fit2d_1feature(case: Case) -> None:
    X = case.X[["x"]] if case.arrays is None else _without(case.arrays, "THX")
    for values in results(case.new().fit(X, case.y), X).values():
        assert len(values) == len(case.y)


def _without(arrays: Any, name: str) -> Any:
    return type(arrays)(**{key: value for key, value in arrays.items() if key != name})


@own()
def check_dict_unchanged(case: Case) -> None:
    fitted = case.new().fit(case.X, case.y)
    before = dict(vars(fitted))
    results(fitted, case.X)
    assert vars(fitted).keys() == before.keys()
    for name, value in before.items():
        assert vars(fitted)[name] is value, name


@own()
def check_fit_idempotent(case: Case) -> None:
    fitted = case.new().fit(case.X, case.y)
    assert_same(results(fitted.fit(case.X, case.y), case.X), case.results)


# -- transformers --------------------------------------------------------------------------------


@own(kinds=TRANSFORMERS)
def check_transformer_general(case: Case) -> None:
    expected = case.results["transform"]
    for y in (case.y, None):
        found = by_row(case.new().fit_transform(case.X, y))
        assert_same({"transform": found}, {"transform": expected})
    assert len(expected) == len(case.y)
    assert_same(results(case.fitted, case.X), case.results)


@own(kinds=("reader", "context"), otherwise="takes Epochs, which are no array")
def check_transformer_data_not_an_array(case: Case) -> None:
    # What is like a table of pandas: one of polars, which names its rows in columns.
    table = case.X if case.kind == "reader" else case.X.reset_index()
    X = _as_polars(table)
    assert_same(results(case.new().fit(X, case.y.tolist()), X), case.results)


def _as_polars(table: pd.DataFrame) -> Any:
    import polars

    return polars.DataFrame({name: table[name].to_list() for name in table.columns})


@own(kinds=(*FEATURES,), otherwise="samples are float32, images bytes")
def check_transformer_preserve_dtypes(case: Case) -> None:
    assert get_tags(case.estimator).transformer_tags.preserves_dtype == ["float64"]
    assert case.results["transform"].dtype == np.float64


@own(kinds=("context",), otherwise="needs no fit")
def check_transformers_unfitted(case: Case) -> None:
    with pytest.raises(NotFittedError):
        case.new().transform(case.X)
    with pytest.raises(NotFittedError):
        case.new().get_feature_names_out()


@own(kinds=STATELESS, otherwise="needs a fit")
def check_transformers_unfitted_stateless(case: Case) -> None:
    assert_same(results(case.new(), case.X), case.results)


@own(kinds=TRANSFORMERS, otherwise="is no transformer")
def check_transformer_get_feature_names_out(case: Case) -> None:
    names = case.fitted.get_feature_names_out(["ECG", "THX"])
    assert names.dtype == object
    assert all(isinstance(name, str) for name in names)
    if case.kind in FEATURES:
        assert len(names) == case.results["transform"].shape[1]


@own("check_set_output_transform_pandas", kinds=TRANSFORMERS, otherwise="is no transformer")
def check_set_output_transform(case: Case) -> None:
    _check_container(case, case.new().set_output(transform="pandas"), pd.DataFrame)


@own(kinds=TRANSFORMERS, otherwise="is no transformer")
def check_set_output_transform_polars(case: Case) -> None:
    import polars

    _check_container(case, case.new().set_output(transform="polars"), polars.DataFrame)


@own(kinds=TRANSFORMERS, otherwise="is no transformer")
def check_global_output_transform_pandas(case: Case) -> None:
    with sklearn.config_context(transform_output="pandas"):
        _check_container(case, case.new(), pd.DataFrame)


@own(kinds=TRANSFORMERS, otherwise="is no transformer")
def check_global_set_output_transform_polars(case: Case) -> None:
    import polars

    with sklearn.config_context(transform_output="polars"):
        _check_container(case, case.new(), polars.DataFrame)


def _check_container(case: Case, estimator: Any, container: type) -> None:
    for found in (estimator.fit_transform(case.X), estimator.transform(case.X)):
        if case.kind not in FEATURES:
            # Recordings and images are in no table.
            assert type(found) is type(case.fitted.transform(case.X))
            continue
        assert isinstance(found, container)
        assert list(found.columns) == list(estimator.get_feature_names_out())
        np.testing.assert_array_equal(found.to_numpy(), case.results["transform"])


# -- classifiers ---------------------------------------------------------------------------------


class _NotAnArray:
    """Has an array, and is none."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.values.astype(dtype or self.values.dtype)

    def __len__(self) -> int:
        return len(self.values)


@own(kinds=CLASSIFIERS)
def check_classifier_data_not_an_array(case: Case) -> None:
    for y in (_NotAnArray(case.y), pd.Series(case.y, index=case.y + 7)):
        assert_same(results(case.new().fit(case.X, y), case.X), case.results)
    if case.arrays is not None:
        X = {**case.arrays, "ECG": _NotAnArray(case.arrays["ECG"])}
        assert_same(results(case.new().fit(X, case.y), X), case.results)


@own(kinds=CLASSIFIERS)
def check_classifiers_one_label(case: Case) -> None:
    fitted = case.new().fit(case.X, np.full(len(case.y), 3))
    assert fitted.classes_.tolist() == [3]
    assert (fitted.predict(case.X) == 3).all()


@own(kinds=CLASSIFIERS)
def check_classifiers_one_label_sample_weights(case: Case) -> None:
    fitted = case.new().fit(case.X, case.y, sample_weight=(case.y == 1).astype(float))
    assert np.isfinite(fitted.predict_proba(case.X)).all()
    # A smoother counts a stage of each more.
    assert fitted.class_prior_[-1] > 0.85


@own(kinds=CLASSIFIERS)
def check_classifiers_classes(case: Case) -> None:
    numbers = case.fitted.predict(case.X)
    for names in (
        np.array(["N2", "REM"]),
        np.array(["N2", "REM"], dtype=object),
        np.array([1.0, 3.0]),
        np.array([False, True]),
    ):
        fitted = case.new().fit(case.X, names[case.y])
        assert fitted.classes_.tolist() == names.tolist()
        found = fitted.predict(case.X).tolist()
        assert set(found) <= set(names.tolist())
        # The names of stages are part of what a vision-language model is taught.
        if case.kind != "images":
            assert found == names[numbers].tolist()


@own(kinds=("net", "images"), otherwise="has no partial_fit")
def check_estimators_partial_fit_n_features(case: Case) -> None:
    estimator = case.new().partial_fit(case.X, case.y)
    if case.arrays is None:
        other = case.X[:, :, :14]
    else:
        arrays = case.arrays
        other = type(arrays)(**{**arrays, "ECG": arrays["ECG"][:, :32]})
    with pytest.raises(ValueError, match=r"samples per epoch|was fitted on"):
        estimator.partial_fit(other, case.y)


@own(kinds=CLASSIFIERS)
def check_classifiers_train(case: Case) -> None:
    fitted, found = case.fitted, case.results
    assert fitted.classes_.tolist() == [0, 1]
    assert found["predict"].shape == (len(case.y),)
    assert found["predict_proba"].shape == (len(case.y), 2)
    np.testing.assert_allclose(found["predict_proba"].sum(axis=1), 1)
    if case.kind != "smoother":
        # Its stages are those of the likeliest path.
        np.testing.assert_array_equal(found["predict"], found["predict_proba"].argmax(axis=1))
    assert fitted.score(case.X, case.y) == (found["predict"] == case.y).mean()
    with pytest.raises(ValueError, match=r"rows|inconsistent"):
        case.new().fit(case.X, case.y[:-1])


@own(kinds=CLASSIFIERS)
def check_classifiers_regression_target(case: Case) -> None:
    with pytest.raises(ValueError, match="Unknown label type: "):
        case.new().fit(case.X, case.y + np.linspace(0.1, 0.4, len(case.y)))


@own(kinds=CLASSIFIERS)
def check_supervised_y_no_nan(case: Case) -> None:
    for value, message in ((np.inf, "infinite"), (np.nan, "missing")):
        with pytest.raises(ValueError, match=message):
            case.new().fit(case.X, np.r_[value, case.y[1:]])


@own(kinds=CLASSIFIERS)
def check_supervised_y_2d(case: Case) -> None:
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        fitted = case.new().fit(case.X, case.y[:, None])
    assert_same(results(fitted, case.X), case.results)
    with pytest.raises(ValueError, match="1d array"):
        case.new().fit(case.X, np.stack([case.y, case.y], axis=1))


@own(kinds=("net", "images"), otherwise="has no class_weight")
def check_class_weight_classifiers(case: Case) -> None:
    estimator = case.new().set_params(class_weight={0: 1000, 1: 0.0001})
    assert estimator.fit(case.X, case.y).class_prior_[0] > 0.99
    again = case.new().fit(case.X, case.y, sample_weight=np.where(case.y == 0, 1000, 0.0001))
    assert_same(results(estimator, case.X), results(again, case.X))


@own(kinds=CLASSIFIERS, otherwise="learns nothing")
def check_requires_y_none(case: Case) -> None:
    with pytest.raises(ValueError, match=r"fit needs y"):
        case.new().fit(case.X, None)


# -- weights -------------------------------------------------------------------------------------


def _weighed(case: Case, weight: Any) -> dict[str, Any]:
    return results(case.new().fit(case.X, case.y, sample_weight=weight), case.X)


_WEIGHTS = np.tile([0.5, 1.0, 2.0], 4)


def _check_weights(container: Callable[[Any], Any]) -> Callable[[Case], None]:
    def check(case: Case) -> None:
        assert_same(_weighed(case, container(_WEIGHTS)), _weighed(case, _WEIGHTS))

    return check


for _name, _container in (
    ("list", np.ndarray.tolist),
    ("not_an_array", _NotAnArray),
    ("pandas_series", pd.Series),
):
    OWN[f"check_sample_weights_{_name}"] = (
        _check_weights(_container),
        CLASSIFIERS,
        "takes no sample_weight",
    )


@own(kinds=CLASSIFIERS, otherwise="takes no sample_weight")
def check_sample_weights_shape(case: Case) -> None:
    for weight in (np.ones((len(case.y), 2)), np.ones(3)):
        with pytest.raises(ValueError, match="sample_weight must have the shape"):
            case.new().fit(case.X, case.y, sample_weight=weight)


@own(kinds=CLASSIFIERS, otherwise="takes no sample_weight")
def check_sample_weights_not_overwritten(case: Case) -> None:
    weight = _WEIGHTS.copy()
    weight.flags.writeable = False
    case.new().fit(case.X, case.y, sample_weight=weight)
    np.testing.assert_array_equal(weight, _WEIGHTS)


@own(kinds=CLASSIFIERS, otherwise="takes no sample_weight")
def check_all_zero_sample_weights_error(case: Case) -> None:
    with pytest.raises(ValueError, match=r"sample_weight"):
        case.new().fit(case.X, case.y, sample_weight=np.zeros(len(case.y)))


@own(
    kinds=("smoother", "masked", "net"),
    otherwise="takes no sample_weight, or draws batches of rows, which are others with more rows",
)
def check_sample_weight_equivalence_on_dense_data(case: Case) -> None:
    weight = np.tile([1, 2, 3], 4)
    repeated = np.repeat(np.arange(len(case.y)), weight)
    fitted = case.new().fit(take(case.X, repeated), case.y[repeated])
    assert_same(_weighed(case, weight), results(fitted, case.X))
