"""Words that interfaces show of their own."""

from __future__ import annotations

from collections.abc import Callable

INTERFACE_WORDS = frozenset(
    """about accept account accounts action actions activity add address admin advanced all amount
    app apply apps archive article articles attach attachment audit author back basket
    billing bin board body bookmark bookmarks brand browse build bulk button calendar call
    cancel card cart categories category change chart chat check checkout choose chrome
    clear click close code collapse color colour column columns comment comments company
    compose confirm contact contacts content continue copy country create created currency
    customer customers dashboard data date day days default delete delivery description
    design detail details dialog disable discard discount docs document documents done
    download draft drafts due duplicate edge edit editor email enable enter error event
    events example excel exit expand export favorites favourites feedback field file files
    filter filters find finish firefox first folder folders font form format forward friday
    full general global gmail go google group groups guest guide header help hide high
    history home hour hours icon image images import important in inbox info information
    input insert invoice item items join key keyboard label language last later layout learn
    less library light limit link linkedin links list loading location log login logout low
    mail main manage map mark media member members menu merge message messages microsoft
    minute minutes mobile mode monday month more move my name network new next no none
    normal note notes notification notifications number off offline ok on online open
    options order orders other out outlook overview owner page pages password paste payment
    pending people permissions phone photo photos pin plan play please post powerpoint
    preferences preview previous price print priority privacy product products profile
    progress project projects public publish quantity question quick quit read recent record
    redo refresh region register reject remember remove rename reply report reports request
    reset resolution result results resume retry return review role roles row rows run
    safari saturday save saved schedule search section security select selected send sent
    server service services session settings share shipping show sign size skip slack sort
    source spam star starred start state status step stop store street style subject submit
    subtotal success summary sunday support switch sync system tab table tag tags task tasks
    team teams templates terms test text theme thursday time title to today toggle tomorrow
    tool toolbar tools total trash tuesday type undo unread update upgrade upload url user
    username users value version video view visit wednesday week welcome window windows
    wishlist word work workspace year yes yesterday zoom""".split()
)
"""Words that programs show of their own; a value that is one of them is searched for nowhere."""

FUNCTION_WORDS = frozenset(
    """a about after again all also always am an and any are as at be because been before being both
    but by can cannot could did do does each either else ever every few for from get had has have
    having he her here hers him himself his how however i if in into is it its itself just less let
    lol many me might mine more most much must my myself neither never no nor not now of off often
    ok okay on once one only or other our ours out over own per please quite rather really same she
    should since so some still such than thanks that the their theirs them then there these they
    this those though thus thx to too under until up upon us very was we were what when where
    whether which while who whom whose why with within without would yes yet you your yours etc
    i'm i'll i've it's don't""".split()
)
"""Words that are nobody's name, whatever a list says."""


def is_interface_word(value: str) -> bool:
    """Whether a value is nothing but words that interfaces show."""
    words = value.lower().split()
    return bool(words) and all(word.strip(".,:;!?()") in INTERFACE_WORDS for word in words)


_DIGITS_OF = {"PHONE": 5, "CARD": 3, "SSN": 6, "IBAN": 6, "BIRTH_DATE": 3, "OTP": 4}
"""At least so many digits are in a value of these entities."""


def is_caption(value: str, entity: str, is_common: Callable[[str], bool]) -> bool:
    """Whether what stands under a sensitive key is what a program calls it, and no value.

    Programs fetch their words as ``{"email": "E-mail address", "password": "Your password"}``.

    Args:
        value: the text.
        entity: what the key says it is.
        is_common: whether a word in lower case is an ordinary word and nobody's name.
    """
    if entity == "EMAIL":
        return "@" not in value
    if entity in _DIGITS_OF:
        return sum(char.isdigit() for char in value) < _DIGITS_OF[entity]
    words = value.replace("-", " ").split()
    if any(char.isdigit() for char in value) or not words:
        return False
    return all(
        word in INTERFACE_WORDS or word in FUNCTION_WORDS or is_common(word)
        for word in (raw.strip(".,:;!?()…*").lower() for raw in words)
    )
