"""What ``python -m sklearn_sleep`` does; each name is imported when it is first used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "demo": ["run_demo"],
        "ingest": ["run_ingest"],
        "predict": ["run_predict", "write_predictions"],
        "train": [
            "run_train",
            "score_signal_subsets",
            "signal_subsets",
        ],
    },
)
