// What a decision costs in the reference implementation, npm @cedar-policy/cedar-wasm, with
// preparsed policy sets. Run by bench/cedar: node cedar_reference.mjs SHARED CORPUS. Prints, for each
// set, [minimum, median] nanoseconds of CPU a call, of 5 repetitions.

import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const cedar = createRequire(import.meta.dirname + '/')('@cedar-policy/cedar-wasm/nodejs');
const [shared, corpus] = process.argv.slice(2);
const repetitions = 5;
const corpusCases = 300; // of some thousands: a call takes long enough

let sets = 0;
/// A set that is ready to be asked, or null.
function prepare(text, schema) {
  const id = `set${sets++}`;
  const policies = typeof text === 'string' ? { staticPolicies: text } : text;
  if (cedar.preparsePolicySet(id, policies).type !== 'success') return null;
  if (schema && cedar.preparseSchema(id, schema).type !== 'success') return null;
  return id;
}

function measure(calls) {
  const run = () => {
    for (const call of calls) {
      if (cedar.statefulIsAuthorized(call).type !== 'success') throw new Error('no answer');
    }
  };
  run(); // warm
  const times = [];
  for (let i = 0; i < repetitions; i++) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    times.push(((user + system) * 1000) / calls.length);
  }
  times.sort((a, b) => a - b);
  return [times[0], times[Math.floor(times.length / 2)]];
}

const both = (calls) => ({
  full: measure(calls),
  bare: measure(calls.map((call) => ({ ...call, entities: [], context: {} }))),
});
const repeat = (calls, least) => Array.from({ length: Math.max(calls.length, least) }, (_, i) => calls[i % calls.length]);

function callsOf(file, root) {
  const test = JSON.parse(fs.readFileSync(file, 'utf8'));
  const read = (name) => fs.readFileSync(path.join(root, test[name]), 'utf8');
  const set = prepare(read('policies'));
  if (set === null) return [];
  const entities = JSON.parse(read('entities'));
  return test.requests.map(({ principal, action, resource, context }) => ({
    principal, action, resource, context, entities, preparsedPolicySetId: set }));
}

/// As many_policies of src/cedar/cedar_bench.cc, and its one request.
function manyPolicies(count) {
  let text = '';
  for (let n = 0; n < count; n++) {
    switch (n < 10 ? n : 1 + (n % 9)) {
      case 0: text += 'permit (principal is User, action in Action::"read", resource is Doc) when { principal.level >= 3 && context.mfa };'; break;
      case 1: text += `permit (principal in Group::"g${n}", action in Action::"read", resource in Folder::"f1") when { resource.owner == principal || principal.level > 2 };`; break;
      case 2: text += `permit (principal == User::"u${n}", action, resource);`; break;
      case 3: text += `forbid (principal, action, resource in Folder::"f${n}") unless { context.mfa };`; break;
      case 4: text += `permit (principal, action == Action::"a${n}", resource);`; break;
      case 5: text += `permit (principal is User in Group::"g${n}", action, resource is Doc) when { context.ip.isInRange(ip("10.0.0.0/8")) };`; break;
      case 6: text += `permit (principal, action == Action::"view", resource == Doc::"d${n}");`; break;
      default: text += `forbid (principal in Group::"g${n}", action, resource in Folder::"f${n}") when { principal.level < 5 };`;
    }
    text += '\n';
  }
  return text;
}
const uid = (type, id) => ({ type, id });
const entity = (of, parents, attrs = {}) => ({ uid: of, attrs, parents });
const request = {
  principal: uid('User', 'u2'), action: uid('Action', 'view'), resource: uid('Doc', 'd6'),
  context: { mfa: true, ip: { __extn: { fn: 'ip', arg: '10.1.2.3' } } },
  entities: [
    entity(uid('Action', 'read'), []), entity(uid('Action', 'view'), [uid('Action', 'read')]),
    entity(uid('Group', 'g1'), [uid('Group', 'g5')]), entity(uid('Folder', 'f1'), [uid('Folder', 'f3')]),
    entity(uid('User', 'u2'), [uid('Group', 'g1')], { level: 4 }),
    entity(uid('Doc', 'd6'), [uid('Folder', 'f1')], { owner: { __entity: uid('User', 'u2') } })],
};

const found = {};
const model = path.join(shared, 'policy-model');
if (fs.existsSync(model)) found.policy_model = both(repeat(callsOf(path.join(model, 'model.requests.json'), model), 400));
if (fs.existsSync(corpus)) {
  const files = fs.readdirSync(corpus).filter((name) => name.endsWith('.json') && !name.endsWith('.entities.json'));
  const calls = files.sort().slice(0, corpusCases).flatMap((name) => callsOf(path.join(corpus, name), path.join(corpus, '..')));
  found.corpus = both(calls);
}
for (const count of [10, 100, 1000, 10000]) {
  const call = { ...request, preparsedPolicySetId: prepare(manyPolicies(count)) };
  found[`policies/${count}`] = both(repeat([call], count > 1000 ? 20 : 200));
}
console.log(JSON.stringify(found));
