// SPDX-License-Identifier: Apache-2.0

// Validates every object against its schema.
//   node manifests.mjs FILE ...
import {readFileSync} from 'node:fs';
import YAML from 'yaml';

// "apps/v1", "Deployment" -> kubernetes-models/apps/v1/Deployment
async function modelOf(object) {
  const operator = object.apiVersion.startsWith('monitoring.coreos.com/');
  const name = operator ? '@kubernetes-models/prometheus-operator'
                        : 'kubernetes-models';
  const module = await import(`${name}/${object.apiVersion}/${object.kind}`);
  return module[object.kind];
}

for (const file of process.argv.slice(2)) {
  let count = 0;
  for (const document of YAML.parseAllDocuments(readFileSync(file, 'utf8'))) {
    const object = document.toJS();
    const Model = await modelOf(object);
    new Model(object).validate();
    // A schema that accepts everything is no check.
    let isStrict = false;
    try {
      new Model({...object, spec: 1, metadata: 1}).validate();
    } catch {
      isStrict = true;
    }
    if (!isStrict) throw new Error(`the schema of ${object.kind} accepts everything`);
    ++count;
  }
  console.log(`${file}: ${count} objects match their schemas`);
}
