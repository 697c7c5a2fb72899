"""Where pytest finds the connector and its SDK, from whatever folder it is started."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "src"), str(HERE.parent.parent / "sdk" / "python" / "src")]
