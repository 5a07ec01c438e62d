"""Files: EDF and BDF, hypnograms in all formats; names are listed in ``__init__.pyi``."""

import lazy_loader

# Whoever reads headers alone needs neither pandas nor XML.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
