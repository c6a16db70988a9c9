"""The work behind the quickstart plan: a year of made-up weather, from readings to a page. Standard library only."""

from __future__ import annotations

import csv
import datetime
import json
import math
import os
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

STATIONS = {"north": (4.0, 900), "south": (13.0, 520), "east": (7.5, 610), "west": (10.0, 1150)}  # mean °C, mm a year
COLOURS = {"north": "#4477aa", "south": "#cc6677", "east": "#ddaa33", "west": "#228833"}
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
STEPS = 6
PACE = float(os.environ.get("DEMO_PACE", "0.35"))  # seconds between steps, so that there is something to watch

Row = dict[str, float]


def step(text: str, number: int) -> None:
    """Report the current step; `nova report` shows it beside the task."""
    print(f"{number}/{STEPS} {text}", flush=True)
    nova = shutil.which("nova")
    if PACE and nova and "NOVA_TOKEN" in os.environ:
        subprocess.run([nova, "report", "--step", text, "--percent", str(100 * number // STEPS)], check=False)
    time.sleep(PACE)


def noise(*key: object) -> float:
    """A number from -1 to 1 that is the same in every run, so that the weather is, too."""
    return zlib.crc32(repr(key).encode()) / 2**31 - 1


def write(path: str, text: str) -> None:
    """Write a file, creating its folder."""
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")
    print(f"wrote {path}, {len(text):,} characters")


def read(station: str) -> list[Row]:
    """The readings of one station."""
    with open(f"data/{station}.csv", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def readings(station: str) -> None:
    """Make up 365 days of weather."""
    mean, millimetres = STATIONS[station]
    lines = ["day,temperature,rain"]
    for day in range(365):
        if day % 61 == 0:
            step(f"{station}: {MONTHS[month_of(day)]}", day // 61 + 1)
        country = 4 * noise("front", day // 5) + 2 * noise(day)
        temperature = mean - 10 * math.cos(2 * math.pi * (day - 15) / 365) + country + 2 * noise(station, day)
        rain = max(0.0, noise("wet", day) + noise(station, "wet", day)) * millimetres / 122
        lines.append(f"{day},{temperature:.1f},{rain:.1f}")
    write(f"data/{station}.csv", "\n".join(lines) + "\n")


def month_of(day: float) -> int:
    """The month, from 0, of a day of the year, from 0."""
    return (datetime.date(2025, 1, 1) + datetime.timedelta(days=int(day))).month - 1


def check() -> None:
    """Reject values that no thermometer would show."""
    for number, station in enumerate(STATIONS, 1):
        step(f"checking the {station}", number)
        for row in read(station):
            if not (-40 < row["temperature"] < 50 and 0 <= row["rain"] < 200):
                sys.exit(f"{station}, day {row['day']:.0f}: {row} cannot be")


def months(station: str) -> None:
    """Mean temperature and sum of rain by month."""
    rows = read(station)
    table = []
    for number, name in enumerate(MONTHS):
        if number % 2 == 0:
            step(f"{station}: {name}", number // 2 + 1)
        days = [row for row in rows if month_of(row["day"]) == number]
        temperature = sum(row["temperature"] for row in days) / len(days)
        table.append({"month": name, "temperature": round(temperature, 1), "rain": round(sum(r["rain"] for r in days))})
    write(f"out/{station}.json", json.dumps(table, indent=1))


def extremes() -> None:
    """The coldest, the warmest and the wettest day."""
    found = {}
    for number, (name, field, sign) in enumerate(
        [("coldest", "temperature", -1), ("warmest", "temperature", 1), ("wettest", "rain", 1)], 1
    ):
        step(f"looking for the {name} day", 2 * number)
        days = [(sign * row[field], station, row) for station in STATIONS for row in read(station)]
        _, station, row = max(days, key=lambda entry: entry[0])
        found[name] = {"station": station, "day": int(row["day"]) + 1, field: row[field]}
    write("out/extremes.json", json.dumps(found, indent=1))


def correlation(pairs: list[tuple[float, float]]) -> float:
    """Pearson's r."""
    n = len(pairs)
    mean_x, mean_y = sum(x for x, _ in pairs) / n, sum(y for _, y in pairs) / n
    shared = sum((x - mean_x) * (y - mean_y) for x, y in pairs)
    spread = sum((x - mean_x) ** 2 for x, _ in pairs) * sum((y - mean_y) ** 2 for _, y in pairs)
    return shared / math.sqrt(spread)


def alike() -> None:
    """Correlations of daily temperatures, each with a 90 % interval from resampled years."""
    names = list(STATIONS)
    table = {}
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    for number, (a, b) in enumerate(pairs, 1):
        step(f"{a} and {b}", number)
        days = [(x["temperature"], y["temperature"]) for x, y in zip(read(a), read(b), strict=True)]
        picks = [[days[int((noise(a, b, n, i) + 1) * 182.49)] for i in range(365)] for n in range(200)]
        sample = sorted(map(correlation, picks))
        table[f"{a} and {b}"] = [round(value, 3) for value in (correlation(days), sample[10], sample[189])]
    write("out/alike.json", json.dumps(table, indent=1))


def picture(field: str) -> None:
    """One line per station over twelve months."""
    tables = {station: json.loads(Path(f"out/{station}.json").read_text()) for station in STATIONS}
    values = [row[field] for table in tables.values() for row in table]
    low, high = min(values), max(values)
    shapes = []
    for number, (station, table) in enumerate(tables.items(), 1):
        step(f"drawing the {station}", number)
        points = " ".join(
            f"{40 + 50 * i},{220 - 180 * (row[field] - low) / (high - low):.0f}" for i, row in enumerate(table)
        )
        shapes.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[station]}" stroke-width="3"/>')
        shapes.append(f'<text x="600" y="{40 + 20 * number}" fill="{COLOURS[station]}">{station}</text>')
    labels = "".join(f'<text x="{30 + 50 * i}" y="245">{name}</text>' for i, name in enumerate(MONTHS))
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 255" font-family="sans-serif" font-size="13">'
    write(f"out/{field}.svg", "\n".join([head, *shapes, labels, "</svg>"]))


def table_of(rows: list[list[object]]) -> str:
    """An HTML table."""
    lines = ("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return "\n".join(("<table>", *lines, "</table>"))


def page() -> None:
    """Put everything on one page."""
    step("collecting the tables", 2)
    found = json.loads(Path("out/extremes.json").read_text())
    alikes = json.loads(Path("out/alike.json").read_text())
    days: list[list[object]] = [[name, *day.values()] for name, day in found.items()]
    pairs: list[list[object]] = [[name, r, f"{low} to {high}"] for name, (r, low, high) in alikes.items()]
    step("writing the page", 4)
    pictures = "".join(f'<h2>{f.title()}</h2>\n<img src="{f}.svg" width="680">\n' for f in ("temperature", "rain"))
    body = f"<h1>Almanac</h1>\n{pictures}<h2>Days</h2>\n{table_of(days)}\n<h2>Alike</h2>\n{table_of(pairs)}"
    style = "body{font:16px sans-serif;max-width:44em;margin:2em auto}td{padding:.2em 1em}"
    head = f"<!doctype html><meta charset=utf-8><title>Almanac</title><style>{style}</style>"
    write("out/index.html", f"{head}\n{body}\n")


COMMANDS = {
    "readings": readings, "check": check, "months": months, "extremes": extremes, "alike": alike, "picture": picture,
    "page": page,
}  # fmt: skip

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])  # type: ignore[operator]
