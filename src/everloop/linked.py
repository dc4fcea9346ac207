"""Where Python finds the compiled modules: all of a face are linked into one shared object.

It is the extension module ``_compiled``, of `everloop` and of `everloop.aio`. What it has linked
in is found there before anything that lies in the packages' directories, such as the sources.
"""

import sys

# That of the module that is being imported: importlib need not be loaded.
ModuleSpec = type(__spec__)


class Finder:
    """Finds a module in the shared object that it is linked into.

    To be put into `sys.meta_path`.
    """

    def __init__(self):
        self.loaders = {}

    def find_spec(self, name, path=None, target=None):
        """What `importlib` asks of each finder: the module's spec, or None."""
        loader = self.loaders.get(name)
        if loader is None:
            return None
        spec = ModuleSpec(name, loader, origin=loader.path)
        spec.has_location = True
        spec.submodule_search_locations = loader.directories(name)
        return spec


finder = Finder()
sys.meta_path.insert(0, finder)


def load(package):
    """Load the shared object of a package, whose modules can be imported from now on.

    Raises ImportError, which says what to do, if there is none or if it can't be loaded.
    """
    try:
        shared_object = __import__(f"{package}._compiled", fromlist=["modules"])
    except ImportError as error:
        raise ImportError(
            "everloop's compiled modules are missing or broken: build them with 'pip install .' "
            f"in the source tree ({error})"
        ) from error

    class Loader(type(shared_object.__loader__)):
        """Loads a module that is linked into the shared object."""

        def create_module(self, spec):
            return shared_object.create(spec)

        def exec_module(self, module):
            shared_object.execute(module)

        def is_package(self, name):
            return shared_object.modules[name]

        def directories(self, name):
            """Where modules of the package ``name`` are that are not linked, or None."""
            if not self.is_package(name):
                return None
            directory, _, _ = self.path.rpartition("/")
            return [directory + name.removeprefix(package).replace(".", "/")]

    for name in shared_object.modules:
        finder.loaders[name] = Loader(name, shared_object.__file__)
