from app.templating import opening, static_url, templates


def test_an_address_of_a_file_names_its_version() -> None:
    assert static_url("style.css") == static_url("style.css")
    assert static_url("style.css").split("?v=")[1] != static_url("page.js").split("?v=")[1]


def test_sentences_in_a_row_stay_apart_and_other_tags_leave_no_space() -> None:
    source = "<p>{% trans %}One.{% endtrans %}\n  {% if true %}{% trans %}Two.{% endtrans %}{% endif %}\n</p>"
    assert " ".join(templates.env.from_string(source).render().split()) == "<p>One. Two.</p>"
    assert templates.env.from_string("<p>\n  {% if true %}\n  x\n  {% endif %}\n</p>").render() == "<p>\n  x\n</p>"


def test_a_capital_letter_leaves_the_others_as_they_are() -> None:
    assert opening("röntgenbilder von Knien") == "Röntgenbilder von Knien"
    assert opening("") == ""
