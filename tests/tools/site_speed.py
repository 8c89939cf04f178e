"""How soon can a page of the site be used on a phone? Loaded in Chromium on a slowed processor.

    python -m sphinx -b html docs docs/_build/html
    python tests/tools/site_speed.py [PAGE ...] [--site docs/_build/html] [--rounds 3] [--rate 4]

Every page is loaded from the disk, in a window 390 pixels wide, with Chromium's own throttling of
the processor, and nothing in the cache of the page before. Seconds from the click, the median of
the rounds:

text       the text is painted
usable     what can be pressed answers: the scripts have run, and no task of more than 50 ms
           lies between a touch and its answer any more
whole      every formula is set, those far below the window too

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
    args = parser.parse_args()
    pages = args.pages or sorted(path.stem for path in args.site.glob("*.html"))
    if chromium() is None or not pages:
        print(f"error: there is no {'page in --site' if chromium() else 'Chromium'}")
        return 2
    late = []
    print(f"{'page':24} {'text':>6} {'usable':>7} {'whole':>6}   s, {args.rate:g} times as slow")
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(folder)
        try:
            browser.size(390, 844)
            browser.call("Emulation.setCPUThrottlingRate", rate=args.rate)
            for page in pages:
                rounds = [load(browser, args.site.resolve() / f"{page}.html")
                          for _ in range(args.rounds)]  # fmt: skip
                times = [statistics.median(times) / 1000 for times in zip(*rounds, strict=True)]
                print(f"{page:24} {times[0]:6.2f} {times[1]:7.2f} {times[2]:6.2f}", flush=True)
                late += [page] * (times[1] > LIMIT)
        finally:
            browser.close()
    if late:
        print(f"usable after more than {LIMIT:g} s: {', '.join(late)}")
    return 1 if late else 0


def load(browser, path):
    browser.open(path)
    return browser.run(TIMES)


if __name__ == "__main__":
    sys.exit(main())
