"""`python -m emulated_card SCRIPT.py ARGUMENTS`: run a script on the emulated card."""

import runpy
import sys

from . import card

card.insert()
sys.argv = sys.argv[1:]
sys.path.insert(0, str(card.Path(sys.argv[0]).resolve().parent))
runpy.run_path(sys.argv[0], run_name="__main__")
