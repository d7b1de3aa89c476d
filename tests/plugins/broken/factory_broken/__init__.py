"""Stages that no pipeline can use."""

from __future__ import annotations

from typing import Literal

from factory.core import Stage

NOTHING = 3


class Clean(Stage):
    """Takes a name of ours."""

    type: Literal["clean"] = "clean"


class Unsaid(Stage):
    """Has a field that says nothing."""

    type: Literal["unsaid"] = "unsaid"
    bound: int = 3
