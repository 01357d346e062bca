"""Action units of any video: one row a frame, in one pass with bounded memory.

:func:`stages.inference.predict.predict_file` does it, :mod:`stages.inference.results` reads what
it wrote. ``views`` draws results, ``formats`` writes them for other tools, ``comparison`` holds
them against other tools', ``evaluation`` against labels, ``web`` serves them, ``api`` is the Python
package `aufusion`; :mod:`stages.cli` is the command line around all. The highest room: it may
import all others, none imports it.
"""
