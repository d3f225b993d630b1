"""Print, or run, the commands which made the shipped weights, as their cards state them.

``python tools/train.py`` prints them, one line a stage; ``python tools/train.py NAME`` trains that model again.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

WEIGHTS = Path(__file__).resolve().parents[1] / "icefront_dask" / "models" / "weights"


def commands() -> dict[str, list[str]]:
    """Return the commands of each shipped model, one a stage of its training, by name."""
    cards = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(WEIGHTS.glob("*.json")))
    return {card["name"]: card["command"] for card in cards}


def main(names: list[str]) -> int:
    """Print all commands, or run those of ``names`` one after the other."""
    known = commands()
    if unknown := sorted(set(names) - set(known)):
        print(f"no shipped model {', '.join(unknown)}; there are: {', '.join(known) or 'none'}", file=sys.stderr)
        return 2
    for command in (command for name in names for command in known[name]):
        arguments = shlex.split(command)
        arguments[0] = str(Path(sys.executable).with_name(arguments[0]))
        if status := subprocess.run(arguments, check=False).returncode:  # noqa: S603
            return status
    if not names:
        for name, lines in known.items():
            print(f"{name}:", *lines, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
