"""Write docs/api.md: the public names with all that their docstrings say, then what is inside.

python docs/api.py            write it
python docs/api.py --check    exit with 1 where it is not up to date

The public names are those of `minirnn.__all__`. Inside is what a module of the package defines
besides, under a name without a leading underscore: its functions, its classes and their methods.
The site has the whole docstrings of these too, in the same order.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import sys
import textwrap
from pathlib import Path

DOCS = Path(__file__).resolve().parent
SCRIPTS = ("__main__", "child")  # run when they are imported
CALLED = ("forward", "backward", "gates", "batch", "clean", "encode", "fit", "step", "zero_grad",
          "parameters", "state_dict", "load_state_dict")  # fmt: skip

ORDER = (
    "stacked recurrent cells layers models losses optim batches packing data training evaluation "
    "backend"
).split()
BLANK = "\0"

HEAD = """# API reference

First the %d names of `from minirnn import ...`, with their signatures and an example each: they are
what to build on. Then, under [Inside](#inside), all that the modules hold besides; that may change
from one version to the next. In a shell, `python -m pydoc minirnn.LSTM` shows the same. This page
is written by `docs/api.py`, and the tests run its examples.

Three words of the signatures are short for longer ones. `Array` is an array of NumPy or of CuPy.
`Rng` is a `numpy.random.Generator`, or None for a fresh one. `Dtype` is what NumPy takes for a
type: `"float32"`, `np.float32`. The methods of a cell have no types, as nobody's own cell must have
them; `minirnn/cells.py` tells what they take and give.

Every example has these two lines before it:

    import numpy as np
    from minirnn import *
"""

INSIDE = """
## Inside

Every other name, with the first line of its docstring, in alphabetical order of the modules; it may
change from one version to the next. [Architecture](architecture.md#the-map) has the modules in
reading order. On the site the whole docstrings stand here; in a shell,
`python -m pydoc minirnn.cells` shows them.

Two methods need no word of their own, and are listed only where there is more to say. `forward`
computes what the first line of its class says, and returns it with a cache. `backward` takes the
gradient of what `forward` returned, and the cache; it adds to the gradients of the parameters, and
returns the gradient of what `forward` was given. Their shapes are those of the class.
"""


def modules():
    """{name: module} of the package and all its modules but scripts, in alphabetical order."""
    import minirnn

    modules = {"minirnn": minirnn}
    for info in pkgutil.walk_packages(minirnn.__path__, "minirnn."):
        if info.name.rpartition(".")[2] not in SCRIPTS:
            modules[info.name] = importlib.import_module(info.name)
    return dict(sorted(modules.items()))


def public(module):
    """{name: function or class} that a module defines, in the order of the file."""
    members = {
        name: thing
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(thing) or inspect.isfunction(thing))
        and thing.__module__ == module.__name__
        and thing.__name__ == name
    }
    return dict(sorted(members.items(), key=lambda item: _line(item[1])))


def _line(thing):
    if inspect.isfunction(thing):
        return thing.__code__.co_firstlineno
    try:
        return inspect.findsource(thing)[1]
    except OSError:
        return 0


def methods(cls):
    """{name: function} of the public methods and properties that a class itself defines."""
    members = {}
    for name, thing in vars(cls).items():
        if isinstance(thing, (staticmethod, classmethod)):
            thing = thing.__func__
        elif isinstance(thing, property):
            thing = thing.fget
        if getattr(thing, "__module__", None) != cls.__module__:
            continue  # made by a named tuple or a data class
        lambda_ = getattr(thing, "__name__", "") == "<lambda>"  # the default of a field
        if inspect.isfunction(thing) and not lambda_ and not name.startswith("_"):
            members[name] = thing
    return members


def own_docstring(thing):
    """The docstring that was written for it; a named tuple or a data class makes one up."""
    text = thing.__doc__
    if inspect.isclass(thing) and text and text.startswith(f"{thing.__name__}("):
        return None
    return inspect.cleandoc(text) if text else None


def first_line(thing):
    text = own_docstring(thing)
    return text.partition("\n\n")[0].replace("\n", " ") if text else ""


def face():
    """[(name, function or class)] of the public names, in the order of `ORDER`."""
    import minirnn

    names = [(name, getattr(minirnn, name)) for name in minirnn.__all__]
    return sorted(names, key=lambda pair: (ORDER.index(pair[1].__module__.split(".")[1]), pair[0]))


def signature(name, function):
    """`name(parameters) -> result` as the source has it, wrapped, without self."""
    source = textwrap.dedent(inspect.getsource(function))
    tree = ast.parse(source).body[0]
    a = tree.args
    positional = [*a.posonlyargs, *a.args]
    defaults = [None] * (len(positional) - len(a.defaults)) + a.defaults

    def parameter(argument, default=None):
        text = ast.get_source_segment(source, argument)
        equals = " = " if argument.annotation else "="
        return text + (equals + ast.get_source_segment(source, default) if default else "")

    parts = [parameter(*pair) for pair in zip(positional, defaults, strict=True)]
    if a.vararg:
        parts.append("*" + parameter(a.vararg))
    elif a.kwonlyargs:
        parts.append("*")
    parts += [parameter(*pair) for pair in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    parts += ["**" + parameter(a.kwarg)] if a.kwarg else []
    parts = [part for part in parts if part not in ("self", "cls")]
    result = ast.get_source_segment(source, tree.returns) if tree.returns else "None"
    ending = ")" + (f" -> {result}" if result != "None" else "")
    line = f"{name}({', '.join(parts)}{ending}"
    if len(line) <= 96:
        return line
    whole = [part.replace(" ", BLANK) for part in parts]  # no parameter is broken
    lines = textwrap.wrap(", ".join(whole) + ",", 92, break_on_hyphens=False)
    return f"{name}(\n    " + "\n    ".join(lines).replace(BLANK, " ") + f"\n{ending}"


def told(name, thing):
    """A public name: its signature, its docstring, its example, and the methods that users call."""
    init = thing.__init__ if inspect.isclass(thing) else thing
    text = signature(name, init) if inspect.isfunction(init) else f"{name}()"
    parts = [f"\n### {name}\n\n```text\n{text}\n```\n"]
    for paragraph in re.split(r"\n\s*\n", own_docstring(thing)):
        if paragraph.startswith("    "):
            kind = "pycon" if paragraph.lstrip().startswith(">>>") else "text"
            parts.append(f"\n```{kind}\n{textwrap.dedent(paragraph)}\n```\n")
        else:
            parts.append(f"\n{plain(paragraph)}\n")
    methods = [entry("", f".{m}", f) for m, f in called(thing).items()]
    return "".join([*parts, *(["\n" + "\n".join(methods) + "\n"] if methods else [])])


def called(thing):
    """{name: function} of the methods of a class that a user calls, its own or inherited."""
    methods = {m: getattr(thing, m, None) for m in CALLED if inspect.isclass(thing)}
    return {m: f for m, f in methods.items() if inspect.isfunction(f) and own_docstring(f)}


def page():
    """The text of docs/api.md."""
    names = face()
    parts = [HEAD % len(names), "\n## The public names\n\n| name | what it is |\n|---|---|\n"]
    parts += [
        f"| [`{name}`](#{name.lower()}) | {plain(first_line(thing))} |\n" for name, thing in names
    ]
    parts += [told(name, thing) for name, thing in names] + [INSIDE]
    for name, module in modules().items():
        parts.append(f"\n## {name}\n\n{textwrap.fill(plain(first_line(module)), 100)}\n")
        listed = []
        for thing_name, thing in public(module).items():
            if (thing_name, thing) in names:
                listed.append(f"- [`{thing_name}`](#{thing_name.lower()}): above")
                continue
            listed.append(entry("", thing_name, thing))
            if inspect.isclass(thing):
                listed += [
                    entry("  ", f".{method}", function)
                    for method, function in methods(thing).items()
                    if own_docstring(function)
                ]
        if listed:
            parts.append("\n" + "\n".join(listed) + "\n")
    return "".join(parts)


def entry(indent, name, thing):
    line = plain(first_line(thing))
    text = f"{indent}- `{name}`" + (f": {line}" if line else "")
    return textwrap.fill(
        text, 100, subsequent_indent=f"{indent}  ", break_long_words=False, break_on_hyphens=False
    )


def plain(text):
    """Text in which Markdown finds nothing but inline code."""
    parts = text.split("`")
    for k in range(0, len(parts), 2):
        for sign in "\\*_<[":
            parts[k] = parts[k].replace(sign, "\\" + sign)
    return "`".join(parts)


def main(arguments):
    path, text = DOCS / "api.md", page()
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in arguments:
        print("api.md is not up to date; run: python docs/api.py")
        return 1
    path.write_text(text, encoding="utf-8")
    print("api.md: updated")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(DOCS.parent))
    sys.exit(main(sys.argv[1:]))
