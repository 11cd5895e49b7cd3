"""How can the text of a credential be changed? As data: named changes of any text."""

from collections.abc import Callable

Change = Callable[[str], str]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def replaced(text: str, at: int, bits: int) -> str:
    """Flip bits of one base64url character; another character becomes an `A`."""
    at %= len(text)
    old = text[at]
    new = ALPHABET[ALPHABET.index(old) ^ bits] if old in ALPHABET else "A"
    return text[:at] + new + text[at + 1 :]


CHANGES: dict[str, Change] = {
    "the last character is cut off": lambda text: text[:-1],
    "the first character is cut off": lambda text: text[1:],
    "half of it": lambda text: text[: len(text) // 2],
    "the first character flipped": lambda text: replaced(text, 0, 0b100000),
    "the middle character flipped": lambda text: replaced(text, len(text) // 2, 0b100000),
    "the last character flipped": lambda text: replaced(text, -1, 0b100000),
    "one character more": lambda text: text + "A",
    "padding behind it": lambda text: text + "=",
    "doubled": lambda text: text + text,
    "doubled with a dot": lambda text: f"{text}.{text}",
    "upper case": str.upper,
    "reversed": lambda text: text[::-1],
    "a line break's letters inside": lambda text: text[:9] + "%0A" + text[9:],
    "quoted": lambda text: f"'{text}'",
    "a path before it": lambda text: f"../../{text}",
    "a wildcard": lambda text: text[:-20] + "*",
    "without dots": lambda text: text.replace(".", ""),
    "dots only": lambda text: "..",
    "one word": lambda text: "null",
    "a number": lambda text: "1",
    "an object": lambda text: "{}",
    "a foreign alphabet": lambda text: "ключ" + text,
    "full-width digits": lambda text: "\uff11" + text[1:],
}
