"""SaliencyDisplay asks what stands at the end of a pipeline."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import make_pipeline

from sklearn_sleep.evaluation.displays.saliency import SaliencyDisplay
from sklearn_sleep.imaging import Montage, Trace, WaveformImageRenderer
from sklearn_sleep.preprocessing import EDFReader

MONTAGE = Montage([Trace("EEG", "#ffff00", (-75, 75))], width=120, height=40)


class Looks(ClassifierMixin, BaseEstimator):
    """Looks where the images are bright."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def saliency(self, images):
        return np.asarray(images).max(axis=-1) / 255


def test_a_pipeline_makes_the_images(data_folder):
    steps = make_pipeline(EDFReader(MONTAGE), WaveformImageRenderer(MONTAGE, context=[0, 1]))
    path = data_folder / "sleep-edf-5min.edf"
    images = steps.fit_transform(path)
    stager = Looks().fit(images, np.arange(10) % 2)
    for estimator, X in (stager, images), (make_pipeline(*steps, stager), path):
        display = SaliencyDisplay.from_estimator(estimator, X, row=3, title="Fourth")
        np.testing.assert_array_equal(display.images, images[3])
        np.testing.assert_array_equal(display.saliency, stager.saliency(images[[3]])[0])
        assert len(display.axes_) == 2
        assert display.figure_.get_suptitle() == "Fourth"
