"""EDF, EDF+ and BDF files: headers, samples and annotations."""
