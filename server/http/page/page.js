// SPDX-License-Identifier: Apache-2.0

import {get, setToken, stream} from './api.js';
import {$, fillList, languageName, showError, usageText} from './elements.js';
import {initTranslate} from './translate.js';

const kFiguresEveryMs = 2000;
const kTabs = ['translate', 'summarize', 'server'];

let figuresTimer = 0;
let summaryRun = null;  // AbortController of the summary that runs

function select(name) {
  for (const tab of kTabs) {
    const isSelected = tab === name;
    $(tab).hidden = !isSelected;
    $(`tab-${tab}`).setAttribute('aria-selected', String(isSelected));
    $(`tab-${tab}`).tabIndex = isSelected ? 0 : -1;
  }
  clearInterval(figuresTimer);
  if (name !== 'server') return;
  showFigures();
  figuresTimer = setInterval(showFigures, kFiguresEveryMs);
}

// Arrow keys move between tabs.
function onTabKey(event) {
  const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
  if (step === undefined) return;
  const shown = kTabs.filter((tab) => !$(`tab-${tab}`).hidden);
  const at = shown.indexOf(event.target.id.slice('tab-'.length));
  const next = shown[(at + step + shown.length) % shown.length];
  select(next);
  $(`tab-${next}`).focus();
}

function megabytes(bytes) {
  return `${(Number(bytes || 0) / 1e6).toFixed(1)} MB`;
}

async function showFigures() {
  try {
    const now = await get('v1/stats');
    fillList($('figures'), [
      ['Tokens per second', (now.tokens_per_second || 0).toFixed(0)],
      ['Requests running', now.num_requests_running || 0],
      ['Requests in the queue', now.num_requests_waiting || 0],
      ['Sequences running', now.num_sequences_running || 0],
      ['KV of self-attention', megabytes(now.kv_self_bytes)],
      ['KV of cross-attention', megabytes(now.kv_cross_bytes)],
      ['KV capacity', megabytes(now.kv_capacity_bytes)],
    ]);
  } catch (error) {
    showError(error.message);
  }
}

function fillLanguages(list, languages, chosen) {
  for (const tag of languages) {
    const option = document.createElement('option');
    option.value = tag;
    option.textContent = languageName(tag);
    option.selected = tag === chosen;
    list.append(option);
  }
}

// The languages of the tasks "translation_en_to_de", or those of a multilingual
// model.
function languagesOf(model) {
  if ((model.target_languages || []).length > 0) {
    return [model.source_languages || [], model.target_languages];
  }
  const pairs = (model.tasks || [])
      .map((task) => /^translation_(.+)_to_(.+)$/.exec(task))
      .filter((match) => match !== null);
  return [
    [...new Set(pairs.map((pair) => pair[1]))],
    [...new Set(pairs.map((pair) => pair[2]))],
  ];
}

async function showModel() {
  const answer = await get('v1/models');
  const model = answer.models[0];
  const [sources, targets] = languagesOf(model);
  fillLanguages($('from'), sources);
  const wish = navigator.languages.map((tag) => tag.split('-')[0])
      .find((tag) => targets.includes(tag));
  const last = targets[targets.length - 1];
  fillLanguages($('to'), targets, wish === 'en' ? last : wish ?? last);
  $('tab-summarize').hidden = !(model.tasks || []).includes('summarization');
  fillList($('model'), [
    ['Name', model.name],
    ['Architecture', model.architecture],
    ['Parameters', Number(model.num_parameters).toLocaleString()],
    ['Query heads, KV heads, cross KV heads',
      `${model.num_query_heads}, ${model.num_kv_heads}, ${model.num_cross_kv_heads}`],
    ['Weights', `${model.weight_type}, ${megabytes(model.weight_bytes)}`],
    ['KV per generated token', `${model.kv_bytes_per_token} bytes`],
    ['KV per source token', `${model.cross_kv_bytes_per_token} bytes`],
    ['Tasks', (model.tasks || []).join(', ')],
    ['Server', answer.server_version],
  ]);
}

async function summarize() {
  summaryRun?.abort();
  showError('');
  $('summary').replaceChildren();
  if ($('long-text').value.trim() === '') return;
  summaryRun = new AbortController();
  $('summary').setAttribute('aria-busy', 'true');
  const begin = performance.now();
  let usage;
  try {
    await stream('v1/summarize', {text: $('long-text').value},
        summaryRun.signal, (chunk) => {
          $('summary').append(chunk.text || '');
          usage = chunk.usage || usage;
        });
    $('summary-usage').textContent = usageText(usage, performance.now() - begin);
  } catch (error) {
    if (error.name === 'AbortError') return;
    showError(error.message);
  }
  $('summary').setAttribute('aria-busy', 'false');
}

for (const tab of kTabs) {
  $(`tab-${tab}`).addEventListener('click', () => select(tab));
  $(`tab-${tab}`).addEventListener('keydown', onTabKey);
}
$('run-summary').addEventListener('click', summarize);
$('token').addEventListener('change', async () => {
  setToken($('token').value);
  await start();
});
initTranslate();

async function start() {
  showError('');
  try {
    if ($('to').options.length === 0) await showModel();
  } catch (error) {
    showError(error.message);
  }
}

await start();
