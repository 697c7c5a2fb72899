"""The configuration of `scripted`."""

from dataclasses import dataclass
from typing import Annotated


@dataclass
class Config:
    """Nothing to configure."""

    greeting: Annotated[str, "Shown to whoever asks for it."] = ""
    feed: Annotated[str, "Origin of what the stream `feed` reads."] = ""
