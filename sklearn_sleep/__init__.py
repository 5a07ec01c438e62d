"""Sleep staging from polysomnography as scikit-learn pipelines."""

import lazy_loader

from sklearn_sleep._version import __version__ as __version__

# The public names are listed once, in __init__.pyi; each is imported when it is first used, since
# torch alone would take seconds.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
