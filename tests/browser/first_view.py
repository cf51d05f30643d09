"""How soon the first view of the page can be used."""

from __future__ import annotations

from playwright.sync_api import Browser

#: Notes when the view has its field to search and the list of tasks, or the words that there are none. What stands in
#: the document takes input: the page has no step after that which makes it work.
NOTE = """new MutationObserver((_, observer) => {
    const isListed = document.querySelector("main .tasks, main .filters ~ .empty");
    if (!isListed || !document.querySelector("main .filters input")) return;
    performance.mark("usable");
    observer.disconnect();
}).observe(document, {childList: true, subtree: true});"""
READ = """() => new Promise((resolve) => {
    const look = () => {
        const [mark] = performance.getEntriesByName("usable");
        if (mark) resolve(mark.startTime);
        else requestAnimationFrame(look);
    };
    look();
})"""


def usable_after_ms(browser: Browser, origin: str) -> float:
    """Milliseconds from the start of the navigation. The browser has nothing of the page in its cache."""
    context = browser.new_context()
    try:
        page = context.new_page()
        page.add_init_script(NOTE)
        page.goto(origin)
        return float(page.evaluate(READ))
    finally:
        context.close()
