"""Write docs/api.md: every public name of the package with the first line of its docstring.

python docs/api.py            write it
python docs/api.py --check    exit with 1 where it is not up to date

Public is what a module of the package defines under a name without a leading underscore: its
functions, its classes and their methods. The site has the whole docstrings in the same order.
"""

import importlib
import inspect
import pkgutil
import sys
import textwrap
from pathlib import Path

DOCS = Path(__file__).resolve().parent
SCRIPTS = ("__main__", "child")  # run when they are imported

HEAD = """# API reference

Every public name, with the first line of its docstring, in alphabetical order of the modules.
[Architecture](architecture.md#the-map) has them in reading order. On the site the whole docstrings
stand here; in a shell, `python -m pydoc minirnn.cells` shows them. This page is written by
`docs/api.py`.

Two methods need no word of their own, and are listed only where there is more to say. `forward`
computes what the first line of its class says, and returns it with a cache. `backward` takes the
gradient of what `forward` returned, and the cache; it adds to the gradients of the parameters, and
returns the gradient of what `forward` was given. Their shapes are those of the class.
"""


def modules():
    """{name: module} of the package and all its modules but scripts, in alphabetical order."""
    import minirnn

    found = {"minirnn": minirnn}
    for info in pkgutil.walk_packages(minirnn.__path__, "minirnn."):
        if info.name.rpartition(".")[2] not in SCRIPTS:
            found[info.name] = importlib.import_module(info.name)
    return dict(sorted(found.items()))


def public(module):
    """{name: function or class} that a module defines, in the order of the file."""
    found = {
        name: thing
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(thing) or inspect.isfunction(thing))
        and thing.__module__ == module.__name__
        and thing.__name__ == name
    }
    return dict(sorted(found.items(), key=lambda item: _line(item[1])))


def _line(thing):
    if inspect.isfunction(thing):
        return thing.__code__.co_firstlineno
    try:
        return inspect.findsource(thing)[1]
    except OSError:
        return 0


def methods(cls):
    """{name: function} of the public methods and properties that a class itself defines."""
    found = {}
    for name, thing in vars(cls).items():
        if isinstance(thing, (staticmethod, classmethod)):
            thing = thing.__func__
        elif isinstance(thing, property):
            thing = thing.fget
        if getattr(thing, "__module__", None) != cls.__module__:
            continue  # made by a named tuple or a data class
        lambda_ = getattr(thing, "__name__", "") == "<lambda>"  # the default of a field
        if inspect.isfunction(thing) and not lambda_ and not name.startswith("_"):
            found[name] = thing
    return found


def own_docstring(thing):
    """The docstring that was written for it; a named tuple or a data class makes one up."""
    text = thing.__doc__
    if inspect.isclass(thing) and text and text.startswith(f"{thing.__name__}("):
        return None
    return inspect.cleandoc(text) if text else None


def first_line(thing):
    text = own_docstring(thing)
    return text.partition("\n\n")[0].replace("\n", " ") if text else ""


def signature(thing):
    try:
        return str(inspect.signature(thing))
    except ValueError:
        return "(...)"


def page():
    """The text of docs/api.md."""
    parts = [HEAD]
    for name, module in modules().items():
        parts.append(f"\n## {name}\n\n{textwrap.fill(plain(first_line(module)), 100)}\n")
        listed = []
        for thing_name, thing in public(module).items():
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
