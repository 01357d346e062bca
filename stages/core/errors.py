"""The two errors that are meant for the user's eyes: one sentence, no traceback."""


class DataError(Exception):
    """Something is wrong with the user's data: what, where, and what to do about it."""


class SettingsError(Exception):
    """Something is wrong with a setting: which one, and the values that are allowed."""
