"""Draws the window of a log reader, with mouse selection."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from nova_core.text import clean
from nova_tui.ansi import plain
from nova_tui.glyphs import chars
from nova_tui.log_pager import Row
from nova_tui.log_reader import Gutter, LogReader
from nova_tui.palettes import TERMINAL
from nova_tui.views import log_rows

_YET = "no output yet"


class LogCanvas(Widget):
    """Draws the rows of `reader` from a page that is cached until `_rows` is None."""

    DEFAULT_CSS = """
    LogCanvas { width: 1fr; height: 1fr; background: $surface; color: $foreground; }
    LogCanvas > .log--muted { color: $text-muted; }
    LogCanvas > .log--match { background: $warning; color: auto; text-style: underline; }
    LogCanvas > .log--current { background: $warning; color: auto; text-style: bold reverse underline; }
    LogCanvas > .log--pill { background: $primary; color: auto; text-style: bold; }
    LogCanvas > .log--track { color: $panel; }
    LogCanvas > .log--marked {
        background: $block-cursor-blurred-background; color: $block-cursor-blurred-foreground;
    }
    LogCanvas > .log--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
    LogCanvas:ansi > .log--track { color: ansi_bright_black; }
    LogCanvas:ansi > .log--match { text-style: bold underline; }
    LogCanvas:ansi > .log--current { text-style: bold reverse underline; }
    LogCanvas:ansi > .log--pill { text-style: bold reverse; }
    LogCanvas:ansi > .log--marked { text-style: reverse; }
    LogCanvas:ansi > .log--cursor { text-style: bold reverse; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--muted", "log--match", "log--current", "log--pill", "log--track", "log--marked", "log--cursor"
    }  # fmt: skip

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - as every widget
        super().__init__(id=id, classes=classes)
        self.reader: LogReader | None = None
        self._rows: list[Row] | None = None
        self._dragging = False
        self._nothing = _YET

    def tell_nothing(self, words: str) -> None:
        """Set what to show while the log is empty."""
        if words != self._nothing:
            self._nothing = words
            self.refresh()

    def _page(self) -> list[Row]:
        if self._rows is None:
            self._rows = self.reader.page() if self.reader else []
        return self._rows

    def render_line(self, y: int) -> Strip:
        """One row: gutter, text, scroll thumb; the pill covers part of the last row."""
        width, base = self.size.width, self.rich_style
        reader, page = self.reader, self._page()
        if reader is None or not page:
            words = self._emptiness() if y == 0 else ""
            return Strip([Segment(words, self._style("muted"))]).crop_extend(0, width, base)
        strip = self._row(reader, page[y], y) if y < len(page) else Strip.blank(width, base)
        strip = Strip.join([strip.crop(0, max(0, width - 1)), Strip([self._thumb(reader, page, y)])])
        if y == self.size.height - 1 and (text := self._pill_text()):
            strip = log_rows.with_pill(strip, text, self._style("pill"), width)
        return strip

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"log--{name}")

    def _emptiness(self) -> str:
        if self.reader is None:
            return ""
        problem = self.reader.index.problem
        return clean(f"cannot show {self.reader.path.name}: {problem}") if problem else self._nothing

    def _row(self, reader: LogReader, row: Row, y: int) -> Strip:
        spans = reader.needle.spans(row.segments) if reader.needle else []
        match = self._style("current" if row.place.start == reader.match else "match") if spans else Style.null()
        selected = self.text_selection.get_span(y) if self.text_selection and not self._dragging else None
        marked = self.screen.get_component_rich_style("screen--selection") if selected else Style.null()
        segments = log_rows.marked(row.segments, spans, match, selected, marked)
        theme = TERMINAL if self.app.native_ansi_color else self.app.ansi_theme
        base = self._base(reader, row.place.start)
        text = log_rows.text_strip(segments, reader.left, reader.text_width, base, y, theme)
        if reader.gutter is Gutter.NONE:
            return text
        return Strip.join([Strip([Segment(self._gutter(reader, row), self._style("muted"))]), text])

    def _base(self, reader: LogReader, start: int) -> Style:
        """The style of a line: of the cursor, of the lines that would be copied, or of the others."""
        if reader.cursor is None or not reader.cursor.has(start):
            return self.rich_style
        return self._style("cursor" if reader.cursor.line == start else "marked")

    def _gutter(self, reader: LogReader, row: Row) -> str:
        if row.place.part:
            return " " * reader.gutter_width
        if reader.gutter is Gutter.TIMES:
            return log_rows.time_gutter(reader.seen.at(row.place.start))
        return log_rows.number_gutter(reader.index.line_number(row.place.start), reader.gutter_width)

    def _thumb(self, reader: LogReader, page: list[Row], y: int) -> Segment:
        """One cell of the scroll bar; blank if the whole log is in view."""
        end = reader.pager.rows(page[-1].place.start)[0]
        rows = log_rows.thumb_rows(page[0].place.start, end, reader.index.size, self.size.height)
        if not rows:
            return Segment(" ", self.rich_style)
        return (
            Segment(chars().thumb, self._style("muted"))
            if y in rows
            else Segment(chars().vertical, self._style("track"))
        )

    def on_pill(self, x: int, y: int) -> bool:
        """Returns True if the cell is part of the pill."""
        end = self.size.width - 1
        return y == self.size.height - 1 and end - len(self._pill_text()) <= x < end

    def _pill_text(self) -> str:
        if self.reader is None or self.reader.following:
            return ""
        if self.reader.renewed:
            return f" {chars().down} a new log began "
        lines, more = self.reader.new_lines()
        return log_rows.pill(lines, more) if more else ""

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text; rows of a wrapped line are joined."""
        texts = []
        for y, row in enumerate(self._page()):
            start, end = selection.get_span(y) or (0, 0)
            text = plain(row.segments)
            texts.append(text[start : len(text) if end < 0 else end])
        return self._joined(texts).strip("\n"), "\n"

    def visible_text(self) -> str:
        """The mouse selection, else the lines of the window; wrapped lines are joined."""
        selection = self.text_selection
        found = self.get_selection(selection) if selection is not None else None
        return found[0] if found and found[0] else self._joined([plain(row.segments) for row in self._page()])

    def _joined(self, texts: list[str]) -> str:
        page = self._page()
        ends = ["" if y + 1 < len(page) and page[y + 1].continues else "\n" for y in range(len(texts))]
        return "".join(text + end for text, end in zip(texts, ends, strict=True)).removesuffix("\n")
