"""Breaths, and features of breathing and of its coupling to the heart."""
