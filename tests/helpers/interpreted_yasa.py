"""YASA, not compiled: that takes longer than what it computes in tests."""

import numba

numba.config.DISABLE_JIT = 1
import antropy  # noqa: E402, F401  which YASA imports late
import yasa  # noqa: E402

numba.config.DISABLE_JIT = 0

__all__ = ["yasa"]
