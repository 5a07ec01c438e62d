"""What flows between the steps: signals, stages, recordings and rows that name epochs."""
