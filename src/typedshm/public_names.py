"""The public names of the package, in a form that keeps ``help(typedshm)`` short."""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any


class PublicNames(list[str]):
    """The ``__all__`` of a module whose classes pydoc leaves out.

    pydoc prints every class named in ``__all__`` with all inherited members, thousands of lines for this package. The
    package's docstring has an index of them instead, and ``help(typedshm.Region)`` prints one. Everybody but pydoc sees
    a plain list. Functions with the names of builtins are public too, but not in the list, so that a star import does
    not replace those builtins.

    Parameters
    ----------
    module : str
        The name of the module.
    *functions : str
        Public functions that are not in its ``__all__``; pydoc prints them as well.
    """

    def __init__(self, module: str, *functions: str) -> None:
        super().__init__(vars(sys.modules[module])["__all__"])
        self._module = module
        self._functions = functions

    def __contains__(self, name: object, /) -> bool:
        """Return whether a name is public; to pydoc, whether it is public and no class."""
        caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        asked_by_pydoc = caller.f_code.co_name == "visiblename"
        if asked_by_pydoc:
            return name in self._functions or (super().__contains__(name) and not self._is_class(name))
        return super().__contains__(name)

    def _is_class(self, name: object) -> bool:
        return isinstance(getattr(sys.modules[self._module], str(name)), type)


def shorten_help(module: str, *functions: str) -> None:
    """Replace the literal ``__all__`` of a module, which type checkers read, by its :class:`PublicNames`."""
    vars(sys.modules[module])["__all__"] = PublicNames(module, *functions)


def import_later(package: str, modules: Mapping[str, str]) -> None:
    """Import public names of a package on their first use: those that few programs need, to keep its import short.

    Parameters
    ----------
    package : str
        The name of the package.
    modules : mapping of str to str
        Each name with the module that defines it, or that it is.
    """
    names = vars(sys.modules[package])

    def get_attribute(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        module = import_module(modules[name])
        return names.setdefault(name, getattr(module, name, module))

    names["__getattr__"] = get_attribute
    names["__dir__"] = lambda: sorted({*names, *modules})
