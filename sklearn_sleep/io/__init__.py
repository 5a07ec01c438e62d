"""Files: EDF and BDF, hypnograms in all formats."""
