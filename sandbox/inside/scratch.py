"""Empties a scratch directory that the sandbox itself made, and nothing else.

Everything goes by directory descriptor, never by path, never over a mount, never through a symbolic link, and
never as user 0: what a solution leaves behind cannot lead the clean-up elsewhere.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

__all__ = ["Scratch"]


class Scratch:
    """A directory known by its device and inode."""

    def __init__(self, path: str, *, identity: tuple[int, int], kept: Sequence[str] = ()):
        """Opens the directory; names in `kept` are mounts of the sandbox's own in it, and stay.

        Raises:
            OSError: it is not the directory that `identity` (device, inode) names.
        """
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        found = os.fstat(self.fd)
        if (found.st_dev, found.st_ino) != identity:
            os.close(self.fd)
            raise OSError(f"{path} is not the directory that the sandbox made")
        self.device = found.st_dev
        self._kept = frozenset(kept)
        self._prefix = os.urandom(8).hex()

    def close(self) -> None:
        """Lets go of the descriptor."""
        os.close(self.fd)

    def names(self) -> list[str]:
        """What programs have left directly in the directory."""
        return [name for name in os.listdir(self.fd) if name not in self._kept]

    def usage(self) -> tuple[int, int]:
        """(files, bytes) directly in the directory; stops counting after 10,000 files."""
        files = size = 0
        with os.scandir(self.fd) as entries:
            for entry in entries:
                files += 1
                try:
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                except OSError:
                    continue
                if files >= 10_000:
                    break
        return files, size

    def empty(self) -> bool:
        """Removes everything below; returns whether nothing is left now."""
        if os.geteuid() == 0:
            raise PermissionError("the scratch directory is never emptied as user 0")
        os.fchmod(self.fd, 0o700)
        # A nested directory's children move up before it goes, so depth costs no descriptors.
        moved = 0
        for _ in range(200_000):
            names = self.names()
            if not names:
                return True
            for name in names:
                moved = self._remove(name, moved)
        return False

    def _remove(self, name: str, moved: int) -> int:
        try:
            found = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                os.unlink(name, dir_fd=self.fd)
                return moved
            if found.st_dev != self.device:
                return moved
            os.chmod(name, 0o700, dir_fd=self.fd)
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)
            try:
                for child in os.listdir(inner):
                    moved = self._lift(child, inner, moved)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=self.fd)
        except FileNotFoundError:
            pass
        return moved

    def _lift(self, child: str, inner: int, moved: int) -> int:
        found = os.stat(child, dir_fd=inner, follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(child, dir_fd=inner)
            return moved
        os.chmod(child, 0o700, dir_fd=inner)
        os.rename(child, f".{self._prefix}-{moved}", src_dir_fd=inner, dst_dir_fd=self.fd)
        return moved + 1
