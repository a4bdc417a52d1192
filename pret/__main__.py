"""Run the command line."""

import sys

from pret.cli.main import main

sys.exit(main())
