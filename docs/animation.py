"""Film the stepper for the README: `python docs/animation.py [FILE]`; needs a Chromium.

The page is opened in a browser and stepped through a name, forward and then backward; every step is
one picture of docs/figures/stepper.gif. Beside the drawing of the cell, only the panels that
`SHOWN` names are left on it.
"""

import json
import sys
import tempfile
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS.parent / "tests" / "helpers")]

from browser import Browser  # noqa: E402

from minirnn.stepper import demo  # noqa: E402
from minirnn.stepper.page import page  # noqa: E402

WIDTH, SECONDS, COLOURS = 880, 0.7, 48
SHOWN = "f c h df dc dh".split()
STYLE = """h1, .stepper-number, .stepper-line, .stepper-strip, .stepper-epochs, .stepper-cell p,
    .stepper-side label, .stepper-source, .stepper details, .stepper figure small,
    .stepper figure code { display: none !important; }
    .stepper-body { display: block !important; }
    .stepper-body > div { display: grid; grid-template-columns: 360px 1fr; gap: 20px; }
    .stepper-over { display: block; margin: 0; }
    .stepper-side { margin-top: 10px; }
    [data-is=panels] h2 { font-size: 15px; margin-top: 6px; }
    [data-is=panels] section > div
    { display: grid !important; grid-template-columns: repeat(3, 1fr) !important; }"""
LSTM = """(() => {
    const box = document.querySelector('.stepper [data-is=kind]');
    box.selectedIndex = [...box.options].findIndex((o) => o.text.includes('LSTM'));
    box.dispatchEvent(new Event('change'));
    const shown = %s, style = document.createElement('style');
    style.textContent = %s;
    document.head.append(style);
    document.querySelectorAll('.stepper figure').forEach((figure, k) => {
        if (!shown.includes(k)) figure.remove();
    });
    for (const section of document.querySelectorAll('[data-is=panels] section')) {
        if (!section.querySelector('figure')) section.remove();
    }
    document.querySelector('.stepper [data-to=first]').click();
    return document.querySelector('.stepper-body').getBoundingClientRect().bottom + 8;
})()"""
STEP = "document.querySelector('.stepper [data-to=on]').click()"


def panels(data):
    """The places of `SHOWN` among the LSTM's panels; of what is assigned twice, the last."""
    (lstm,) = (kind for kind in data["kinds"] if kind["label"] == "LSTM")
    places = {panel["variable"]: k for k, panel in enumerate(lstm["layers"][0]["panels"])}
    return [places[name] for name in SHOWN]


def frames(folder):
    """The page before the first letter, and after each step, with the last one in view."""
    path = folder / "stepper.html"
    data = demo.data()
    path.write_text(page(data), encoding="utf-8")
    browser = Browser(folder / "profile")
    try:
        browser.size(WIDTH)
        browser.open(path)
        bottom = browser.run(LSTM % (json.dumps(panels(data)), json.dumps(STYLE)))
        browser.size(WIDTH, round(bottom))
        for _ in range(2 * len(data["names"][0]["text"]) + 1):
            browser.screenshot(folder / "frame.png")
            yield Image.open(folder / "frame.png").convert("RGB")
            browser.run(STEP)
    finally:
        browser.close()


def main(file=DOCS / "figures" / "stepper.gif"):
    with tempfile.TemporaryDirectory() as folder:
        pictures = list(frames(Path(folder)))
    palette = pictures[-1].quantize(COLOURS, dither=Image.Dither.NONE)
    first, *others = (p.quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures)
    times = [round(1000 * SECONDS)] * len(others) + [3000]
    first.save(file, save_all=True, append_images=others, duration=times, loop=0, optimize=True)
    print(f"{Path(file).name}: {len(times)} pictures, {Path(file).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(*sys.argv[1:])
