"""Node programs of tests and examples, run with the packages that their lock names."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

from api.bench import node

HOME = Path(__file__).parents[2] / ".evenhand"  # packages that were installed once stay here
PATIENCE_SECONDS = 60


async def run(program: Path, folder: Path, **environment: str) -> Any:
    """What the program prints as JSON. It runs in this folder, with the packages of the lock beside it."""
    copied = Path(shutil.copy(program, folder))
    if (program.parent / "package-lock.json").exists() and not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(node.installed(program.parent, HOME) / "node_modules")
    running = await asyncio.create_subprocess_exec(
        node.node(),
        copied,
        cwd=folder,
        env={**node.environment(), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complained = await asyncio.wait_for(running.communicate(), PATIENCE_SECONDS)
    finally:
        if running.returncode is None:
            running.kill()
    assert running.returncode == 0, complained.decode()
    return json.loads(said)
