"""Forms of a text under which two texts count as the same, and their 128-bit content hashes."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from factory.text.strings import Texts, row_blocks, utf8
from factory.text.token_table import Tokens, alphabet

__all__ = ["HASH_BYTES", "Form", "content_hash", "normalise"]

Form: TypeAlias = Literal["nfc", "spaced", "alnum", "symbols", "letters"]
"""`nfc`: canonical composition alone.
`spaced`: NFKC, lower case, whitespace runs as one space.
`alnum`: words of letters and digits, NFKD, lower case, one space between; operators are lost: 3+4 is 3-4.
`symbols`: as `alnum` with operators kept as words; the form for exact dedup of math and code.
`letters`: letters alone, without spaces: the digit-stripped form of Light-R1's exact match.
"""

HASH_BYTES = 16

_TOKENS: dict[Form, tuple[Tokens, bool]] = {
    "spaced": ("whitespace", True),
    "alnum": ("alnum", True),
    "symbols": ("symbols", True),
    "letters": ("nondigit", False),
}
_EXPANSION = 12  # output bytes per input byte at worst, see kernels.scan.write_words


def normalise(texts: Texts, *, form: Form = "symbols") -> pa.LargeStringArray:
    """Each text in `form`; a null stays null."""
    if form in ("nfc", "spaced"):
        texts = pc.utf8_normalize(_flat(texts), form="NFC" if form == "nfc" else "NFKC")
    if form == "nfc":
        return texts.cast(pa.large_string())
    from factory.text.kernels import scan

    tokens, gap = _TOKENS[form]
    text, table = utf8(texts), alphabet(tokens)
    parts: list[bytes] = []
    offsets = [np.zeros(1, np.int64)]
    total = 0
    for first, last in row_blocks(text.rows):
        rows = text.rows[first : last + 1]
        out = np.empty(int(rows[-1] - rows[0]) * _EXPANSION + 1, np.uint8)
        out_rows = np.empty(rows.size, np.int64)
        size = scan.write_words(text.data, rows, table.fold, table.kind, table.extra, gap, out, out_rows)
        parts.append(out[:size].tobytes())
        offsets.append(out_rows[1:] + total)
        total += size
    return pa.LargeStringArray.from_buffers(
        len(texts), pa.py_buffer(np.concatenate(offsets)), pa.py_buffer(b"".join(parts)), _validity(texts)
    )


def content_hash(texts: Texts, *, form: Form = "symbols") -> pa.FixedSizeBinaryArray:
    """BLAKE2b-128 of each text in `form`; a null has a null hash.

    128 bits: among a billion different texts the chance of any collision is 1.5e-21, so equal hashes are
    taken for equal forms. A text whose form is empty (punctuation alone, say) is hashed as it is in NFC,
    apart from every form that is not empty: "?" and "." are not the same text.
    """
    forms = utf8(normalise(texts, form=form))
    raw = normalise(texts, form="nfc")
    data, rows = forms.data.tobytes(), forms.rows.tolist()
    out = bytearray(HASH_BYTES * len(texts))
    for i in range(len(texts)):
        low, high = rows[i], rows[i + 1]
        if low < high:
            digest = blake2b(data[low:high], digest_size=HASH_BYTES).digest()
        else:
            unseen = (raw[i].as_py() or "").encode()
            digest = blake2b(unseen, digest_size=HASH_BYTES, person=b"raw").digest()
        out[HASH_BYTES * i : HASH_BYTES * (i + 1)] = digest
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(HASH_BYTES), len(texts), [_validity(texts), pa.py_buffer(bytes(out))]
    )


def _flat(texts: Texts) -> pa.Array:
    flat = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    return flat if pa.types.is_large_string(flat.type) else flat.cast(pa.large_string())


def _validity(texts: Texts) -> pa.Buffer | None:
    """The null mask of a column as a fresh bitmap, None when there is no null."""
    if not texts.null_count:
        return None
    valid = np.asarray(pc.is_valid(_flat(texts)).to_numpy(zero_copy_only=False), bool)
    return pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
