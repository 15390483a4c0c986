"""Word lists: what is a name and nothing else, what belongs to interfaces."""

from __future__ import annotations

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


def is_interface_word(value: str) -> bool:
    """Whether a value is nothing but words that interfaces show."""
    words = value.lower().split()
    return bool(words) and all(word.strip(".,:;!?()") in INTERFACE_WORDS for word in words)


def is_name_only(word: str) -> bool:
    """Whether a word is known as somebody's name and as nothing else."""
    return False
