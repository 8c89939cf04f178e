"""An exception of a hand-in in words: where, the shapes in that line, what it usually means."""

import re

import numpy as np

from .result import Wrong

SHAPES = re.compile(
    r"broadcast|matmul|not aligned|core dimension|enough dimensions|input array dimensions|"
    r"cannot reshape|inhomogeneous|einstein|einsum|out of bounds|too many indices|"
    r"axes don't match|match array dimension|match along|same number of dimensions|indexed array"
)
SHAPES_MEET = (
    "Shapes are compared from the last axis on{}: each pair must be equal, or one of them 1."
)
PYTHONS = r"(?<![\w.])(sum|min|max|any|all|round)\("  # that NumPy has under the same names
MEANS = [  # (exception, pattern of its text, what it usually means)
    ("KeyError", "", "There is nothing under this name: is it stored under it, spelt alike?"),
    ("", r"'numpy\.ufunc' object|'builtin_function_or_method' object",
     "A function stands there without being called: write f(x)."),
    ("", r"bitwise_xor|unsupported operand type\(s\) for \^", "A power is written **, not ^."),
    ("", r"only (length-1|size-1|0-dimensional)|converted to Python scalar",
     "This takes one number, and is given an array: functions of module math know no arrays, "
     "NumPy's do (np.exp)."),
    ("", r"only integer scalar", "An array stands where one whole number belongs: an index, an "
     "axis or a length."),
    ("TypeError", r"as a data type", "A shape is one tuple: np.zeros((n, H))."),
    ("", r"truth value of an array", "An array is no single yes or no: use np.where, "
     "or a comparison as a factor."),
    ("", r"'Product' object has no attribute 'backward'",
     "Here the product is a function: product(h_prev). Its way back exists in backward alone."),
    ("", r"'Product' object is not subscriptable", "product is called, with round brackets."),
    ("", r"'ProductBackward' object is not callable",
     "On the way back it is product.backward(da), not product(da)."),
    ("", r"Cell' object is not callable",
     "A cell has two methods: cell.forward(gx, state, product) and cell.backward(...)."),
    ("TypeError", r"'Parameter'", "A Parameter is no array: its array is .data."),
    ("AttributeError", r"'Parameter' object has no attribute",
     "A Parameter is no array: its array is .data, its gradient .grad."),
    ("AttributeError", r"'tuple' object has no attribute '(data|grad|T|shape|dot|sum)'",
     "This is a tuple of arrays: unpack it, or take one of its parts."),
    ("AttributeError", r"'tuple' object has no attribute",
     "This is a plain tuple, without names: unpack it in the order in which it was packed."),
    ("AttributeError", r"module 'numpy' has no attribute", "NumPy has no function of this name."),
    ("ImportError", r"cannot import name", "The module has nothing of this name: is it spelt "
     "otherwise?"),
    ("AttributeError", r"'NoneType' object", "This is None: is a `return` missing, or a value?"),
    ("TypeError", r"'NoneType'|NoneType", "This is None: is a `return` missing, or a value?"),
    ("TypeError", r"\b(forward|backward)\(\) takes (\d+) positional arguments? but",
     "Compare the call with the line of its def: is self missing, which Python puts first, or "
     "another argument?"),
    ("IndexError", "pop from empty list", "The list is empty by now: backward may be called twice "
     "with one cache, of which pop takes the parts out."),
    ("TypeError", r"missing \d+ required|takes \d+ positional|unexpected keyword",
     "It is called with other arguments than it has: compare the call with the line of its def."),
    ("TypeError", r"'tuple' object does not support item assignment",
     "A tuple cannot be written into: make a new one."),
    ("TypeError", r"multiply sequence by non-int|can't multiply sequence|must be real number|"
     r"operand type\(s\) for .*'(tuple|list)'|can only concatenate",
     "A tuple or list stands where an array should: unpack it, or take one of its parts."),
    ("UFuncTypeError", r"Cannot cast", "The array holds whole numbers, or numbers of another type: "
     "make it with the dtype of what goes in."),
    ("ZeroDivisionError", "", "Something is divided by zero."),
    ("RecursionError", "", "The function calls itself without end: does it mean NumPy's?"),
    ("UnboundLocalError", "", "The name is given a value in this function, but not on every way "
     "to this line."),
]  # fmt: skip


def crash(failed, what):
    """`Wrong` from an exception of the hand-in: a blank, or a mistake with its line."""
    if failed.type == "NotImplementedError":
        return Wrong("not written", failed.text or f"{what} is not written yet")
    if failed.type == "Returned":
        return Wrong("wrong shape", failed.text, "Is the `return` missing, or one of its parts?")
    missing = re.match(r"module 'hand_in' has no attribute '(\w+)'", failed.text)
    if missing:
        return Wrong(
            "error", f"there is no {missing[1]} in the file",
            "What was handed out must keep its name: the checker asks for it by name.",
        )  # fmt: skip
    at = f"line {failed.line}: " if failed.line else ""
    if _of_shapes(failed) and failed.shapes:
        text = f"{at}the shapes in {failed.stage} do not fit: {_named(failed.shapes)}"
        return Wrong("error", text, advice(failed))
    text = f"{at}{failed.stage} fails with {failed.type}: {failed.text}"
    known = [row for row in failed.shapes if row[1] != "a Product"]
    if known and failed.type in ("TypeError", "ValueError", "AttributeError", "CellError"):
        text += f" ({_named(known)})"
    return Wrong("error", text, advice(failed))


def _of_shapes(failed):
    kind = failed.type in ("ValueError", "IndexError", "AxisError")
    return kind and bool(SHAPES.search(failed.text))


def _named(table):
    return ", ".join(f"{name} is {told}" for name, told, *_ in table)


def advice(failed):
    """What an exception usually means in these exercises; nothing where that is not known."""
    text, told = failed.text, {name: what for name, what, *_ in failed.shapes}
    parameters = [name for name, what in told.items() if what == "a Parameter"]
    if failed.type in ("AxisError", "TypeError") and re.search(PYTHONS, failed.code):
        name = re.search(PYTHONS, failed.code)[1]
        if "axis" in text or "generator" in text:
            return (
                f"After from numpy import *, {name} is NumPy's, not Python's: write import numpy "
                "as np."
            )
    if parameters and (failed.type == "TypeError" or _of_shapes(failed)):
        return f"{parameters[0]} is a Parameter; its array is {parameters[0]}.data."
    called = [name for name, what in told.items() if what == "a Product"]
    given = re.search(r"\bproduct\((\w+)\)", failed.code)
    backward = "ProductBackward" in text
    if given and not backward and told.get(given[1], "").startswith(("a tuple", "a list")):
        return f"product takes one array, product(h_prev), and is given all of {given[1]}."
    inside = failed.deeper in ("forward", "backward")  # of a cell, to which product is handed on
    if called and not given and not inside and (
        _of_shapes(failed) or "unsupported operand" in text
    ):  # fmt: skip
        return f"{called[0]} is called: {called[0]}(h_prev)."
    if _of_shapes(failed):
        where = f"It comes up inside {failed.deeper}, which this line calls. " if inside else ""
        return where + _unfit(failed)
    joins = re.search(r"\b(concatenate|stack|vstack|hstack)\(", failed.code)
    if joins and re.search("only integer scalar|positional argument|multiple values", text):
        return f"np.{joins[1]} takes one list or tuple: np.{joins[1]}([a, b])."
    own = re.search(PYTHONS, failed.code)
    if own and "truth value" in text and own[1] in ("min", "max"):
        return (
            f"This {own[1]} is Python's, which compares whole rows; NumPy's is "
            f"a.{own[1]}(axis=-1, keepdims=True)."
        )
    if "product" in text and ("rows" in text or "must be called" in text):
        return "The product must be called once in forward, and its backward once in backward."
    if "product.backward was given" in text:
        return ""
    if failed.type == "KeyError" and failed.stage.startswith("backward"):
        return (
            "Is something looked up that forward has not stored, or product.backward asked for "
            "gates that forward has not asked product for?"
        )
    ours = r"'(Linear|CrossEntropy|Recurrent|\w*Cell\w?)' object has no attribute"
    method = re.search(rf"{ours} '(forward|backward)'", text)
    if method:
        return (
            f"The class {method[1]} has no method {method[2]}: does its def stand in the class, "
            "indented, and is it spelt so?"
        )
    if re.search(ours, text) and "backward" in failed.stage:
        return "What backward needs of forward comes in as its cache: forward returns it."
    if "NoneType" in text and failed.stage.startswith("backward") and "cache" in failed.code:
        return "forward has returned None as its cache: what backward needs must be in it."
    if "unpack" in text and failed.deeper:
        return (
            f"It comes up inside {failed.deeper}, which this line calls: is it given what it asks "
            "for, a tuple where a tuple is asked for?"
        )
    if "unpack" in text and re.search(r"=\s*cache\b", failed.code):
        return (
            "cache is what forward returns beside the state: as many parts must be in it as are "
            "taken out here."
        )
    if "unpack" in text and re.match(r"for .+ in [^()]+, [^()]+:", failed.code.strip()):
        return "Two lists are gone through side by side with zip: for a, b in zip(x, y)."
    if "unpack" in text:
        return "As many names must stand on the left as there are parts on the right."
    if "need at least one array to concatenate" in text or "sequence of arrays" in text:
        return "np.concatenate takes one list of arrays, which must not be empty."
    if "zip()" in text or "zero-dimensional arrays cannot be concatenated" in text:
        return "Something is a single array, or None, where one array for each part is needed."
    if failed.type == "NameError":
        return _unknown_name(failed)
    for kind, pattern, means in MEANS:
        if kind in ("", failed.type) and re.search(pattern, text):
            return means
    return ""


def _unfit(failed):
    """The rule that the line breaks."""
    text = failed.text
    if failed.products:
        left, shape, right, other = failed.products[0]
        if "()" in (shape, other):
            return "@ takes arrays with axes; a single number is multiplied with *."
        needs = (
            f"{left} @ {right} needs the last axis of {left} {shape} as long as the last but one "
            f"of {right} {other}."
        )
        if shape == other:
            return f"{needs} A product entry by entry is *, not @."
        turned = [a for a, its in ((left, shape), (right, other))
                  if a.endswith(".T") and its.count(",") > 1]  # fmt: skip
        if turned:
            needs += (
                f" {turned[0]} turns all axes; {turned[0].removesuffix('T')}swapaxes(-1, -2) only "
                "the last two."
            )
        return needs
    if re.search("matmul|not aligned|core dimension|enough dimensions", text):
        tuples = [n for n, told, *_ in failed.shapes if told.startswith(("a tuple", "a list"))]
        if tuples:
            return f"{tuples[0]} is a tuple or list of arrays, where one array is multiplied."
        return (
            "A @ B needs the last axis of A as long as the last but one of B; a product entry by "
            "entry is *."
        )
    if "out of bounds" in text or "too many indices" in text or "indexed array" in text:
        return text[0].upper() + text[1:] + "."
    if "input array dimensions" in text or "same number of dimensions" in text:
        return "np.concatenate needs the same shapes but for the axis along which it joins."
    if "reshape" in text:
        return "reshape keeps the number of entries."
    if "inhomogeneous" in text:
        return "Arrays of different shapes are no one array: go through them one by one."
    shapes = [f"({', '.join(axes.split(','))})".replace(", )", ",)")
              for axes in re.findall(r"\(([\d,]+)\)", text)][:2]  # fmt: skip
    if "non-broadcastable output" in text:
        sizes = f" Together they make {shapes[1]}, not {shapes[0]}." if len(shapes) == 2 else ""
        return (
            "What is added with += must not be larger than what it is added to: is a sum missing?"
            f"{sizes}"
        )
    if "could not broadcast input" in text:
        return "What is written into a part of an array must have the shape of that part."
    if len(shapes) < 2:
        return SHAPES_MEET.format("")
    rule = SHAPES_MEET.format(f", {shapes[0]} with {shapes[1]}")
    few, many = sorted((shape.strip("(,)").split(", ") for shape in shapes), key=len)
    lacks = any(many[:k] + many[k + 1 :] == few for k in range(len(many)))
    if lacks and "labels" not in failed.code:
        rule += (
            " Is an axis missing? sum and max take theirs away without keepdims=True, and "
            "[:, None] makes one."
        )
    return rule


def _unknown_name(failed):
    name = re.search(r"name '(\w+)' is not defined", failed.text)
    name = name[1] if name else ""
    if name == "np":
        return "NumPy is not imported here: write import numpy as np at the top of the file."
    if name in ("sigmoid", "tanh", "d_sigmoid", "d_tanh"):
        return f"{name} is not imported here: write from minirnn.functions import {name}."
    if name in ("math", "random", "time", "copy"):
        return f"The module is not imported: write import {name} at the top of the file."
    if re.search(rf"\b{name}\(", failed.code) and hasattr(np, name):
        return f"NumPy's is np.{name}."
    if failed.stage.startswith(("backward", "Linear.backward", "CrossEntropy.backward")):
        return (
            f"Is {name} spelt otherwise elsewhere? Of forward, backward sees only what the cache "
            "holds."
        )
    return "This name has no value here: is it spelt otherwise, or given its value further down?"
