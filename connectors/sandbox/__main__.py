"""`python -m connectors.sandbox --port P --seed S [--log FILE]`: serve the sandbox on loopback until it is stopped.

Credentials come from the environment alone, never from the command line; each one is named when it is missing. Prints
one line when it is ready.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from connectors.sandbox.app import LOOPBACK, SIZES, WARNING, Credentials, create, listen, server
from connectors.sandbox.jira_state import CLOUD, PROFILES
from connectors.sandbox.servicenow import Login
from engine.refusal import Code, Refused

PREFIX = "EVENHAND_SANDBOX_"
NAMES = ("USER", "PASSWORD", "CLIENT_ID", "CLIENT_SECRET", "HOOK_SECRET", "JIRA_EMAIL", "JIRA_TOKEN",
         "JIRA_HOOK_SECRET")  # fmt: skip


def credentials(environment: Mapping[str, str]) -> Credentials:
    missing = [PREFIX + name for name in NAMES if not environment.get(PREFIX + name)]
    if missing:
        what = f"The sandbox has no {', '.join(missing)}."
        raise Refused(Code.BAD_INPUT, what, "Set them in the environment; any words will do for a sandbox.")
    user, password, client, secret, hook, email, token, jira_hook = (environment[PREFIX + name] for name in NAMES)
    return Credentials(Login(user, password, client, secret), hook, email, token, jira_hook)


def end_with_starter() -> None:
    """Nobody is left who could end us: do it ourselves, in the same way."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m connectors.sandbox", description=WARNING)
    options.add_argument("--port", type=int, default=8799, help="on loopback; 0 takes a free one (default 8799)")
    options.add_argument("--seed", type=int, default=7, help="which company to make up (default 7)")
    options.add_argument("--size", choices=tuple(SIZES), default="company", help="a whole year, or some dozen records")
    options.add_argument("--log", type=Path, help="an incident event log (.csv or .csv.gz) instead of a company")
    options.add_argument("--profile", choices=PROFILES, default=CLOUD, help="which edition of Jira to imitate")
    options.add_argument("--attached", action="store_true", help="end when standard input does, as its starter dies")
    chosen = options.parse_args()
    if chosen.attached:
        threading.Thread(target=end_with_starter, daemon=True).start()
    print(WARNING, file=sys.stderr, flush=True)
    try:
        app = create(chosen.seed, credentials(os.environ), chosen.log, chosen.size, chosen.profile)
        running, listener = server(app), listen(chosen.port)
    except Refused as no:
        print(f"{no.code}: {no.what} {no.fix}", file=sys.stderr)
        return 2
    incidents = len(app.state.sandbox.records.tables["incident"].rows)
    port = listener.getsockname()[1]
    print(f"sandbox ready on http://{LOOPBACK}:{port} with {incidents} incidents", flush=True)
    running.run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
