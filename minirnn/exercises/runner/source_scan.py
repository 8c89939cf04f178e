"""What a hand-in may not contain, found by reading it: no exercise needs files, or `sys`.

This runs inside the hand-in's own process, before anything of it is run. It is a courtesy, with the
clearest words; what holds is the fence of the operating system (`kernel.py`).
"""

import ast
import hashlib

HARMLESS = {
    "__future__", "abc", "collections", "copy", "dataclasses", "enum", "functools", "itertools",
    "math", "numpy", "operator", "random", "time", "types", "typing", "warnings",
}  # fmt: skip
WHY = {  # module: the kind of its mark
    **dict.fromkeys(["sys", "site"], "path"),
    **dict.fromkeys(["os", "pathlib", "shutil", "io", "tempfile", "glob", "fileinput"], "files"),
    **dict.fromkeys(["pickle", "marshal", "shelve", "dill", "copyreg"], "pickle"),
    **dict.fromkeys(["inspect", "importlib", "runpy", "pkgutil", "linecache", "gc"], "loads"),
}
CALLS = {
    **dict.fromkeys(["open", "input", "breakpoint", "exit", "quit"], "files"),
    **dict.fromkeys(
        ["eval", "exec", "compile", "__import__", "globals", "vars", "locals"], "loads"
    ),
    "complex": "complex",
}
MAY_BE_OWN = ("input", "load", "save")  # as a function's variable, or kept on self
BY_NAME = ("getattr", "setattr", "delattr")
ATTRIBUTES = {
    **dict.fromkeys(
        ["__globals__", "__builtins__", "__subclasses__", "__loader__", "__spec__", "__code__",
         "__dict__", "f_globals", "f_back", "f_builtins", "tb_frame", "gi_frame", "cr_frame",
         "ag_frame", "modules", "attrgetter", "methodcaller", "inspect", "importlib",
         "import_module", "linecache", "builtins", "bltns", "_builtins", "__import__", "__self__",
         "__getattribute__", "__closure__", "cell_contents", "__reduce__", "__reduce_ex__",
         "f_locals", "tb_next", "CodeType", "FunctionType", "LambdaType"], "loads"),
    **dict.fromkeys(
        ["load", "save", "savez", "savez_compressed", "loadtxt", "savetxt", "fromfile", "tofile",
         "genfromtxt", "memmap", "open_memmap", "DataSource"], "files"),
    **dict.fromkeys(["ctypeslib", "f2py", "os", "sys", "_os", "_sys", "subprocess"], "loads"),
    **dict.fromkeys(["dumps", "loads", "dump"], "pickle"),
    **dict.fromkeys(["imag", "complex64", "complex128", "cdouble"], "complex"),
}  # fmt: skip
WORDS = {
    "own": "uses the package's own code, which is what is to be written",
    "path": "uses sys, with which it could change where Python looks for modules",
    "files": "uses files or the system",
    "pickle": "uses pickle",
    "loads": "looks into or loads other code",
    "patched": "changes a module that is not its own",
    "complex": "uses complex numbers, which belong to the checker",
    "import": "imports a module that no exercise needs",
}


def scan(source, siblings=(), support=()):
    """([(kind, line, text)] of what is forbidden in the bytes of a hand-in, {names it imports}).

    siblings: the modules beside it, which it may import. support: what it may of minirnn.
    Raises `SyntaxError` (or `ValueError`, `RecursionError`) where this is no Python.
    """
    tree = ast.parse(source)
    reader = _Reader(set(siblings), set(support), _own_nodes(tree))
    reader.visit(tree)
    return reader.problems, reader.imports


def _own_nodes(tree):
    """The nodes that read what the file itself has called input, load or save: a variable of the
    function that binds it, or what a class keeps on self and reads there, without a call."""
    own, called = set(), {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
            bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
            bound |= {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
            own |= {n for n in names if n.id in bound and n.id in MAY_BE_OWN and n not in called}
        elif isinstance(function, ast.ClassDef):
            kept = [
                node for node in ast.walk(function)
                if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "self"
            ]  # fmt: skip
            stored = {node.attr for node in kept if isinstance(node.ctx, ast.Store)}
            own |= {
                n for n in kept if n.attr in stored and n.attr in MAY_BE_OWN and n not in called
            }
    return own


def classes(source):
    """{class: digest of its code}, in which comments, blanks and docstrings do not count."""
    digests = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            for inner in ast.walk(node):
                body = getattr(inner, "body", None)
                if isinstance(body, list) and body and _is_text(body[0]):
                    inner.body = body[1:]
            digests[node.name] = hashlib.sha256(ast.dump(node).encode()).hexdigest()
    return digests


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


class _Reader(ast.NodeVisitor):
    def __init__(self, siblings, support, own):
        self.siblings, self.support, self.own = siblings, support, own
        self.problems, self.modules, self.imports = [], set(), set()

    def add(self, kind, node, text):
        self.problems.append((kind, node.lineno, text))

    def visit_If(self, node):
        if ast.unparse(node.test) in ("__name__ == '__main__'", "'__main__' == __name__"):
            for part in node.orelse:
                self.visit(part)
        else:
            self.generic_visit(node)

    def imported(self, node, module):
        top, _, rest = module.partition(".")
        self.imports.add(top)
        if top == "minirnn":
            if rest.partition(".")[0] not in self.support:
                self.add("own", node, f"import of {module}")
        elif top not in HARMLESS and top not in self.siblings:
            self.add(WHY.get(top, "import"), node, f"import of {module}")

    def visit_Import(self, node):
        for name in node.names:
            self.imported(node, name.name)
            self.modules.add(name.asname or name.name.partition(".")[0])

    def visit_ImportFrom(self, node):
        module = node.module or ""
        if module == "minirnn":
            for name in node.names:
                self.imported(node, f"minirnn.{name.name}")
        else:
            self.imported(node, module)
        for name in node.names:
            if name.name in ATTRIBUTES:
                self.add(ATTRIBUTES[name.name], node, f"import of {name.name}")
            elif module.partition(".")[0] in ("minirnn", "numpy"):
                self.modules.add(name.asname or name.name)

    def visit_Name(self, node):
        if node in self.own:
            return
        if node.id in CALLS and isinstance(node.ctx, ast.Load):
            self.add(CALLS[node.id], node, node.id)
        elif node.id in ("__builtins__", "__loader__", "__spec__", *BY_NAME):
            self.add("loads", node, node.id)  # a getattr that is not called, but passed on

    def visit_Attribute(self, node):
        if node.attr in ATTRIBUTES and node not in self.own:
            self.add(ATTRIBUTES[node.attr], node, f".{node.attr}")
        if isinstance(node.ctx, (ast.Store, ast.Del)) and self.is_module(node.value):
            self.add("patched", node, ast.unparse(node))
        self.generic_visit(node)

    def visit_Call(self, node):
        name = getattr(node.func, "id", "")
        if name in ("setattr", "delattr") and node.args and self.is_module(node.args[0]):
            self.add("patched", node, ast.unparse(node)[:60])
        if name == "getattr" and not (
            len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
            and str(node.args[1].value) not in ATTRIBUTES
        ):  # fmt: skip
            self.add("loads", node, ast.unparse(node)[:60])
        for part in ast.iter_child_nodes(node):
            if part is not node.func or name not in BY_NAME:
                self.visit(part)

    def visit_MatchClass(self, node):
        for name in node.kwd_attrs:
            if name in ATTRIBUTES:
                self.add(ATTRIBUTES[name], node, f".{name}")
        self.generic_visit(node)

    def visit_Constant(self, node):
        if isinstance(node.value, complex):
            self.add("complex", node, ast.unparse(node))

    def is_module(self, node):
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.modules
