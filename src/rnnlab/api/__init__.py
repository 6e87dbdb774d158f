"""Functions of the library that put several rooms together; the command line calls the same ones.

`rnnlab.__init__` names all public functions and where each is defined. They return data; only
those with a keyword `quiet` can print.
"""
