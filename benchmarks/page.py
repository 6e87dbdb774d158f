"""How fast an exported page writes in Chromium: WebAssembly and plain JavaScript, in turns.

    python benchmarks/page.py PAGE [--rounds 5] [--characters 20000]

Prints the median of the characters in a second with their range, for greedy writing and for draws.
"""

import argparse
import shutil
import statistics
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PLAIN = "delete window.WebAssembly"
KERNELS = {"WebAssembly": "", "plain JavaScript": PLAIN}

WRITE = """([count, temperature]) => {
    const begun = performance.now();
    rnnlab.write("the ", count, {temperature});
    return count / (performance.now() - begun) * 1000;
}"""


def main() -> None:
    """Measure one page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--characters", type=int, default=20_000)
    given = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        print(f"Chromium {browser.version}")
        pages: dict[str, Page] = {}
        for name, script in KERNELS.items():
            pages[name] = browser.new_page()
            pages[name].add_init_script(script)
            pages[name].goto(given.page.absolute().as_uri())
            pages[name].locator("#check.green").wait_for()
            assert pages[name].evaluate("rnnlab.kernel") == name
        for temperature in (0.0, 0.7):
            found: dict[str, list[float]] = {name: [] for name in KERNELS}
            for _ in range(given.rounds + 1):  # the first warms up
                for name, page in pages.items():
                    found[name].append(page.evaluate(WRITE, [given.characters, temperature]))
            for name, speeds in found.items():
                low, high = min(speeds[1:]), max(speeds[1:])
                middle = statistics.median(speeds[1:])
                print(
                    f"temperature {temperature}, {name}: {middle:,.0f} characters in a second "
                    f"({low:,.0f} to {high:,.0f})"
                )
        browser.close()


if __name__ == "__main__":
    main()
