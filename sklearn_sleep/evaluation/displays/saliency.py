"""SaliencyDisplay: where a model looks, over the images that it is shown."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sklearn_sleep.evaluation.displays.base import Display, last_step

# Of the image, so that waveforms show through.
_OPACITY = 0.6


class SaliencyDisplay(Display):
    """Draw a row's images, and over them how much the stage hangs on each part.

    Parameters
    ----------
    images : ndarray of uint8, shape (n_images, height, width, 3)
        What is shown.
    saliency : ndarray of float, shape (n_images, height, width)
        From 0 to 1.

    Attributes
    ----------
    figure_, axes_ : Figure, ndarray of Axes, shape (n_images,)
        One for each image.

    Examples
    --------
    >>> images = np.zeros((3, 112, 224, 3), dtype=np.uint8)
    >>> display = SaliencyDisplay(images, np.random.default_rng(0).random((3, 112, 224)))
    >>> len(display.plot().axes_)
    3
    """

    def __init__(
        self, images: npt.NDArray[np.uint8], saliency: npt.NDArray[np.floating[Any]]
    ) -> None:
        self.images = images
        self.saliency = saliency

    @classmethod
    def from_estimator(cls, stager: Any, X: Any, *, row: int = 0, title: str | None = None) -> Self:
        """Draw where a stager looks in the row of X, the images that it is shown, at a position.

        The stager may stand at the end of a pipeline, which then makes the images of X.
        """
        stager, X = last_step(stager, X)
        some = X[[row]]
        saliency = stager.saliency(some)[0]
        images = np.asarray(some)[0].reshape(*saliency.shape, 3)
        return cls(images, saliency).plot(title=title)

    def _draw(self) -> None:
        n_images, height, width = self.saliency.shape
        self._new_figure(6, 0.3 + 6 * n_images * height / width)
        self.axes_ = np.ravel(self.figure_.subplots(n_images, 1, squeeze=False))
        for axes, image, saliency in zip(self.axes_, self.images, self.saliency, strict=True):
            axes.imshow(image)
            axes.imshow(saliency, cmap="inferno", alpha=_OPACITY * saliency, vmin=0, vmax=1)
            axes.set_axis_off()

    def _set_title(self, title: str) -> None:
        self.figure_.suptitle(title)
