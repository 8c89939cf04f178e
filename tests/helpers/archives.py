"""Zip archives of many kinds."""

import io
import stat
import zipfile


def archive(entries, compression=zipfile.ZIP_DEFLATED):
    """A zip of [(name or ZipInfo, bytes)]."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as file:
        for name, content in entries:
            file.writestr(name, content)
    return data.getvalue()


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def encrypted(content):
    """An archive of one entry, which says that it is encrypted."""
    content = bytearray(content)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rindex(signature) + offset] |= 1
    return bytes(content)
