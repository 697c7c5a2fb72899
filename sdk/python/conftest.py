"""Where pytest finds the package, from whatever folder it is started."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))
