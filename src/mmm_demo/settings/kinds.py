"""Kinds of values that files may hold."""

from typing import Annotated

from pydantic import Field

SLUG = r"^[a-z][a-z0-9_]*$"
Slug = Annotated[str, Field(pattern=SLUG, max_length=60)]
Count = Annotated[int, Field(strict=True)]  # neither text nor true nor 8.0
Number = Annotated[float, Field(strict=True)]  # neither text nor true
Positive = Annotated[Number, Field(gt=0, allow_inf_nan=False)]
