"""Time zones in a component: `zoneinfo` reads files, of which there are none, so the build keeps those of `tzdata`."""

from __future__ import annotations

import importlib
import io
from importlib import resources
from typing import Any, BinaryIO


def install() -> None:
    """Keeps all zones. `tzdata` is among the dependencies of the connector."""
    package: Any = importlib.import_module("tzdata")
    names = (resources.files(package) / "zones").read_text(encoding="utf-8").split()
    zones = {name: resources.files(package).joinpath("zoneinfo", *name.split("/")).read_bytes() for name in names}
    common: Any = importlib.import_module("zoneinfo._common")
    not_found: Any = importlib.import_module("zoneinfo").ZoneInfoNotFoundError

    def load(key: str) -> BinaryIO:
        try:
            return io.BytesIO(zones[key])
        except KeyError:
            raise not_found(f"there is no time zone {key!r}") from None

    common.load_tzdata = load
