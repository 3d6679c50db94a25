// SPDX-License-Identifier: Apache-2.0

// The parts of the page.

export function $(id) {
  return document.getElementById(id);
}

// Shows the error of the last call, or none.
export function showError(message) {
  $('error').textContent = message;
  $('error').hidden = message === '';
}

export function usageText(usage, milliseconds) {
  const tokens = Number(usage?.output_tokens || 0);
  return `${tokens} tokens in ${(milliseconds / 1000).toFixed(2)} s`;
}

// The name of a language in the language of the browser.
export function languageName(tag) {
  try {
    const names = new Intl.DisplayNames(navigator.languages, {type: 'language'});
    return names.of(tag) || tag;
  } catch {
    return tag;
  }
}

export function fillList(list, rows) {
  list.replaceChildren();
  for (const [name, value] of rows) {
    const term = document.createElement('dt');
    const description = document.createElement('dd');
    term.textContent = name;
    description.textContent = value;
    list.append(term, description);
  }
}
