"""Encodings that look like another alphabet, or like plain ASCII: read as what they are, or refused with their name."""

from __future__ import annotations

import re

import pytest

import headstart as hs
from headstart.errors import DataError

RUSSIAN = ["Где моя карта?", "Карта ещё не пришла.", "Какой сегодня курс обмена?", "Почему курс такой плохой?"]
GREEK = ["Πού είναι η κάρτα μου;", "Η κάρτα δεν έχει φτάσει.", "Ποια είναι η ισοτιμία;", "Γιατί είναι τόσο κακή;"]
JAPANESE = ["カードはどこですか", "カードはまだ届きません", "今日のレートはいくらですか", "なぜレートが悪いのですか"]
CHINESE = ["我的卡在哪里", "卡还没有到", "今天汇率多少", "欧元汇率好吗"]


def table(folder, texts, encoding, errors="strict"):
    rows = [f"{text} {number},{'card' if number % 4 < 2 else 'rate'}" for number, text in enumerate(texts * 4)]
    (folder / "t.csv").write_bytes("\n".join(["text,label", *rows, ""]).encode(encoding, errors))
    return folder / "t.csv"


@pytest.mark.parametrize("lower", [False, True])
def test_russian_of_a_mac_is_read_as_such(tmp_path, lower):
    texts = [text.lower() if lower else text for text in RUSSIAN]
    checked = hs.check(table(tmp_path, texts, "mac_cyrillic"))
    assert checked.dataset.inputs[0] == f"{texts[0]} 0"
    assert any("read as mac_cyrillic" in note for note in checked.notes)


@pytest.mark.parametrize(
    ("texts", "encoding"), [(RUSSIAN, "cp866"), (RUSSIAN, "iso8859_5"), (GREEK, "mac_greek")], ids=lambda one: one[:9]
)
def test_a_rare_encoding_is_refused_with_its_name(tmp_path, texts, encoding):
    path = table(tmp_path, texts, encoding)
    with pytest.raises(DataError, match=f'encoding="{encoding}"'):
        hs.check(path)
    assert hs.check(path, columns=hs.Columns(encoding=encoding)).dataset.inputs[0] == f"{texts[0]} 0"


@pytest.mark.parametrize("encoding", ["cp1251", "koi8_r"])
def test_capitals_alone_may_be_two_encodings(tmp_path, encoding):
    path = table(tmp_path, ["ГДЕ МОЯ КАРТА?", "КАРТА НЕ ПРИШЛА.", "КАКОЙ КУРС ОБМЕНА?", "Я ЗАБЫЛ СВОЙ КОД."], encoding)
    with pytest.raises(DataError, match=r'encoding="cp1251".* or .*encoding="koi8_r"'):
        hs.check(path)


@pytest.mark.parametrize(
    ("texts", "encoding"),
    [(JAPANESE, "iso2022_jp"), (CHINESE, "hz"), (RUSSIAN, "utf_7")],
    ids=["iso2022_jp", "hz", "utf_7"],
)
def test_letters_in_ascii_s_clothes_are_no_ascii(tmp_path, texts, encoding):
    path = table(tmp_path, texts, encoding)
    with pytest.raises(DataError, match=f'encoding="{encoding}"'):
        hs.check(path)
    assert hs.check(path, columns=hs.Columns(encoding=encoding)).dataset.inputs[0].startswith(texts[0])
    for number, text in enumerate(texts * 3):
        (tmp_path / "notes" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        file = tmp_path / "notes" / "ab"[number % 2] / f"{number}.txt"
        file.write_bytes(" ".join([text, *texts]).encode(encoding))
    with pytest.raises(DataError, match=encoding):
        hs.check(tmp_path / "notes")


@pytest.mark.parametrize(
    "text",
    [
        "call +49 151 23456789 or +4915123456789 or +14155550132 or +420601123456",
        "\x1b[31mred\x1b(B\x1b[m in a log and ~{a list~} of Lisp and 1+1=2 and C++",
    ],
)
def test_ascii_that_has_such_signs_is_ascii(tmp_path, text):
    assert hs.check(table(tmp_path, [f"{text} of {word}" for word in ("one", "two", "three", "four")], "ascii"))


@pytest.mark.parametrize("texts", [RUSSIAN, ["Où est ma carte égarée ?", "À Orléans, évidemment", "Été", "Noël"]])
def test_utf_8_that_was_encoded_twice_is_noted(tmp_path, texts):
    twice = [text.encode().decode("cp1252", "ignore") for text in texts]
    notes = hs.check(table(tmp_path, twice, "utf-8")).notes
    assert any("encoded twice" in note and "iconv -f utf-8 -t cp1252 t.csv" in note for note in notes)
    assert not any("encoded twice" in note for note in hs.check(table(tmp_path, texts, "utf-8")).notes)


FRENCH = ["où est ma carte, elle n'est pas arrivée", "le taux de change est élevé", "j'ai oublié mon code, hélas"]


@pytest.mark.parametrize(
    ("more", "encoding", "said"),
    [(FRENCH, "utf-8", "lines that are not ASCII are UTF-8"), (RUSSIAN, "cp1251", "and the last like cp1251")],
)
def test_files_of_two_encodings_that_were_put_together_are_refused(more, encoding, said, tmp_path):
    """However far behind the first lines the others begin: windows-1252 decodes nearly anything."""

    def lines(texts: list[str], n: int) -> str:
        return "".join(f'"{texts[i % len(texts)]} {i}",{"ab"[i % 2]}\n' for i in range(n))

    path = tmp_path / "t.csv"
    path.write_bytes(b"text,label\n" + lines(FRENCH, 2500).encode("cp1252"))
    assert hs.check(path).dataset.inputs[0].startswith(FRENCH[0])
    with path.open("ab") as file:
        file.write(lines(more, 400).encode(encoding))
    with pytest.raises(DataError, match=said):
        hs.check(path)


GERMAN = ["Meine Karte wurde gestohlen! Was muss ich tun?", "Wo finde ich die Gebühren für Überweisungen?",
          "Ich möchte mein Kennwort ändern", "Der Kurs ist schlecht! äußerst ärgerlich"]  # fmt: skip
FRENCH = ["J'ai oublié mon code d'accès", "Elle n'est pas arrivée", "Le taux a baissé à midi", "volée près de la gare"]
FINNISH = ["Missä minun korttini on? Päivää", "Olen unohtanut salasanani! tämä on väärin", "Hyvää yötä", "tänään"]


@pytest.mark.parametrize("encoding", ["cp850", "cp437", "mac_roman"])
@pytest.mark.parametrize("texts", [GERMAN, FRENCH, FINNISH], ids=["German", "French", "Finnish"])
def test_what_excel_writes_for_dos_or_a_mac_is_refused_with_a_name(tmp_path, texts, encoding):
    path = table(tmp_path, texts, encoding)
    with pytest.raises(DataError, match="its encoding cannot be told") as refused:
        hs.check(path)
    named = re.findall(r'encoding="(\w+)"', str(refused.value))
    read = [hs.check(path, columns=hs.Columns(encoding=name)).dataset.inputs[1] for name in named]
    assert f"{texts[1]} 1" in read


@pytest.mark.parametrize(
    "text", ["He said “yes”and left", "„Ja“ sagte er ‚nun‘ — wirklich", "the ‹word› – and “so” on…"]
)
def test_quotes_of_windows_are_read_as_such(tmp_path, text):
    texts = [f"{text} {word}" for word in ("“one”", "“two”", "“three”", "“four”")]
    assert hs.check(table(tmp_path, texts, "cp1252")).dataset.inputs[0] == f"{texts[0]} 0"
