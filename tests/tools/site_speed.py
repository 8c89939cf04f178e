"""How soon can a page of the site be used on a phone? Loaded in Chromium on a slowed processor.

    python -m sphinx -b html docs docs/_build/html
    python tests/tools/site_speed.py [PAGE ...] [--site docs/_build/html] [--rounds 3] [--rate 4]
                                     [--busy]

Every page is loaded from the disk, in a window 390 pixels wide, with Chromium's own throttling of
the processor, and nothing in the cache of the page before. Seconds from the click, the median of
the rounds:

text       the text is painted
usable     what can be pressed answers: the scripts have run, and no task of more than 50 ms
           lies between a touch and its answer any more
whole      every formula is set, those far below the window too

With --busy, for a machine that does other things too, nothing is slowed and no clock is read: what
is printed is the processor time that the page's main thread needed until it was whole, that many
times. It leaves out what the page waits for.

Exit code 1 where a page is usable later than after 2 s. Needs a Chromium.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

from browser import Browser, chromium  # noqa: E402

LIMIT = 2.0
TIMES = """new Promise((done) => {
    let busy = 0;
    const note = (list) => list.getEntries().forEach((task) => {
        busy = Math.max(busy, task.startTime + task.duration);
    });
    new PerformanceObserver(note).observe({ type: "longtask", buffered: true });
    const whole = window.MathJax?.startup?.promise ?? Promise.resolve();
    whole.then(() => {
        const end = performance.now();
        const wait = () => {
            if (performance.now() - Math.max(busy, end) < 700) return setTimeout(wait, 100);
            const [page] = performance.getEntriesByType("navigation");
            const paint = performance.getEntriesByName("first-contentful-paint")[0].startTime;
            const ready = Math.max(paint, page.domContentLoadedEventEnd, busy);
            done([paint, ready, window.MathJax ? Math.max(end, ready) : ready]);
        };
        wait();
    });
})"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="06-lstm, say; else all")
    parser.add_argument("--site", type=Path, default=ROOT / "docs" / "_build" / "html")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=4, help="how many times as slow")
    parser.add_argument("--busy", action="store_true", help="processor time, on a busy machine")
    args = parser.parse_args()
    pages = args.pages or sorted(path.stem for path in args.site.glob("*.html"))
    if chromium() is None or not pages:
        print(f"error: there is no {'page in --site' if chromium() else 'Chromium'}")
        return 2
    late = []
    columns = ["work"] if args.busy else ["text", "usable", "whole"]
    head = "".join(f"{column:>8}" for column in columns)
    print(f"{'page':24}{head}   s, {args.rate:g} times as slow")
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(folder)
        try:
            browser.size(390, 844)
            if not args.busy:
                browser.call("Emulation.setCPUThrottlingRate", rate=args.rate)
            for page in pages:
                path = args.site.resolve() / f"{page}.html"
                rounds = [work(browser, path, args.rate) if args.busy else load(browser, path)
                          for _ in range(args.rounds)]  # fmt: skip
                times = [statistics.median(times) for times in zip(*rounds, strict=True)]
                print(f"{page:24}" + "".join(f"{t:8.2f}" for t in times), flush=True)
                late += [page] * (times[0 if args.busy else 1] > LIMIT)
        finally:
            browser.close()
    if late:
        print(f"usable after more than {LIMIT:g} s: {', '.join(late)}")
    return 1 if late else 0


def load(browser, path):
    """Return the seconds until the text is there, until it can be used, until it is whole."""
    browser.open(path)
    return [ms / 1000 for ms in browser.run(TIMES)]


def work(browser, path, rate):
    """Return the processor time of the main thread until the page is whole, so many times."""
    browser.call("Performance.enable", timeDomain="threadTicks")
    browser.open(path)
    metrics = browser.call("Performance.getMetrics")["metrics"]
    browser.call("Performance.disable")
    return [rate * next(m["value"] for m in metrics if m["name"] == "TaskDuration")]


if __name__ == "__main__":
    sys.exit(main())
