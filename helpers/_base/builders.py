"""Builders of models that say of themselves that equal arguments always give equal models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Builder = TypeVar("Builder", bound=Callable[..., Any])


def pure(builder: Builder) -> Builder:
    """Mark a builder whose model depends on its arguments and on Keras's configuration alone: it is read only once."""
    builder._pure_builder = (
        builder  # itself, so that a wrapper that copies attributes is not taken for it
    )
    return builder


def is_pure(builder: object) -> bool:
    """Whether a function is one that `pure` has marked."""
    return getattr(builder, "_pure_builder", None) is builder
