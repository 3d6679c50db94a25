// SPDX-License-Identifier: Apache-2.0

// Calls of this server's own REST interface. No other address is ever called.

// An answer that is not the one asked for. The message is for the user.
export class ApiError extends Error {}

let token = '';

export function setToken(value) {
  token = value.trim();
}

function headers(accept) {
  const result = {'Accept': accept, 'Content-Type': 'application/json'};
  if (token !== '') result['Authorization'] = `Bearer ${token}`;
  return result;
}

async function errorOf(response) {
  let detail = '';
  try {
    const problem = await response.json();
    detail = problem.detail || problem.title || '';
  } catch {
    // The body is not a problem document.
  }
  if (response.status === 401) detail ||= 'The server requires an access token.';
  return new ApiError(detail || `The server answered ${response.status}.`);
}

async function send(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('The server cannot be reached.');
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

export async function get(path) {
  const response = await send(path, {headers: headers('application/json')});
  return response.json();
}

export async function post(path, body, signal) {
  const response = await send(path, {
    method: 'POST',
    headers: headers('application/json'),
    body: JSON.stringify(body),
    signal,
  });
  return response.json();
}

// Calls `take` with each message of a stream of server-sent events.
export async function stream(path, body, signal, take) {
  const response = await send(path, {
    method: 'POST',
    headers: headers('text/event-stream'),
    body: JSON.stringify(body),
    signal,
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const {value, done} = await reader.read();
    if (done) break;
    rest += value;
    const events = rest.split('\n\n');
    rest = events.pop();
    for (const event of events) takeEvent(event, take);
  }
}

function takeEvent(event, take) {
  let name = 'message';
  const data = [];
  for (const line of event.split('\n')) {
    if (line.startsWith('event:')) name = line.slice(6).trim();
    if (line.startsWith('data:')) data.push(line.slice(5).trimStart());
  }
  if (data.length === 0 || data[0] === '[DONE]') return;
  const message = JSON.parse(data.join('\n'));
  if (name === 'error') {
    throw new ApiError(message.detail || message.title || 'The stream broke off.');
  }
  take(message);
}
