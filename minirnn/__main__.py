"""One door for every command: `python -m minirnn COMMAND [options]`."""

import importlib
import sys

from . import __version__, cli
from .data import printable
from .errors import MinirnnError

COMMANDS = {  # name: (module with a function run(arguments, prog), what it does)
    "download": ("minirnn.storage.download", "fetch names or a text that others report on"),
    "gradcheck": ("minirnn.gradcheck.command", "check a cell's backward pass, rung by rung"),
    "exercises": (
        "minirnn.exercises.command",
        "write the missing lines of a net, and have them checked",
    ),
    "stepper": ("minirnn.stepper.command", "step a trained net through a name, on a page"),
}


def run(arguments=None):
    """Run the command named first; its module is imported only now."""
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help"):
        print("usage: python -m minirnn COMMAND [options]\n\ncommands:")
        for command, (_, what) in COMMANDS.items():
            print(f"  {command:12s}{what}")
        print("\npython -m minirnn --version says which minirnn this is")
        print("python -m minirnn COMMAND --help lists the options of a command")
        return 0
    if name == "--version":
        print(f"minirnn {__version__}")
        return 0
    if name not in COMMANDS:
        known = ", ".join(COMMANDS)
        raise MinirnnError(f"there is no command {printable(name)}; choose one of: {known}")
    return importlib.import_module(COMMANDS[name][0]).run(rest, f"python -m minirnn {name}")


def main():
    """The console script `minirnn`; its exit code."""
    return cli.main(run)


if __name__ == "__main__":
    sys.exit(main())
