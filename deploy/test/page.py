# SPDX-License-Identifier: Apache-2.0
"""Uses the page in Chromium: page.py URL DIRECTORY [AXE_JS].

Writes screenshots to the directory. Exits with an error at the first thing that
is not as a person should find it.
"""

import sys
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

LONG = "The meeting begins at nine. We are going home tomorrow. " * 100


def main(url, directory, axe):
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--lang=en", "--window-size=1100,800"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        use(browser, url, directory, axe)
    finally:
        browser.quit()


def use(browser, url, directory, axe):
    def find(name):
        return browser.find_element(By.ID, name)

    def until(what, holds, seconds=30):
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                browser.save_screenshot(f"{directory}/failed.png")
                raise SystemExit(f"FAILED: not {what} within {seconds} s; "
                                 f"error: {find('error').text!r}; output: {find('target').text!r}")
            time.sleep(0.02)

    def set_source(text):
        browser.execute_script(
            "const source = document.getElementById('source'); source.value = arguments[0];"
            "source.dispatchEvent(new Event('input'));", text)

    def is_done():
        return find("target").get_attribute("aria-busy") == "false"

    def check_accessibility(where):
        if not axe:
            return
        # The page's policy lets no script run that is not its own; a driver may.
        browser.execute_script(open(axe, encoding="utf-8").read())
        result = browser.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run().then((result) => done(result.violations.map("
            "(found) => found.id + ': ' + found.nodes.map((node) => node.html).join(' '))));")
        if result:
            raise SystemExit(f"FAILED: accessibility of {where}: {result}")
        print(f"page: accessibility of {where}: no violation")

    browser.get(url)
    until("languages listed", lambda: len(find("to").find_elements(By.TAG_NAME, "option")) > 0)

    # A translation is typed and read.
    Select(find("from")).select_by_value("en")
    Select(find("to")).select_by_value("de")
    find("source").send_keys("Where is the station?")
    until("translated", lambda: is_done() and "Bahnhof" in find("target").text)
    until("usage shown", lambda: "tokens in" in find("usage").text)
    print(f"page: translated: {find('target').text}")

    # Placeholders come back, and are marked.
    find("source").clear()
    find("source").send_keys("You have {count} new messages.")
    until("a placeholder kept", lambda: is_done() and "{count}" in find("target").text)
    marks = [mark.text for mark in find("target").find_elements(By.TAG_NAME, "mark")]
    if marks != ["{count}"]:
        raise SystemExit(f"FAILED: marks are {marks}")

    # The embedded model has one source language, which "detect" stands for.
    Select(find("from")).select_by_value("auto")
    find("source").clear()
    find("source").send_keys("The weather is beautiful today and we are going home.")
    until("translated", lambda: is_done() and "Wetter" in find("target").text)
    check_accessibility("a translation")
    browser.save_screenshot(f"{directory}/page.png")

    # A stream is seen growing.
    set_source("")
    until("empty", lambda: find("target").text == "")
    browser.execute_script(
        "window.sizes = []; const target = document.getElementById('target');"
        "new MutationObserver(() => {"
        "  if (target.textContent !== '' && target.getAttribute('aria-busy') === 'true')"
        "    window.sizes.push(target.textContent.length);"
        "}).observe(target, {childList: true});")
    set_source(LONG)
    until("translated", lambda: "tokens in" in find("usage").text and is_done())
    sizes = browser.execute_script("return [...new Set(window.sizes)];")
    if len(sizes) < 3 or sizes != sorted(sizes):
        raise SystemExit(f"FAILED: the stream did not grow: {sizes}")
    print(f"page: a stream grew in {len(sizes)} steps")

    # Alternatives.
    find("source").clear()
    find("source").send_keys("Good morning.")
    until("translated", is_done)
    find("more").click()
    until("alternatives", lambda: len(find("alternatives").find_elements(By.TAG_NAME, "li")) >= 2)

    # An error is shown and announced: the languages are equal.
    browser.execute_script(
        "const option = document.createElement('option'); option.value = 'xx';"
        "document.getElementById('to').append(option); option.selected = true;"
        "document.getElementById('to').dispatchEvent(new Event('change'));")
    until("an error shown", lambda: find("error").is_displayed() and "xx" in find("error").text)
    if find("error").get_attribute("role") != "alert":
        raise SystemExit("FAILED: the error is not announced")

    # Tabs by keyboard, a summary and live figures.
    find("tab-translate").send_keys(Keys.ARROW_RIGHT)
    until("the next tab", lambda: find("summarize").is_displayed() or find("server").is_displayed())
    if find("tab-summarize").is_displayed():
        find("long-text").send_keys("The city opened a new bridge. It cost a lot. " * 3)
        find("run-summary").click()
        until("summarized", lambda: len(find("summary").text) > 0)
        check_accessibility("a summary")
        find("tab-summarize").send_keys(Keys.ARROW_RIGHT)
    until("figures", lambda: "Tokens per second" in find("figures").text)
    check_accessibility("the figures")
    browser.set_window_size(390, 800)
    wide = browser.execute_script("return document.documentElement.scrollWidth - innerWidth;")
    if wide > 0:
        raise SystemExit(f"FAILED: the page is {wide} pixels too wide for a phone")

    # Nothing was refused by the page's policy, and nothing failed.
    bad = [entry["message"] for entry in browser.get_log("browser")
           if entry["level"] == "SEVERE" and "400" not in entry["message"] and "501" not in entry["message"]]
    if bad:
        raise SystemExit(f"FAILED: {bad}")
    print("page: passed")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "")
