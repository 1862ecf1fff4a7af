"""The pages as text: everything in them, nothing of anybody's as markup, links that lead on."""

import re
from collections.abc import Iterable
from html.parser import HTMLParser

import pytest

from rpgen.history.matrix import build
from rpgen.history.records import record
from rpgen.report import early
from rpgen.report.html import matrix_page, render, run_page
from rpgen.report.html.render import breakable, plain
from rpgen.report.pool_keys import read_key
from rpgen.report.timeline import timeline
from rpgen.run import events
from rpgen.run.results import fold
from tests.unit.report.journals import HOSTILE, hostile, small, use

VOID = {"meta", "link", "br", "wbr", "input", "rect", "path", "line"}


class Reader(HTMLParser):
    """Elements, ids and addresses; fails where elements are not nested."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: dict[str, int] = {}
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in ("href", "src", "action", "data"):
                self.addresses.append(str(value))
            if name.startswith("on") or name == "style":
                self.handlers.append(name)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def page_of(journal: Iterable[events.Event], *beside: str) -> str:
    all_events = list(journal)
    return run_page.page(fold(all_events), timeline(all_events), beside)


def matrix_of(*journals: Iterable[events.Event]) -> str:
    runs = [record(fold(journal)) for journal in journals]
    return matrix_page.page(build(runs), runs, {"r1": "runs/r1/report.html"})


def test_hostile_names_and_messages_are_text_and_nothing_else() -> None:
    usual, page = Reader(page_of(small())), Reader(page_of(hostile()))
    assert page.tags["script"] == usual.tags["script"] == 1
    assert "img" not in page.tags
    assert page.handlers == []
    for bad in HOSTILE[:4]:
        assert bad in page.text.replace("\n", "")
    assert "49" not in [word for word in page.text.split() if word.startswith("49")]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e\udc80-\udcff]", page.text)
    assert all(address.startswith("#") or address == "data:," for address in page.addresses)


def test_the_matrix_of_hostile_runs_is_text_too() -> None:
    page = Reader(matrix_of(hostile(), hostile()))
    assert (page.tags["script"], page.handlers) == (1, [])
    assert "img" not in page.tags
    for bad in HOSTILE[:4]:
        assert bad in page.text


@pytest.mark.parametrize("journal", [small, hostile, lambda: small(0), lambda: ()])
def test_every_link_leads_somewhere_and_no_anchor_is_there_twice(journal: object) -> None:
    page = Reader(page_of(journal()))  # type: ignore[operator]
    assert len(page.ids) == len(set(page.ids))
    inside = {address[1:] for address in page.addresses if address.startswith("#")}
    assert inside <= set(page.ids)


def test_what_is_in_the_page_of_a_run() -> None:
    text = Reader(page_of(small(), "report.json", "journal.jsonl")).text
    for said in (
        "1 of 3 tests in 3 files went wrong", "t/test_2.py::test_a", "1 != 2", "tiny fp32",
        "room was needed", "3 models loaded in 1.5 s, 2 let go again", "Host memory",
        "At most 680 MB", "torch 2", "journal.jsonl",
    ):  # fmt: skip
        assert said in text


def test_a_model_in_the_pool_is_told_by_its_name_and_what_is_beside_it() -> None:
    long_key = "embedding:org/bert@cpu,fp32,auto_class=AutoModel,on=openvino:HETERO:GPU,CPU#2"
    loaded = events.ModelLoaded(
        worker=1, key=long_key, path="t/test_0.py", device="cpu", dtype="fp32", weights="tiny",
        load_seconds=0.5, predicted_mb=1.0, measured_mb=1.0, time=1001.6,
    )  # fmt: skip
    gone = events.ModelEvicted(
        worker=1, key=long_key, reason="too old", device="cpu", measured_mb=1.0, time=1001.7
    )
    used = events.PoolUsed(path="t/test_0.py", uses=(use(long_key, hit=True),), time=1001.6)
    *begun, ended = small(1)
    text = " ".join(Reader(page_of([*begun, loaded, gone, used, ended])).text.split())
    assert "org/bert embedding, AutoModel, on openvino:HETERO:GPU,CPU#2 cpu fp32 tiny" in text
    assert "embedding, fp32, AutoModel, on openvino:HETERO:GPU,CPU#2 · too old" in text
    assert "was already there, 100 MB" in text
    assert long_key not in text


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("embedding:bert", "bert (embedding)"),
        ("torch", "torch"),
        ("tokenizer:vision:a/b", "a/b (vision tokenizer)"),
        ("vision:/m@v2/vit@cuda:0,fp16", "/m@v2/vit (vision, cuda:0, fp16)"),
        ("vision:/m@v2/vit", "/m@v2/vit (vision)"),
        ("vision:vit@split cuda:0+cpu,weights=tiny", "vit (vision, split cuda:0+cpu, tiny)"),
        ("vision:vit@cpu,revision='a,b'", "vit (vision, cpu, revision='a,b')"),
    ],
)
def test_what_a_key_says(key: str, said: str) -> None:
    assert str(read_key(key)) == said


def test_a_run_that_was_cut_off_says_so() -> None:
    page = Reader(page_of(list(small())[:9]))
    assert "This run did not end" in page.text


def test_what_it_may_load_is_nothing() -> None:
    page = page_of(small())
    assert "default-src &#39;none&#39;" in page
    assert not re.search(r"(https?:)?//[a-z]", page)
    assert "unsafe-inline" not in page


def test_five_hundred_files_that_all_fail_at_length_make_a_page_that_opens() -> None:
    def journal() -> Iterable[events.Event]:
        for event in small(500):
            if isinstance(event, events.TestEnded):
                yield events.TestEnded(
                    path=event.path, test=event.test, outcome="failed", message="x" * 50_000,
                    details="y" * 100_000, output="z" * 100_000, time=event.time,
                )  # fmt: skip
            else:
                yield event

    page = page_of(journal())
    assert len(page) < 8_000_000
    assert "characters more in report.json" in page
    assert page.count('id="file-500"') == 1


def test_the_matrix_links_to_the_runs_own_pages() -> None:
    page = Reader(matrix_of(small()))
    assert "runs/r1/report.html" in page.addresses
    assert "Nothing got worse" in page.text
    assert "m2" in page.text


def test_text_without_colours_and_names_that_break_after_their_separators() -> None:
    assert plain("\x1b[1;31mred\x1b[0m\x07") == "red\\x07"
    assert str(breakable("a/b_c::d<")) == "a/<wbr>b_<wbr>c::<wbr>d&lt;"
    assert run_page.shortened("abcdefgh", 4).startswith("ab\n[... 4 characters")
    assert run_page.shortened("abc", 0).strip().startswith("[... 3 ")


def test_pages_are_prepared_while_there_is_time() -> None:
    render._environment.cache_clear()
    early.prepare().join()
    templates = render._environment()
    assert templates.cache is not None
    compiled = {name for _, name in templates.cache.keys()}  # noqa: SIM118
    assert compiled == set(templates.list_templates(extensions=["j2"]))
    assert "run.html.j2" in compiled
