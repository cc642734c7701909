"""`python -m galprism` is `galprism`."""

import sys

from galprism.cli.main import main

sys.exit(main())
