"""What is opened and must be closed: readers and writers of files as context managers."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """A context manager that ends with :meth:`close`, or after an error with :meth:`abandon`."""

    @abstractmethod
    def close(self) -> None:
        """Finish and close the file."""

    def abandon(self) -> None:
        """Close the file as it is."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()
