"""What ``python -m sklearn_sleep`` does."""
