// SPDX-License-Identifier: Apache-2.0

import grpc from '@grpc/grpc-js';
import {loadSync} from '@grpc/proto-loader';

const files = ['sheaf/v1/text.proto', 'sheaf/v1/model.proto'];
const options = {keepCase: true, defaults: true, includeDirs: [process.env.PROTO ?? 'proto']};
const {sheaf} = grpc.loadPackageDefinition(loadSync(files, options));
const server = [process.argv[2], grpc.credentials.createInsecure()];
const in_time = {deadline: Date.now() + 10_000};
const call = (stub, method, request) => new Promise((resolve, reject) =>
  stub[method](request, in_time, (error, answer) => error ? reject(error) : resolve(answer)));

const models = await call(new sheaf.v1.ModelService(...server), 'ListModels', {});
console.log(models.models[0].name);

const text = new sheaf.v1.TextService(...server);
const request = {text: 'Where is the train station?', source_language: 'en', target_language: 'de'};
console.log((await call(text, 'Translate', request)).text);

let last;
for await (const chunk of text.TranslateStream(request, in_time)) {
  process.stdout.write(chunk.text);
  last = chunk;
}
console.log(`\n${last.usage.output_tokens} tokens`);

try {
  await call(text, 'Translate', {...request, target_language: 'xx'});
} catch (error) {
  console.log(grpc.status[error.code], error.details);
}
