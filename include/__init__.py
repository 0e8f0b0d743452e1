"""Puts the package on the path where only the project's root is, as in Astronomer's layout."""

import sys
from pathlib import Path

__all__: list[str] = []

if (_here := str(Path(__file__).parent)) not in sys.path:
    sys.path.append(_here)
