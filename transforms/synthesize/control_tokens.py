"""Recorded text that reads like a chat template's own markers, made harmless.

A person may type ``<|im_end|>``, and a page may hold ``<image>``. A tokenizer or a trainer takes
such text for its own markers: a turn ends early, or the number of pictures no longer fits. Two
ways out, for two kinds of text:

- prose (request, thought, system): the marker's first character is exchanged for its full-width
  twin (``＜|im_end|>``). It stays readable, and :func:`restore` undoes it;
- JSON (arguments, observed state): the first character is written as a JSON escape
  (``\\u003c|im_end|>``). The parsed value stays exactly what was recorded.

A trainer that parses the arguments and renders them again brings the text back; there, encode
content with special tokens switched off (``tokenizer.encode_special_tokens``).
"""

from __future__ import annotations

import json
import re
from typing import Any

_TAGS = (
    "s bos eos pad unk mask start_of_turn end_of_turn start_of_image end_of_image "
    "image_soft_token image video audio img think thought tool_call tool_calls tool_response "
    "tools bbox ref-object"
).split()
_BRACKETS = (
    "INST AVAILABLE_TOOLS TOOL_CALLS TOOL_RESULTS TOOL_CONTENT SYSTEM_PROMPT IMG IMG_BREAK "
    "IMG_END THINK ARGS CALL_ID gMASK"
).split()
_MARKERS = (
    r"\|[^<>|\n]{1,64}\|>",  # ChatML, Llama 3, Qwen, Phi …
    r"｜[^<>｜\n]{1,64}｜>",  # DeepSeek
    r"/?(?:" + "|".join(map(re.escape, _TAGS)) + ")>",
    r"/?SYS>",
)
_PATTERN = re.compile(
    "<(?=" + "|".join(_MARKERS) + r")|\[(?=/?(?:" + "|".join(map(re.escape, _BRACKETS)) + r")\])"
)
_TWINS = {"<": "＜", "[": "［"}
_RESTORE = re.compile(_PATTERN.pattern.replace("<(?=", "＜(?=", 1).replace(r"\[(?=", "［(?=", 1))


def has_control_token(text: str) -> bool:
    """Whether a text holds something that a chat template or trainer would take for its own."""
    return _PATTERN.search(text) is not None


def neutralise(text: str) -> str:
    """Returns prose without control tokens; equal to the input where there are none."""
    return _PATTERN.sub(lambda m: _TWINS[m.group()], valid_unicode(text))


def restore(text: str) -> str:
    """Undoes :func:`neutralise` (for a text that held no full-width twin of a marker itself)."""
    return _RESTORE.sub(lambda m: "<" if m.group() == "＜" else "[", text)


def json_text(value: Any) -> str:
    """Returns a value as JSON on one line, its control tokens broken by escapes.

    Keys keep their order; non-ASCII text stays as it is. Raises ValueError for NaN and infinity.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # Both characters can only begin a marker inside a JSON string, where an escape is allowed.
    return _PATTERN.sub(lambda m: f"\\u{ord(m.group()):04x}", valid_unicode(text))


def valid_unicode(text: str) -> str:
    """Replaces lone surrogates, which no UTF-8 file can hold, by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
