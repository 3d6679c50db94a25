// SPDX-License-Identifier: Apache-2.0

// Tests the unhappy paths of a client: leaving a stream, exceeding a deadline, and
// reading the details of an error.
//   PROTO=proto node faults.mjs HOST:PORT
import assert from 'node:assert';
import grpc from '@grpc/grpc-js';
import {loadSync} from '@grpc/proto-loader';
import protobuf from 'protobufjs';

const includeDirs = [process.env.PROTO];
const {sheaf} = grpc.loadPackageDefinition(
  loadSync('sheaf/v1/text.proto', {keepCase: true, includeDirs}));
const text = new sheaf.v1.TextService(process.argv[2], grpc.credentials.createInsecure());
const short = {text: 'Hello.', source_language: 'en', target_language: 'de'};
const long = {...short, text: 'We are going home tomorrow. '.repeat(12000)};
const within = (seconds) => ({deadline: Date.now() + 1000 * seconds});
const translate = (request, seconds) => new Promise((resolve) =>
  text.Translate(request, within(seconds), (error, answer) => resolve({error, answer})));

const stream = text.TranslateStream(long, within(60));
const ending = await new Promise((resolve) => {
  stream.once('data', () => stream.cancel());
  stream.on('error', resolve);
  stream.on('end', () => resolve(null));
});
assert.equal(ending?.code, grpc.status.CANCELLED);

const late = await translate(long, 0.2);
assert.equal(late.error?.code, grpc.status.DEADLINE_EXCEEDED);

const wrong = await translate({...short, decoding: {top_p: 2}}, 10);
assert.equal(wrong.error?.code, grpc.status.INVALID_ARGUMENT);
const types = protobuf.loadSync(`${process.env.PROTO}/google/rpc/error_details.proto`);
const [packed] = wrong.error.metadata.get('grpc-status-details-bin');
const status = types.lookupType('google.rpc.Status').decode(packed);
const bad = types.lookupType('google.rpc.BadRequest').decode(status.details[0].value);
assert.equal(bad.fieldViolations[0].field, 'decoding.top_p');
assert.equal(bad.fieldViolations[0].description, wrong.error.details);

// The server has released what the first two calls held.
const begin = Date.now();
assert.ok((await translate(short, 30)).answer.text);
assert.ok(Date.now() - begin < 10_000);
text.close();
