"""Print, or run, the commands which made the shipped weights, as their cards state them.

``python tools/train.py`` prints one line a model; ``python tools/train.py NAME`` trains that model again.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

WEIGHTS = Path(__file__).resolve().parents[1] / "icefront_dask" / "models" / "weights"


def commands() -> dict[str, str]:
    """Return the command of each shipped model, by name."""
    cards = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(WEIGHTS.glob("*.json")))
    return {card["name"]: card["command"] for card in cards}


def main(names: list[str]) -> int:
    """Print all commands, or run those of ``names`` one after the other."""
    known = commands()
    if unknown := sorted(set(names) - set(known)):
        print(f"no shipped model {', '.join(unknown)}; there are: {', '.join(known) or 'none'}", file=sys.stderr)
        return 2
    for name in names:
        arguments = shlex.split(known[name])
        if arguments[0] == "icefront":
            arguments[:1] = [str(Path(sys.executable).with_name("icefront"))]
        if status := subprocess.run(arguments, check=False).returncode:  # noqa: S603
            return status
    if not names:
        for name, command in known.items():
            print(f"{name}: {command}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
