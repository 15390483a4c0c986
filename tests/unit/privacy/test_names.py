import numpy
import pytest

from tools import train_ner
from tools.ner.faker_lists import HELD_OUT, faker_lists
from tools.ner.generator import Generator
from transforms.privacy.finder import TextFinder
from transforms.privacy.name_model import LABELS, SCORES, load_bundled
from transforms.privacy.names import BUNDLED

SENTENCES = (
    "The report is ready for the meeting and it will be sent to the office.",
    "This parser reads a file and returns the tree of its nodes.",
    "A new version of the library adds a cache to the server.",
    "The user can open the settings and change the colour of the window.",
)


@pytest.fixture(scope="module")
def finder(config):
    return TextFinder(config)


@pytest.fixture
def named(finder):
    def find(text, kind="prose"):
        spans = finder.find(text, kind)
        return {(text[s.start : s.end], s.entity) for s in spans}

    return find


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Dear Henrike, the report is ready.", "Henrike"),
        ("I talked to Priya Halvorsen about the budget.", "Priya Halvorsen"),
        ("Assignee: Tomasz Eberle", "Tomasz Eberle"),
        ("Nora Lindqvist <nora.l@example.com> wrote:", "Nora Lindqvist"),
        ("Kind regards\nMarek Oduya", "Marek Oduya"),
        ("Signed in as Aiko Brandvold", "Aiko Brandvold"),
        ("hi ruth can you send me the file?", "ruth"),
        ("Lunch with Jürgen O’Brien-Sørensen", "Jürgen O’Brien-Sørensen"),
        ("Message Šárka Nováková", "Šárka Nováková"),
    ],
)
def test_names_are_found(named, text, name):
    covered = "".join(value for value, _ in named(text))
    assert all(word in covered for word in name.replace("’", " ").replace("-", " ").split())


@pytest.mark.parametrize(
    "text",
    [
        "Save",
        "Sign in to your account",
        "The parser reads a file and returns the tree of its nodes.",
        "Use Docker Compose with PostgreSQL 15 and Redis on Ubuntu.",
        "Privacy Policy | Terms of Service",
        "Click the Settings button, then choose Notifications.",
        "Order history",
        "In March, the average was 3 percent above that of April.",
        "Returns: the number of rows in the DataFrame.",
        "HTTP and JSON are used by the REST API.",
        "Please tell Room 512 that lunch is ready.",
    ],
)
def test_ordinary_words_are_not_names(named, text):
    assert named(text) == set()


def test_user_names_need_a_cue(named):
    assert ("jlindqvist84", "USERNAME") in named("Username: jlindqvist84")
    assert "USERNAME" not in {entity for _, entity in named("run jlindqvist84 in the shell")}


def test_an_address_names_its_owner(named):
    found = named("Tell Castellan that castellan@example.com bounced")
    assert ("Castellan", "PERSON") in found


def test_static_elements_need_more(finder):
    text = "Jordan"
    assert len(finder.find(text, "ui")) <= len(finder.find(text, "prose"))


def test_surrogates_and_other_scripts_keep_their_offsets(finder):
    text = "\ud800 🙂 Dear Henrike, שלום"
    (span,) = finder.find(text)
    assert text[span.start : span.end] == "Henrike"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Письмо от Светлана Калинин пришло", "Светлана"),
        ("Γράμμα από τον Νίκων Κατσαβός", "Νίκων"),
        ("担当は山田太郎です", "山田太郎"),
        ("رسالة من فيصل الخالدي", "فيصل الخالدي"),
    ],
)
def test_listed_names_of_other_scripts(named, text, name):
    assert any(name in value for value, _ in named(text))


def test_other_scripts_are_not_names_by_themselves(named):
    assert named("Привет, как дела? Сегодня хорошая погода.") == set()
    assert named("שלום לכולם, מה שלומכם היום") == set()
    assert named("今日は天気がいいですね") == set()


def test_names_in_markup_and_cut_off_json(named):
    html = '<div class="x"><p>Signed in as <b>Priya Halvorsen</b></p></div>' * 2
    assert "Priya Halvorsen" in {value for value, _ in named(html, "code")}
    json = '{"Rose": 1, "from": {"name": "Tomasz Eberle", "mail": "x'
    assert {value for value, _ in named(json, "code")} == {"Tomasz Eberle"}


def test_products_are_not_people(named):
    for text in ("Olive oil, 500 ml", "Dark chocolate", "Green tea", "Cherry jam, organic"):
        assert named(text) == set()


def test_batches_and_single_texts_agree(config):
    texts = ["Dear Henrike,", "Save", "by Tomasz Eberle", "Dear Henrike,"]
    one, many = TextFinder(config), TextFinder(config)
    assert [one.find(t) for t in texts] == many.find_many(texts)


def test_texts_without_candidates_never_reach_the_model(finder):
    names = finder.names
    assert not names.may_hold_name("The parser reads a file and returns the tree.")
    assert names.may_hold_name("please ask lindqvist")
    assert names.may_hold_name("Please ask Qwyzzel")


def test_the_bundled_model_scores_every_token():
    nlp = load_bundled(BUNDLED)
    doc = nlp("Dear Henrike, hello")
    assert doc.user_data[SCORES].shape == (len(doc), len(LABELS))
    numpy.testing.assert_allclose(doc.user_data[SCORES].sum(axis=1), 1, atol=1e-5)
    assert [e.label_ for e in doc.ents] == ["PERSON"]
    assert sum(f.stat().st_size for f in BUNDLED.rglob("*") if f.is_file()) < 10_000_000


def test_another_model_can_be_plugged_in(config, tmp_path):
    import dataclasses

    import spacy

    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PER", "pattern": "Zaphod"}, {"label": "GPE", "pattern": "Ursa"}])
    nlp.to_disk(tmp_path / "model")
    names = dataclasses.replace(config.names, model=str(tmp_path / "model"))
    finder = TextFinder(dataclasses.replace(config, names=names))
    text = "Zaphod left Ursa"
    assert {(text[s.start : s.end], s.entity) for s in finder.find(text)} == {
        ("Zaphod", "PERSON"),
        ("Ursa", "LOCATION"),
    }


def test_a_model_that_cannot_be_loaded_is_a_configuration_error(config):
    import dataclasses

    from transforms.privacy.config import ScrubberConfigError

    names = dataclasses.replace(config.names, model="no_such_model")
    with pytest.raises(ScrubberConfigError, match="no_such_model"):
        TextFinder(dataclasses.replace(config, names=names))


def small_lists():
    lists = faker_lists().only(frozenset(["en_GB", "sv_SE"]))
    return lists


def test_equal_seeds_give_equal_examples():
    def make(seed):
        return Generator(seed, small_lists(), SENTENCES, ("report", "file")).examples(60)

    assert make(3) == make(3)
    assert make(3) != make(4)
    for example in make(3):
        for start, end, _ in example.names:
            assert example.text[start:end].strip() == example.text[start:end] != ""


def test_training_again_gives_the_same_weights():
    def make():
        nlp, lexicon = train_ner.train(
            small_lists(),
            SENTENCES,
            examples=150,
            epochs=1,
            width=16,
            depth=1,
            rows=(200, 100, 100, 100, 32),
        )
        return nlp.get_pipe("tok2vec").model.to_bytes(), lexicon.classes

    (one, classes), (two, same) = make(), make()
    assert one == two
    assert classes == same


def test_held_out_locales_are_in_no_list_of_the_product():
    lists = faker_lists()
    left = lists.without(HELD_OUT)
    assert HELD_OUT.isdisjoint(left.first) and HELD_OUT.isdisjoint(left.places)
    assert set(lists.only(HELD_OUT).first) == HELD_OUT
