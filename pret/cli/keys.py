"""`pret key new`: a key for a caller, and the line by which the service knows it. No service is asked."""

import argparse
import hashlib
import re
import secrets

from pret.cli.ending import WrongUsage

SCOPES = ("score", "jobs", "read", "admin")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
PREFIX = "pret_"
"""So that scanners find a key where none should be."""


def new_key(options: argparse.Namespace) -> None:
    """Print a new key, and its line for API_KEYS or API_KEYS_FILE."""
    if not NAME.fullmatch(options.name):
        raise WrongUsage("NAME may have letters, digits and . _ @ -, at most 64, and begins with a letter or a digit.")
    key = PREFIX + secrets.token_urlsafe()
    scopes = "+".join(dict.fromkeys(options.scope))
    limits = {"requests": options.requests, "rows": options.rows}
    more = "".join(f":{name}={limit}" for name, limit in limits.items() if limit)
    print(f"Key, for {options.name} alone; it is shown only now:\n  {key}")
    print("Line for API_KEYS or API_KEYS_FILE of the service:")
    print(f"  {options.name}:{scopes}:{hashlib.sha256(key.encode()).hexdigest()}{more}")
