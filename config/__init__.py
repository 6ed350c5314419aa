"""How the parts are put together and meet HTTP."""

__version__ = "0.1.0"
