"""The generated corpus: people, what they do and say, and the videos that show it.

``people`` (who they are) and ``audio`` (speech and sounds) stand by themselves; ``head`` is made
of people, ``performance`` says what they do, ``render`` draws it; the modules of this folder join
them to files. Imports `crops` and `faces` for the stills; nothing below knows that data may be
generated.
"""
