"""Cohorts are drawn equally often."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from skorch.helper import SliceDict

from sklearn_sleep.training.night_dataset import NightDataset
from sklearn_sleep.training.sampling import BalancedSampler, cohorts_of


def test_cohorts_are_drawn_equally_often():
    cohorts = np.array(["shhs"] * 40 + ["mesa"] * 7 + ["wsc"] * 3)
    sampler = BalancedSampler(cohorts, torch.Generator().manual_seed(3))
    passes = np.array([list(sampler) for _ in range(60)])
    assert passes.shape == (60, 50) == (60, len(sampler))
    for drawn in passes:
        of_cohort = {name: int((cohorts[drawn] == name).sum()) for name in ("shhs", "mesa", "wsc")}
        assert set(of_cohort.values()) == {16, 17}
        times = np.bincount(drawn, minlength=50)
        assert set(times[:40]) == {0, 1}  # of the large cohort, none twice
        assert set(times[40:47]) <= {2, 3}
        assert set(times[47:]) <= {5, 6}
    # Over the passes, each night of a cohort is drawn equally often but for chance.
    times = np.bincount(passes.ravel(), minlength=50)
    expected = 60 * 50 / 3 / 40
    assert np.abs(times[:40] - expected).max() < 5 * np.sqrt(expected)
    assert times[40:47].sum() == pytest.approx(1000, abs=30)


def test_sampler_is_seeded_and_order_is_mixed():
    cohorts = ["a"] * 20 + ["b"] * 20
    one, same = (list(BalancedSampler(cohorts, torch.Generator().manual_seed(5))) for _ in range(2))
    other = list(BalancedSampler(cohorts, torch.Generator().manual_seed(6)))
    assert one == same != other
    assert 0 < sum(i < 20 for i in one[:20]) < 20
    torch.manual_seed(5)
    assert list(BalancedSampler(cohorts)) == one


@pytest.fixture(scope="module")
def of_sites(cohort, make_pipeline_of):
    """Epochs whose table names the site of each night as its dataset and as its place."""
    site = cohort.X["recording"].map(lambda path: Path(path).name.split("-")[0]).astype(str)
    X = cohort.X.assign(dataset=site, place=site.str.upper())
    return make_pipeline_of()[:-1].transform(X)


@pytest.mark.parametrize("column", ["dataset", "place"])
def test_balance_by_dataset_and_by_column(make_classifier, cohort, of_sites, column):
    class Counter(Callback):
        def on_train_begin(self, net, **kwargs):
            self.sites = []

        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            paths = [night.path for night in batch.nights if training]
            self.sites += [Path(path).name.split("-")[0] for path in paths]

    counter = Counter()
    make_classifier(balance=column, train_split=None, callbacks=[counter], max_epochs=1).fit(
        of_sites, cohort.y
    )
    _, there = np.unique([r.dataset for r in of_sites.recordings], return_counts=True)
    assert there.max() - there.min() > 1  # not balanced by themselves
    _, counts = np.unique(counter.sites, return_counts=True)
    assert len(counter.sites) == there.sum()
    assert len(counts) == len(there)
    assert counts.max() - counts.min() <= 1


def test_balance_needs_to_know_the_cohorts(make_classifier):
    samples = np.random.default_rng(0).normal(size=(20, 64)).astype(np.float32)
    X = SliceDict(ECG=samples, recording=np.repeat(["night-0", "night-1"], 10))
    y = np.tile([0, 1], 10)
    with pytest.raises(ValueError, match=r"cohort of 2 of 2 nights .*night-0"):
        make_classifier(classes=None, balance="dataset").fit(X, y)
    with pytest.raises(ValueError, match="balance='colour' is no column"):
        make_classifier(classes=None, balance="colour").fit(X, y)


def test_cohorts_of_a_part_of_the_nights(of_sites):
    part = torch.utils.data.Subset(NightDataset(of_sites, ["ECG"]), [4, 1])
    expected = [Path(of_sites.recordings[i].path).name.split("-")[0] for i in (4, 1)]
    assert cohorts_of(part, "dataset") == expected
    assert cohorts_of(part, "place") == [site.upper() for site in expected]
