// SPDX-License-Identifier: Apache-2.0

import {post, stream} from './api.js';
import {$, showError, usageText} from './elements.js';

// A translation begins when nothing has been typed for this long.
const kPauseMs = 500;
// Mean log-probabilities below this are shown as uncertain.
const kUnsure = -1.0;
const kAlternatives = 3;

// Tags and the placeholders that the server protects most often.
const kKept = /<[^<>]+>|\{\{?[^{}\s]+\}?\}|\$\{[^{}\s]+\}|%(?:\d+\$)?[sdif@]|%\(\w+\)[sd]|https?:\/\/[^\s<>"]+|`[^`]+`/g;

const kWarnings = {
  SEGMENT_WARNING_EMPTY: 'is empty',
  SEGMENT_WARNING_CUT: 'was cut off',
  SEGMENT_WARNING_PROTECTED_SPAN: 'lost a part that is to stay as it is',
  SEGMENT_WARNING_NUMBER: 'has other numbers than its source',
  SEGMENT_WARNING_UNKNOWN_CHARACTER: 'lacks a character that the model cannot write',
  SEGMENT_WARNING_REPETITION: 'repeats itself',
  SEGMENT_WARNING_TOO_SHORT: 'is short for its source',
  SEGMENT_WARNING_TOO_LONG: 'is long for its source',
  SEGMENT_WARNING_UNTRANSLATED: 'may not be translated',
  SEGMENT_WARNING_TERM: 'lacks the translation of a term',
};

let timer = 0;
let running = null;  // AbortController of the translation that runs

function requestOf() {
  const keep = $('keep').value.split(',').map((word) => word.trim());
  return {
    text: $('source').value,
    source_language: $('from').value,
    target_language: $('to').value,
    format: $('format').value,
    protect_spans: $('protect').checked,
    do_not_translate: keep.filter((word) => word !== ''),
  };
}

// Appends the text to the element, with tags and placeholders marked.
function appendMarked(element, text) {
  let at = 0;
  for (const match of text.matchAll(kKept)) {
    element.append(text.slice(at, match.index));
    const mark = document.createElement('mark');
    mark.textContent = match[0];
    element.append(mark);
    at = match.index + match[0].length;
  }
  element.append(text.slice(at));
}

function warningText(segment) {
  return (segment.warnings || []).map((name) => kWarnings[name] || name).join(', ');
}

// Shows the text with the sentences that the reports call uncertain. Reports
// count Unicode characters.
function showReported(text, segments) {
  const target = $('target');
  const characters = Array.from(text);
  target.replaceChildren();
  $('warnings').replaceChildren();
  let at = 0;
  for (const segment of segments) {
    const begin = Number(segment.target?.begin || 0);
    const end = Number(segment.target?.end || 0);
    if (begin < at || end > characters.length) continue;
    appendMarked(target, characters.slice(at, begin).join(''));
    const sentence = characters.slice(begin, end).join('');
    const warning = warningText(segment);
    const span = document.createElement('span');
    const score = segment.mean_logprob || 0;
    span.title = `Mean log-probability ${score.toFixed(2)}` +
        (warning ? `; ${warning}` : '');
    if (warning || score < kUnsure) span.className = 'unsure';
    appendMarked(span, sentence);
    target.append(span);
    if (warning) {
      const item = document.createElement('li');
      item.textContent = `“${sentence}” ${warning}`;
      $('warnings').append(item);
    }
    at = end;
  }
  appendMarked(target, characters.slice(at).join(''));
}

function showDetected(detected) {
  if (!detected?.language) {
    $('detected').textContent = '';
    return;
  }
  const share = Math.round(100 * (detected.confidence || 0));
  $('detected').textContent = `Detected: ${detected.language} (${share} %)`;
}

// Translates the text that is there now, and shows the answer as it comes.
async function translate() {
  running?.abort();
  showError('');
  $('alternatives').replaceChildren();
  $('warnings').replaceChildren();
  $('usage').textContent = '';
  $('target').replaceChildren();
  if ($('source').value.trim() === '') return;
  const abort = new AbortController();
  running = abort;
  $('target').setAttribute('aria-busy', 'true');
  const begin = performance.now();
  let text = '';
  let last = {};
  try {
    const body = {...requestOf(), return_segments: true};
    await stream('v1/translate', body, abort.signal, (chunk) => {
      text += chunk.text || '';
      $('target').append(chunk.text || '');
      last = chunk;
    });
    showReported(text, last.segments || []);
    showDetected(last.detected_language);
    $('usage').textContent = usageText(last.usage, performance.now() - begin);
  } catch (error) {
    if (error.name === 'AbortError') return;
    showError(error.message);
  }
  if (running === abort) $('target').setAttribute('aria-busy', 'false');
}

function schedule() {
  clearTimeout(timer);
  running?.abort();
  const size = Array.from($('source').value).length;
  $('size').textContent = size > 0 ? `${size} characters` : '';
  timer = setTimeout(translate, kPauseMs);
}

async function showAlternatives() {
  if ($('source').value.trim() === '') return;
  showError('');
  try {
    const answer = await post('v1/translate', {
      ...requestOf(),
      decoding: {beam_size: kAlternatives + 1, num_hypotheses: kAlternatives},
    });
    $('alternatives').replaceChildren();
    for (const hypothesis of answer.alternatives || []) {
      const item = document.createElement('li');
      item.textContent = hypothesis.text;
      $('alternatives').append(item);
    }
  } catch (error) {
    showError(error.message);
  }
}

function swapLanguages() {
  const [from, to] = [$('from'), $('to')];
  const hasOption = (select, value) =>
      [...select.options].some((option) => option.value === value);
  if (from.value === 'auto' || !hasOption(to, from.value) ||
      !hasOption(from, to.value)) {
    return;
  }
  [from.value, to.value] = [to.value, from.value];
  $('source').value = $('target').textContent;
  schedule();
}

export function initTranslate() {
  $('source').addEventListener('input', schedule);
  for (const id of ['from', 'to', 'format', 'protect', 'keep']) {
    $(id).addEventListener('change', schedule);
  }
  $('swap').addEventListener('click', swapLanguages);
  $('more').addEventListener('click', showAlternatives);
  $('copy').addEventListener('click', async () => {
    await navigator.clipboard.writeText($('target').textContent);
    $('usage').textContent = 'Copied';
  });
}
