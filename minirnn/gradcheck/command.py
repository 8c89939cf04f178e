"""Check the backward pass of a cell in a file, rung by rung, and name what is wrong."""

import argparse

from .. import cli
from .ladder import check_ladder


def run(arguments, prog):
    """Print the report on the cell; 0 where it is right, 1 where it is wrong."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("cell", metavar="FILE.py:CLASS", help="a file, and a cell class in it")
    parser.add_argument("--seed", type=cli.seed, default=0,
                        help="of the numbers that are tried (default: %(default)s)")  # fmt: skip
    args = parser.parse_args(arguments)
    report = check_ladder(cli.load_cell(args.cell, "FILE.py:CLASS"), seed=args.seed)
    print(report)
    return 0 if report else 1
