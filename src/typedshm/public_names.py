"""The public names of the package, in a form that keeps ``help(typedshm)`` short."""

import sys


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
        names = vars(sys.modules[module])
        super().__init__(names["__all__"])
        self._functions = functions
        self._classes = {name for name in self if isinstance(names[name], type)}

    def __contains__(self, name: object, /) -> bool:
        """Return whether a name is public; to pydoc, whether it is public and no class."""
        caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        asked_by_pydoc = caller.f_code.co_name == "visiblename"
        if asked_by_pydoc:
            return name in self._functions or (super().__contains__(name) and name not in self._classes)
        return super().__contains__(name)


def shorten_help(module: str, *functions: str) -> None:
    """Replace the literal ``__all__`` of a module, which type checkers read, by its :class:`PublicNames`."""
    vars(sys.modules[module])["__all__"] = PublicNames(module, *functions)
