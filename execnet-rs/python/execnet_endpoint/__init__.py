"""The end of a link that lies in a Python process: values, frames, channels, and running source that is sent.

Standard library only, for CPython 3.8+ and PyPy. The Rust side starts an interpreter and sends these modules to it, in
the order in which they import each other; nothing needs to be installed.
"""
