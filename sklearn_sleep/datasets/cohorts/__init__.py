"""The public cohorts, a module for each; `sklearn_sleep.datasets.registry` finds them."""
