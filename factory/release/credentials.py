"""The one place where credentials are taken out of what a release says of its pipeline.

A release is published; the pipeline that made it may have been written with a password in an address, a key
in a header or a token in a comment. Names of environment variables (`api_key_env`) are none and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

__all__ = ["HIDDEN", "without_credentials", "yaml_without_credentials"]

HIDDEN = "REDACTED"
"""What stands in the place of a credential; plain YAML wherever it comes to stand."""

_NAME = re.compile(
    r"(?:proxy[-_])?authorization|(?:set[-_])?cookie|(?:\w+[-_])?api[-_]?key|(?:x[-_])?auth[-_]?key"
    r"|(?:aws[-_]|x[-_]amz[-_])?(?:secret|access|session|account|security)[-_]?(?:access[-_]?)?(?:key|token)(?:[-_]?id)?"
    r"|(?:\w+[-_])?(?:secret|password|passwd|passphrase|credentials?)|pwd|(?:\w+[-_])?(?:auth|access|bearer|refresh|id|hf|hub)"
    r"[-_]?token|(?:x[-_]\w+[-_])?token|(?:client|private|signing|encryption)[-_]?(?:secret|key)|sas[-_]?token|(?:x[-_]amz[-_])?(?:signature|credential)"
    r"|connection[-_]?string|bearer",
    re.IGNORECASE,
)
"""Whole names of fields, headers and query parameters that hold a credential."""

_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]*://)([^\s/?#\"'<>\\]*)@", re.IGNORECASE)
# A password with a slash in it, which is no valid address: what follows the colon is no port.
_LOOSE_ADDRESS = re.compile(
    r"(\b[a-z][a-z0-9+.-]*://)[^\s/?#@:\"'<>\\]+:(?!\d*(?:[/?#]|$))[^\s@\"'<>\\]*@", re.IGNORECASE
)
_USER_ALONE = re.compile(r"(?:https?|ftps?|git|(?:git|hg|svn)\+\w+)://", re.IGNORECASE)
"""Schemes where what stands before the @ is a user or token even without a colon; elsewhere a container."""

_QUERY = re.compile(r"([?&;])([\w.-]+)=([^\s&;#\"'<>]+)")
_TOKEN = re.compile(
    r"\b(?:sk|pk|rk)[-_](?:[A-Za-z]+[-_])*[A-Za-z0-9_-]{16,}|\bhf_[A-Za-z0-9]{16,}|\bgh[pousr]_[A-Za-z0-9]{16,}"
    r"|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}|\bxox[abprs]-[\w-]{10,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bAIza[\w-]{30,}|\bnvapi-[\w-]{16,}|\bgsk_\w{16,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
)
"""Tokens that show by their form what they are."""
_SCHEME = re.compile(r"\b(Bearer|Basic)(\s+)[A-Za-z0-9+/=._~-]{8,}")


def without_credentials(value: Any) -> Any:
    """A JSON value without the credentials in its fields and texts."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if _hides(key, item) else without_credentials(item) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [without_credentials(item) for item in value]
    return value


def yaml_without_credentials(text: str) -> str:
    """A YAML file as it is written, comments included, without its credentials."""
    try:
        spans = sorted(_spans(yaml.compose(text, Loader=yaml.SafeLoader)))
    except yaml.YAMLError:
        spans = []
    pieces, place = [], 0
    for start, end in spans:
        if start >= place:
            # A block that ends with its line leaves that end.
            whole = text[start:end]
            pieces += [text[place:start], f'"{HIDDEN}"', whole[len(whole.rstrip()) :]]
            place = end
    return _text("".join([*pieces, text[place:]]))


def _hides(name: Any, value: Any) -> bool:
    held = value if isinstance(value, (list, tuple)) else [value]
    return (
        isinstance(name, str)
        and _NAME.fullmatch(name) is not None
        and any(isinstance(item, str) and item for item in held)
    )


def _spans(root: yaml.Node | None) -> Iterator[tuple[int, int]]:
    """Where the values of fields that hold credentials stand. An alias is followed once."""
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and _hides(key.value, _plain(value)):
                    yield value.start_mark.index, value.end_mark.index
                else:
                    waiting.append(value)


def _plain(node: yaml.Node) -> Any:
    """The text of a scalar, or the texts of a list; null for what is no text."""
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    if isinstance(node, yaml.ScalarNode) and node.tag != "tag:yaml.org,2002:null":
        return node.value
    return None


def _text(text: str) -> str:
    text = _ADDRESS.sub(_address, text)
    text = _LOOSE_ADDRESS.sub(rf"\1{HIDDEN}@", text)
    text = _QUERY.sub(_parameter, text)
    text = _SCHEME.sub(rf"\1\2{HIDDEN}", text)
    return _TOKEN.sub(HIDDEN, text)


def _address(found: re.Match[str]) -> str:
    holds = ":" in found[2] or _USER_ALONE.fullmatch(found[1])
    return f"{found[1]}{HIDDEN}@" if holds else found[0]


def _parameter(found: re.Match[str]) -> str:
    named = _NAME.fullmatch(found[2]) or found[2].lower() in ("key", "sig", "code", "auth")
    return f"{found[1]}{found[2]}={HIDDEN}" if named else found[0]
